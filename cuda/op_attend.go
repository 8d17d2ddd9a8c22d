//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

var attendBlock = grid{C.ATTEND_THREADS, 1, 1}

// attendLaunches takes sequences with one row split by split, side by side, since a decode step has few rows; rows
// of longer chunks are many enough to walk their splits alone.
func attendLaunches(f *filler, ph lowering.Phase) []launch {
	o := ph.Op.(engine.Attend)
	fill := func(c *C.struct_phase) {
		p := opOf[C.struct_op_attend](c)
		p.q, p.out, p.turn = f.value(o.Q), f.value(o.Out), f.turn(o.Norm, o.Epsilon, ph.Rope)
		p.group, p.layer, p.heads = f.group(o.Group), C.int32_t(o.Layer-1), C.int32_t(o.Heads)
		p.scale, p.softcap = C.float(o.Scale), C.float(o.Softcap)
		p.splits = C.int32_t(f.splits(f.options))
		point(&p.partials, f.buffers.partials)
	}
	return []launch{
		{name: ph.Name, kernel: "attend_splits", block: attendBlock, fill: fill, size: func(b bucket) grid {
			return grid{b.sequences, o.Heads, b.splits}
		}},
		{name: ph.Name, kernel: "attend_merge", block: rowBlock, fill: fill, size: func(b bucket) grid {
			return grid{b.sequences, o.Heads, min(b.splits, 1)}
		}},
		{name: ph.Name, kernel: "attend_rows", block: attendBlock, fill: fill, size: func(b bucket) grid {
			if !b.many {
				return grid{}
			}
			return grid{b.rows, o.Heads, 1}
		}},
	}
}

func showAttend(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Attend)
	g := s.Program.Group(o.Group)
	row.Kernel, row.Chunks = "attend", fmt.Sprintf("1 head x %d positions", C.SPLIT_TOKENS)
	row.MACs = int64(o.Heads) * int64(g.KeyWidth+g.ValueWidth)
}
