//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func normLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Norm)
	return f.perRow(ph, "normalise", o.Out, func(c *C.struct_phase) {
		p := opOf[C.struct_op_norm](c)
		p.in, p.out, p.residual, p.acts = f.value(o.In), f.value(o.Out), f.value(o.Residual), f.acts()
		p.kind, p.epsilon = C.int32_t(o.Kind), C.float(o.Epsilon)
		f.plain(&p.gamma, o.Gamma)
		f.plain(&p.beta, o.Beta)
		if ph.Quantise {
			p.quantise = 1
		}
	})
}

func showNorm(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Norm)
	row.Kernel, row.ReadBytes = "norm", s.bytes(o.Gamma, o.Beta)
	if ph.Quantise {
		row.Kernel = "norm+quantise"
	}
}
