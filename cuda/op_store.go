//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func storeLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Store)
	heads := f.Program.Group(o.Group).Heads
	return []launch{{name: ph.Name, kernel: "store", block: rowBlock,
		size: func(b bucket) grid { return grid{b.rows, heads, 1} },
		fill: func(c *C.struct_phase) {
			p := opOf[C.struct_op_store](c)
			p.k, p.v, p.turn = f.value(o.K), f.value(o.V), f.turn(o.Norm, o.Epsilon, ph.Rope)
			p.group, p.layer = f.group(o.Group), C.int32_t(o.Layer-1)
		}}}
}

func showStore(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "store" }
