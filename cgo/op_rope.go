package cgo

// #include "step.h"
// #include "rope.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

func fillRope(f *filling, c *C.struct_phase, ph lowering.Phase) {
	*opOf[C.struct_op_rope](c) = C.struct_op_rope{rope: f.rope(ph.Rope)}
}

func showRope(_ *showing, _ lowering.Phase, row *engine.Phase) { row.Kernel = "rope table" }

// fillRopes forms the frequencies, which depend on weights where a model has factors.
func (f *filling) fillRopes(ropes []engine.Rope, angles [][2][]float32) {
	f.ropes = calloc[C.struct_rope](f.memory, len(ropes))
	for i, r := range ropes {
		scaling := C.struct_rope_scaling{
			base: C.double(r.Base), scale: C.double(r.Scale), extension: C.double(r.Extension),
			low: C.double(r.Low), high: C.double(r.High), factors: f.plain(r.Factors),
		}
		frequency := calloc[C.float](f.memory, r.Dim/2)
		C.rope_frequencies(&scaling, C.int(r.Dim), unsafe.SliceData(frequency))
		f.ropes[i] = C.struct_rope{
			frequency: unsafe.SliceData(frequency), cosine: floats(angles[i][0]), sine: floats(angles[i][1]),
			dim: C.int32_t(r.Dim), style: C.int32_t(r.Style), magnitude: C.float(r.Magnitude),
		}
	}
}

// rope is a rope of the plan by index, or nil.
func (f *filling) rope(i int) *C.struct_rope {
	if i == lowering.NoRope {
		return nil
	}
	return &f.ropes[i]
}

// turn is what happens to each head of Q or K.
func (f *filling) turn(norm engine.WeightID, epsilon float32, rope int) C.struct_turn {
	return C.struct_turn{gamma: f.plain(norm), rope: f.rope(rope), epsilon: C.float(epsilon)}
}
