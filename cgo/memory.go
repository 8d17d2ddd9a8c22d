package cgo

// #include "step.h"
// #include "isa.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the sizes of an instance: every byte is counted before any is taken, by carving the
// same way twice, first without memory.

// sizes are the options with derived counts.
type sizes struct {
	engine.LoadOptions
	threads    int
	queryTiles int
}

func sizesOf(o engine.LoadOptions, threads int) sizes {
	return sizes{LoadOptions: o, threads: threads, queryTiles: o.MaxTokens/queryTokens + o.MaxSequences + 1}
}

// pagesOf is which pages memory of an instance is asked for as.
func pagesOf(o engine.LoadOptions) []hostmem.Option {
	if o.SmallPages {
		return []hostmem.Option{hostmem.SmallPages}
	}
	return nil
}

// buffers are the activations and scratch of an instance.
type buffers struct {
	values    [][]float32 // per value: (most rows of its domain, width)
	q         []int8
	d, sum    []float32
	halfSum   []float32
	total     []int32
	halfTotal []int32
	start     []int32
	halfStart []int32
	logits    []float32
	scratch   unsafe.Pointer // (threads, scratchBytes)
	wholeRow  []int32
	tilesList []C.struct_query_tile
	angles    [][2][]float32 // per rope: cosine and sine, (MaxTokens, dim / 2)
}

// blocks are those of a row, up to an odd number of cache lines: rows a power of two apart would share a few sets of L1.
func (l *lowered) blocks() int { return ((l.ActCols+actBlock-1)/actBlock+1)/4*4 + 2 }

// scratchBytes is what a worker needs at most for one chunk of any phase.
func scratchBytes(vocab int) int64 {
	sample := (int64(C.sample_scratch_bytes(C.int(vocab))) + 63) / 64 * 64
	return max(sample, C.LINEARS_SCRATCH, C.ATTEND_SCRATCH, C.STORE_SCRATCH)
}

func carveBuffers(c *hostmem.Carver, l *lowered, s sizes) *buffers {
	b := &buffers{}
	for _, v := range l.Program.Values {
		b.values = append(b.values, hostmem.Take[float32](c, lowering.RowsOf(v.Rows, s.LoadOptions)*v.Width))
	}
	n := max(s.MaxTokens, s.MaxOutputs, s.MaxSequences) * l.blocks()
	b.q = hostmem.Take[int8](c, n*actBlock)
	b.d, b.sum = hostmem.Take[float32](c, n), hostmem.Take[float32](c, n)
	b.halfSum, b.total, b.halfTotal = hostmem.Take[float32](c, 2*n), hostmem.Take[int32](c, n), hostmem.Take[int32](c, 2*n)
	b.start, b.halfStart = hostmem.Take[int32](c, n), hostmem.Take[int32](c, 2*n)
	b.logits = hostmem.Take[float32](c, logitRows*padded(l.Program.Vocab))
	b.scratch = c.Bytes(int64(s.threads) * scratchBytes(l.Program.Vocab))
	b.wholeRow = hostmem.Take[int32](c, s.MaxOutputs)
	b.tilesList = hostmem.Take[C.struct_query_tile](c, s.queryTiles)
	for _, r := range l.Ropes {
		b.angles = append(b.angles, [2][]float32{
			hostmem.Take[float32](c, s.MaxTokens*r.Dim/2), hostmem.Take[float32](c, s.MaxTokens*r.Dim/2),
		})
	}
	return b
}

// padded rounds a number of weight rows up to whole groups.
func padded(rows int) int { return (rows + group - 1) / group * group }
