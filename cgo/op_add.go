package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillAdd(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Add)
	*opOf[C.struct_op_add](c) = C.struct_op_add{a: f.value(o.A), b: f.value(o.B), out: f.value(o.Out)}
}

func showAdd(s *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "add " + s.isa }
