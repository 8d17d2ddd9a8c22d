//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the way from phases to launches: which kernel, over which grid, with which struct.

// bucket is the shape that a captured graph was made for; steps are rounded up to one. Kernels look at
// the step's own counts, so a row beyond them costs one comparison.
type bucket struct {
	rows, sequences, outputs int
	splits                   int  // of the longest sequence that has one row; 0: there is none
	many                     bool // some sequence has several rows
}

// grid is a launch's size in thread blocks; zeros leave the launch out.
type grid [3]int

// launch is one kernel of a step.
type launch struct {
	name   string // of the phase, for plans and errors
	kernel string
	block  grid
	size   func(bucket) grid
	fill   func(*C.struct_phase)
}

var (
	rowBlock     = grid{C.ROW_THREADS, 1, 1}
	productBlock = grid{C.PRODUCT_LANES, C.PRODUCT_SLICES, 1}
	attendBlock  = grid{C.ATTEND_THREADS, 1, 1}
	sampleBlock  = grid{C.SAMPLE_THREADS, 1, 1}
)

func perToken(b bucket) grid { return grid{b.rows, 1, 1} }

func perOutput(b bucket) grid { return grid{b.outputs, 1, 1} }

// launches lowers the phases; what a launch's struct holds is written when its fill is called.
func (f *filler) launches() []launch {
	all := []launch{{name: "batch", kernel: "prepare", block: grid{256, 1, 1}, fill: func(*C.struct_phase) {},
		size: func(bucket) grid { return grid{1, 1, 1} }}}
	for _, ph := range f.Phases {
		all = append(all, f.lower(ph)...)
	}
	return all
}

func (f *filler) lower(ph lowering.Phase) []launch {
	row := func(kernel string, over engine.ValueID, fill func(*C.struct_phase)) []launch {
		return []launch{{name: ph.Name, kernel: kernel, block: rowBlock, size: f.rowsOf(over), fill: fill}}
	}
	switch ph.Kind {
	case lowering.RopeTable:
		return []launch{{name: ph.Name, kernel: "rope_table", block: rowBlock, size: perToken,
			fill: func(c *C.struct_phase) { f.rope(c, ph.Rope) }}}
	case lowering.Quantise:
		return row("quantise", ph.In, func(c *C.struct_phase) { c.in = f.value(ph.In) })
	case lowering.Linears:
		return f.linears(ph)
	case lowering.Store:
		return []launch{{name: ph.Name, kernel: "store", block: rowBlock, size: perToken,
			fill: func(c *C.struct_phase) { f.store(c, ph) }}}
	case lowering.Attend:
		return f.attend(ph)
	case lowering.Head:
		return f.head(ph)
	}
	switch o := ph.Op.(type) {
	case engine.Embed:
		return row("embed", o.Out, func(c *C.struct_phase) { f.embed(c, o) })
	case engine.Norm:
		return row("normalise", o.Out, func(c *C.struct_phase) { f.norm(c, o, ph.Quantise) })
	case engine.Add:
		return row("add", o.Out, func(c *C.struct_phase) { c.in, c.in2, c.out = f.value(o.A), f.value(o.B), f.value(o.Out) })
	case engine.Rows:
		return row("gather", o.Out, func(c *C.struct_phase) { c.in, c.out = f.value(o.In), f.value(o.Out) })
	}
	return nil // lowering knows no other
}

func (f *filler) rowsOf(v engine.ValueID) func(bucket) grid {
	if f.Program.Values[v].Output {
		return perOutput
	}
	return perToken
}

// linears gives each product a launch of its own: their weights may have different forms.
func (f *filler) linears(ph lowering.Phase) (all []launch) {
	o := ph.Op.(engine.Linears)
	rows := f.rowsOf(o.In)
	for _, out := range o.Outputs {
		fill := func(c *C.struct_phase) { f.product(c, o.In, out) }
		all = append(all, f.productOver("product", f.Program.Weights[out.Weight], func(b bucket) int { return rows(b)[0] }, fill)...)
	}
	return all
}

// productOver is a product in its two shapes, one of which has a grid in each bucket: product_many shares
// each weight among PRODUCT_TOKENS rows, product_one has no idle threads when rows are few. Both
// form the same sums, so the choice never shows in a result.
func (f *filler) productOver(kernel string, w engine.Weight, rows func(bucket) int, fill func(*C.struct_phase)) []launch {
	groups := int((w.Rows + group - 1) / group)
	one := func(b bucket) grid {
		if n := rows(b); n > 0 && n < rowTokens {
			return grid{groups, n, 1}
		}
		return grid{}
	}
	many := func(b bucket) grid {
		if n := rows(b); n >= rowTokens {
			return grid{groups, (n + rowTokens - 1) / rowTokens, 1}
		}
		return grid{}
	}
	return []launch{
		{name: w.Name, kernel: kernel + "_one", block: productBlock, size: one, fill: fill},
		{name: w.Name, kernel: kernel + "_many", block: productBlock, size: many, fill: fill},
	}
}

// attend takes sequences with one row split by split, side by side, since a decode step has few rows; rows
// of longer chunks are many enough to walk their splits alone.
func (f *filler) attend(ph lowering.Phase) []launch {
	heads := int(ph.Op.(engine.Attend).Heads)
	fill := func(c *C.struct_phase) { f.attention(c, ph) }
	return []launch{
		{name: ph.Name, kernel: "attend_splits", block: attendBlock, fill: fill, size: func(b bucket) grid {
			return grid{b.sequences, heads, b.splits}
		}},
		{name: ph.Name, kernel: "attend_merge", block: rowBlock, fill: fill, size: func(b bucket) grid {
			return grid{b.sequences, heads, min(b.splits, 1)}
		}},
		{name: ph.Name, kernel: "attend_rows", block: attendBlock, fill: fill, size: func(b bucket) grid {
			if !b.many {
				return grid{}
			}
			return grid{b.rows, heads, 1}
		}},
	}
}

// head forms and samples the logits of headRows output rows at a time.
func (f *filler) head(ph lowering.Phase) (all []launch) {
	o := ph.Op.(engine.Head)
	for first := int(0); first < int(f.options.MaxOutputs); first += headRows {
		rows := func(b bucket) int { return max(0, min(b.outputs-first, headRows)) }
		fill := func(c *C.struct_phase) { f.logitsOf(c, o, first) }
		all = append(all, f.productOver("head", f.Program.Weights[o.Weight], rows, fill)...)
		all = append(all, launch{name: "sample", kernel: "sample", block: sampleBlock, fill: fill,
			size: func(b bucket) grid { return grid{rows(b), 1, 1} }})
	}
	return all
}

// empty tells whether the grid leaves its launch out.
func (g grid) empty() bool { return g[0] == 0 || g[1] == 0 || g[2] == 0 }
