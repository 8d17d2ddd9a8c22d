//go:build cgo

package cgo

import (
	"testing"

	"chimera/engine/lowering"
)

// This file owns tests of how buffers are laid out.

// TestRowsShareNoSets: rounded rows are an odd number of cache lines apart, whatever their width, and lose no block.
func TestRowsShareNoSets(t *testing.T) {
	const line = 64
	for cols := 1; cols <= 16384; cols++ {
		l := &lowered{&lowering.Lowered{ActCols: cols}}
		stride := l.blocks() * actBlock
		if stride < cols || stride >= cols+4*actBlock || stride%(2*line) != line {
			t.Fatalf("rows of %d values are %d bytes apart", cols, stride)
		}
	}
}
