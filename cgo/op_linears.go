package cgo

// #include "step.h"
import "C"

import (
	"fmt"
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

func fillLinears(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Linears)
	linears := calloc[C.struct_linear](f.memory, len(o.Outputs))
	for i, l := range o.Outputs {
		linears[i] = C.struct_linear{
			weight: f.matrix(l.Weight), gate: f.matrix(l.Gate), bias: f.plain(l.Bias), gate_bias: f.plain(l.GateBias),
			residual: f.value(l.Residual), out: f.value(l.Out), activation: C.int32_t(l.Activation),
		}
	}
	*opOf[C.struct_op_linears](c) = C.struct_op_linears{
		in: f.value(o.In), linear: unsafe.SliceData(linears), count: C.int32_t(len(linears)),
	}
}

func showLinears(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Linears)
	row.Kernel = "product " + s.form(o.Outputs[0].Weight) + " " + s.isa
	row.Chunks = fmt.Sprintf("%d tokens x up to %d rows", tileTokens, tileGroups*group)
	for _, out := range o.Outputs {
		row.ReadBytes += s.bytes(out.Weight) + s.bytes(out.Gate) + s.bytes(out.Bias) + s.bytes(out.GateBias)
		row.MACs += s.MACs(out.Weight) + s.MACs(out.Gate)
	}
}
