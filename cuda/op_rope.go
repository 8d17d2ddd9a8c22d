//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

func ropeLaunches(f *filler, ph lowering.Phase) []launch {
	return []launch{{name: ph.Name, kernel: "rope_table", block: rowBlock, size: perToken,
		fill: func(c *C.struct_phase) { opOf[C.struct_op_rope](c).rope = f.rope(ph.Rope) }}}
}

// rope describes one of the program's distinct ropes.
func (f *filler) rope(i int) (c C.struct_device_rope) {
	r := f.Ropes[i]
	point(&c.frequency, f.frequencies[i])
	point(&c.cosine, f.buffers.cosines[i])
	point(&c.sine, f.buffers.sines[i])
	c.dim, c.style, c.magnitude = C.int32_t(r.Dim), C.int32_t(r.Style), C.float(r.Magnitude)
	return c
}

func showRope(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "rope table" }
