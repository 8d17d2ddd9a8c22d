//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

// tapLaunches are left out of steps of which nobody asks for taps.
func tapLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Tap)
	fill := func(c *C.struct_phase) {
		*opOf[C.struct_op_tap](c) = C.struct_op_tap{in: f.value(o.In), first: C.int32_t(ph.First), stride: C.int32_t(f.Program.TapWidth())}
	}
	return []launch{{name: ph.Name, kernel: "tap", block: rowBlock, fill: fill, size: func(b bucket) grid {
		if !b.tapped {
			return grid{}
		}
		return grid{b.outputs, 1, 1}
	}}}
}

func showTap(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "copy" }
