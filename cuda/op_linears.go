//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

var productBlock = grid{C.PRODUCT_LANES, C.PRODUCT_SLICES, 1}

var productChunks = fmt.Sprintf("%d weight rows x up to %d rows", group, rowTokens)

// linearsLaunches gives each product a launch of its own: their weights may have different forms.
func linearsLaunches(f *filler, ph lowering.Phase) (all []launch) {
	o := ph.Op.(engine.Linears)
	for _, out := range o.Outputs {
		fill := func(c *C.struct_phase) { f.linear(opOf[C.struct_op_linear](c), o.In, out) }
		all = append(all, productOver("product", f.Program.Weight(out.Weight), f.rowsOf(o.In), fill)...)
	}
	return all
}

func (f *filler) linear(c *C.struct_op_linear, in engine.ValueID, l engine.Linear) {
	c.in, c.out, c.residual, c.acts = f.value(in), f.value(l.Out), f.value(l.Residual), f.acts()
	c.weight, c.gate, c.activation = f.matrix(l.Weight), f.matrix(l.Gate), C.int32_t(l.Activation)
	f.plain(&c.bias, l.Bias)
	f.plain(&c.gate_bias, l.GateBias)
}

// productOver is a product in its two shapes, one of which has a grid in each bucket: product_many shares
// each weight among PRODUCT_TOKENS rows, product_one has no idle threads when rows are few. Both
// form the same sums, so the choice never shows in a result.
func productOver(kernel string, w engine.Weight, rows func(bucket) int, fill func(*C.struct_phase)) []launch {
	groups := (w.Rows + group - 1) / group
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

func showLinears(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Linears)
	row.Kernel, row.Chunks = "product "+s.form(o.Outputs[0].Weight), productChunks
	for _, out := range o.Outputs {
		row.ReadBytes += s.bytes(out.Weight, out.Gate, out.Bias, out.GateBias)
		row.MACs += s.MACs(out.Weight) + s.MACs(out.Gate)
	}
}
