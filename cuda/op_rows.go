//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func rowsLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Rows)
	return f.perRow(ph, "gather", o.Out, func(c *C.struct_phase) {
		*opOf[C.struct_op_rows](c) = C.struct_op_rows{in: f.value(o.In), out: f.value(o.Out)}
	})
}

func showRows(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "gather" }
