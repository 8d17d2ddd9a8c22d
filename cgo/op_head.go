package cgo

// #include "step.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

func fillHead(f *filling, c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Head)
	*opOf[C.struct_op_head](c) = C.struct_op_head{
		in: f.value(o.In), weight: f.matrix(o.Weight), bias: f.plain(o.Bias), scale: C.float(o.Scale), softcap: C.float(o.Softcap),
	}
}

func showHead(s *showing, ph lowering.Phase, row *engine.Phase) {
	o := ph.Op.(engine.Head)
	row.Kernel = "product " + s.form(o.Weight) + "+sample " + s.isa
	row.Chunks = fmt.Sprintf("%d rows of %d weights", logitRows, tileGroups*group)
	row.ReadBytes, row.MACs = s.bytes(o.Weight), s.MACs(o.Weight)
}
