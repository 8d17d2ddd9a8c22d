package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillRows(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Rows)
	*opOf[C.struct_op_rows](c) = C.struct_op_rows{in: f.value(o.In), out: f.value(o.Out)}
}

func showRows(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "gather" }
