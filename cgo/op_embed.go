package cgo

// #include "step.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func fillEmbed(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Embed)
	*opOf[C.struct_op_embed](c) = C.struct_op_embed{
		table: f.matrix(o.Table), positions: f.plain(o.Positions), out: f.value(o.Out), scale: C.float(o.Scale),
	}
}

func showEmbed(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Embed)
	row.Kernel = "embed " + s.form(o.Table)
	row.ReadBytes = int64(s.packed[o.Table-1].matrix.group_bytes) / group
}
