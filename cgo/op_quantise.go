package cgo

// #include "step.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

func fillQuantise(f *filling, c *C.struct_phase, ph lowering.Phase) {
	*opOf[C.struct_op_quantise](c) = C.struct_op_quantise{in: f.value(ph.In)}
}

func showQuantise(s *showing, ph lowering.Phase, row *engine.Phase) {
	row.Kernel = "quantise " + s.isa
	if s.Program.Value(ph.In).Rows == engine.PerOutput {
		row.Chunks = fmt.Sprintf("%d output rows", C.ROW_CHUNK)
	}
}
