//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the way from phases to launches: which kernel, over which grid, with which struct. What a kind
// of phase becomes stands in its op's file.

// bucket is the shape that a captured graph was made for; steps are rounded up to one. Kernels look at
// the step's own counts, so a row beyond them costs one comparison.
type bucket struct {
	rows, sequences, outputs int
	splits                   int  // of the longest sequence that has one row; 0: there is none
	many                     bool // some sequence has several rows
	tapped                   bool // some output asks for taps
}

// grid is a launch's size in thread blocks; zeros leave the launch out.
type grid [3]int

// empty tells whether the grid leaves its launch out.
func (g grid) empty() bool { return g[0] == 0 || g[1] == 0 || g[2] == 0 }

// launch is one kernel of a step.
type launch struct {
	name   string // of the phase, for plans and errors
	kernel string
	block  grid
	size   func(bucket) grid
	fill   func(*C.struct_phase)
}

// phaseKind is what this backend knows of a kind of phase: its launches, and how to show it.
type phaseKind struct {
	launches func(*filler, lowering.Phase) []launch
	show     func(*showing, lowering.Phase, *engine.Phase)
}

// phaseKinds is in the order of lowering's kinds.
var phaseKinds = [...]phaseKind{
	lowering.RopeTable: {ropeLaunches, showRope},
	lowering.Embed:     {embedLaunches, showEmbed},
	lowering.Norm:      {normLaunches, showNorm},
	lowering.Quantise:  {quantiseLaunches, showQuantise},
	lowering.Linears:   {linearsLaunches, showLinears},
	lowering.Store:     {storeLaunches, showStore},
	lowering.Attend:    {attendLaunches, showAttend},
	lowering.Add:       {addLaunches, showAdd},
	lowering.Rows:      {rowsLaunches, showRows},
	lowering.Tap:       {tapLaunches, showTap},
	lowering.Head:      {headLaunches, showHead},
}

var rowBlock = grid{C.ROW_THREADS, 1, 1}

func perToken(b bucket) grid { return grid{b.rows, 1, 1} }

// launches lowers the phases; what a launch's struct holds is written when its fill is called.
func (f *filler) launches() []launch {
	all := []launch{{name: "batch", kernel: "prepare", block: grid{256, 1, 1}, fill: func(*C.struct_phase) {},
		size: func(bucket) grid { return grid{1, 1, 1} }}}
	for _, ph := range f.Phases {
		all = append(all, phaseKinds[ph.Kind].launches(f, ph)...)
	}
	return all
}

// perRow is one launch with a thread block for each row of a value.
func (f *filler) perRow(ph lowering.Phase, kernel string, over engine.ValueID, fill func(*C.struct_phase)) []launch {
	rows := f.rowsOf(over)
	return []launch{{name: ph.Name, kernel: kernel, block: rowBlock, fill: fill,
		size: func(b bucket) grid { return grid{rows(b), 1, 1} }}}
}

// rowsOf is how many rows a value has in a bucket.
func (f *filler) rowsOf(v engine.ValueID) func(bucket) int {
	switch f.Program.Value(v).Rows {
	case engine.PerOutput:
		return func(b bucket) int { return b.outputs }
	case engine.PerSequence:
		return func(b bucket) int { return b.sequences }
	}
	return func(b bucket) int { return b.rows }
}
