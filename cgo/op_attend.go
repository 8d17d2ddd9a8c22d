package cgo

// #include "step.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

func fillAttend(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Attend)
	*opOf[C.struct_op_attend](c) = C.struct_op_attend{
		q: f.value(o.Q), out: f.value(o.Out), turn: f.turn(o.Norm, o.Epsilon, ph.Rope),
		group: C.int32_t(o.Group - 1), layer: C.int32_t(o.Layer - 1), heads: C.int32_t(o.Heads),
		scale: C.float(o.Scale), softcap: C.float(o.Softcap),
	}
}

func showAttend(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Attend)
	g := s.Program.Group(o.Group)
	row.Kernel = "attend " + s.isa
	row.Chunks = fmt.Sprintf("%d tokens x up to %d heads of 1 kv head", queryTokens, C.QUERY_HEADS)
	row.MACs = int64(o.Heads) * int64(g.KeyWidth+g.ValueWidth)
}
