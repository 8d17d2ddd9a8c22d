package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillStore(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Store)
	*opOf[C.struct_op_store](c) = C.struct_op_store{
		k: f.value(o.K), v: f.value(o.V), turn: f.turn(o.Norm, o.Epsilon, ph.Rope),
		group: C.int32_t(o.Group - 1), layer: C.int32_t(o.Layer - 1),
	}
}

func showStore(s *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "kv store " + s.isa }
