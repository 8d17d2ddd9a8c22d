//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func addLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Add)
	return f.perRow(ph, "add", o.Out, func(c *C.struct_phase) {
		*opOf[C.struct_op_add](c) = C.struct_op_add{a: f.value(o.A), b: f.value(o.B), out: f.value(o.Out)}
	})
}

func showAdd(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "add" }
