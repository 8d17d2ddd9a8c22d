//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func embedLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Embed)
	return f.perRow(ph, "embed", o.Out, func(c *C.struct_phase) {
		p := opOf[C.struct_op_embed](c)
		p.out, p.table, p.scale = f.value(o.Out), f.matrix(o.Table), C.float(o.Scale)
		f.plain(&p.positions, o.Positions)
	})
}

func showEmbed(s *showing, ph lowering.Phase, row *engine.Phase) {
	table := ph.Op.(engine.Embed).Table
	row.Kernel, row.ReadBytes = "embed "+s.form(table), int64(s.weights[table-1].matrix.group_bytes)/group
}
