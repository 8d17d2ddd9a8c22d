package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillNorm(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Norm)
	*opOf[C.struct_op_norm](c) = C.struct_op_norm{
		in: f.value(o.In), residual: f.value(o.Residual), out: f.value(o.Out), gamma: f.plain(o.Gamma), beta: f.plain(o.Beta),
		epsilon: C.float(o.Epsilon), norm: C.int32_t(o.Kind), quantise: flag(ph.Quantise),
	}
}

func showNorm(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Norm)
	row.Kernel = "norm " + s.isa
	if ph.Quantise {
		row.Kernel = "norm+quantise " + s.isa
	}
	row.ReadBytes = s.bytes(o.Gamma) + s.bytes(o.Beta)
}
