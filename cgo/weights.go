package cgo

// #include "pack.h"
import "C"

import (
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the weights of one generation: where each lies.

// weights are packed tensors. Nothing writes them once they are loaded.
type weights struct {
	region *hostmem.Region
	packed []packedWeight // in the order of Program.Weights
	digest string
}

// packedWeight is where a weight goes: interleaved for products and tables, plain for vectors and
// learned positions, which are read row by row.
type packedWeight struct {
	matrix C.struct_packed
	plain  []float32
}

func newWeights(l *lowered, options ...hostmem.Option) (*weights, error) {
	need := &hostmem.Carver{}
	carveWeights(need, l)
	region, err := hostmem.Alloc(hostmem.Weights, need.Need(), options...)
	if err != nil {
		return nil, err
	}
	return &weights{region: region, packed: carveWeights(hostmem.NewCarver(region), l)}, nil
}

func (w *weights) free() error { return w.region.Free() }

func carveWeights(c *hostmem.Carver, l *lowered) []packedWeight {
	plain := lowering.PlainWeights(l.Program)
	packed := make([]packedWeight, len(l.Program.Weights))
	for i, w := range l.Program.Weights {
		if plain[i] {
			packed[i].plain = hostmem.Take[float32](c, w.Rows*w.Cols)
			continue
		}
		m := C.struct_packed{form: C.int32_t(C.gguf_form(C.uint32_t(l.Tensors[i].Type)))}
		m.rows, m.cols = C.int32_t(w.Rows), C.int32_t(w.Cols)
		m.groups = C.int32_t(padded(w.Rows) / group)
		m.group_bytes = C.pack_group_bytes(C.int(m.form), C.int(w.Cols))
		m.data = (*C.uint8_t)(c.Bytes(int64(m.groups) * int64(m.group_bytes)))
		packed[i].matrix = m
	}
	return packed
}

func (w packedWeight) bytes() int64 {
	return int64(len(w.plain))*4 + int64(w.matrix.groups)*int64(w.matrix.group_bytes)
}
