//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func quantiseLaunches(f *filler, ph lowering.Phase) []launch {
	return f.perRow(ph, "quantise", ph.In, func(c *C.struct_phase) {
		p := opOf[C.struct_op_quantise](c)
		p.in, p.acts = f.value(ph.In), f.acts()
	})
}

func showQuantise(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "quantise" }
