package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillTap(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Tap)
	*opOf[C.struct_op_tap](c) = C.struct_op_tap{in: f.value(o.In), first: C.int32_t(ph.First)}
}

func showTap(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "copy" }
