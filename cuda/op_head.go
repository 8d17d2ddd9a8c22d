//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

var sampleBlock = grid{C.SAMPLE_THREADS, 1, 1}

// headLaunches form and sample the logits of headRows output rows at a time.
func headLaunches(f *filler, ph lowering.Phase) (all []launch) {
	o := ph.Op.(engine.Head)
	for first := 0; first < f.options.MaxOutputs; first += headRows {
		rows := func(b bucket) int { return max(0, min(b.outputs-first, headRows)) }
		fill := func(c *C.struct_phase) { f.head(opOf[C.struct_op_head](c), o, first) }
		all = append(all, productOver("head", f.Program.Weight(o.Weight), rows, fill)...)
		all = append(all, launch{name: "sample", kernel: "sample", block: sampleBlock, fill: fill,
			size: func(b bucket) grid { return grid{rows(b), 1, 1} }})
	}
	return all
}

func (f *filler) head(c *C.struct_op_head, o engine.Head, first int) {
	c.in, c.acts, c.weight, c.first_row = f.value(o.In), f.acts(), f.matrix(o.Weight), C.int32_t(first)
	c.scale, c.softcap, c.vocab = C.float(o.Scale), C.float(o.Softcap), C.int32_t(f.Program.Vocab)
	f.plain(&c.bias, o.Bias)
	point(&c.logits, f.buffers.logits)
	point(&c.scratch, f.buffers.scratch)
	c.scratch_bytes = C.int64_t(sampleScratch(f.Program.Vocab))
}

func showHead(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Head)
	row.Kernel, row.Chunks = "head+sample "+s.form(o.Weight), productChunks
	row.ReadBytes, row.MACs = s.bytes(o.Weight), s.MACs(o.Weight)
}
