package cgo

// #include <stdlib.h>
// #include "step.h"
// #include "rope.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns writing the plan down for C: values, ropes, phases. All of it is allocated once, by
// C, and freed with the instance.

// calloc returns n zeroed C structures that live until the instance is freed.
func calloc[T any](in *instance, n int) []T {
	var zero T
	p := C.calloc(C.size_t(max(n, 1)), C.size_t(unsafe.Sizeof(zero)))
	in.callocs = append(in.callocs, p)
	return unsafe.Slice((*T)(p), n)
}

func (in *instance) fill(kernels *C.struct_kernels) {
	in.c = &calloc[C.struct_instance](in, 1)[0]
	in.values = calloc[C.struct_value](in, len(in.Program.Values))
	for i, v := range in.Program.Values {
		in.values[i] = C.struct_value{data: floats(in.buffers.values[i]), width: C.int32_t(v.Width)}
		if v.Output {
			in.values[i].per_output = 1
		}
	}
	in.fillRopes()
	phases := calloc[C.struct_phase](in, len(in.Phases))
	for i, ph := range in.Phases {
		in.fillPhase(&phases[i], ph)
	}
	in.fillInstance(kernels, phases)
}

func (in *instance) fillInstance(kernels *C.struct_kernels, phases []C.struct_phase) {
	b, c := in.buffers, in.c
	c.kernels = kernels
	c.kv = kvLayout(in.Program, in.sizes.Policy.KV)
	c.pages = (*C.uint8_t)(in.kvRegion.Pointer())
	c.phases, c.phase_count = unsafe.SliceData(phases), C.int32_t(len(phases))
	c.vocab, c.threads = C.int32_t(in.Program.Vocab), C.int32_t(in.sizes.Threads)
	c.acts = C.struct_acts{
		q: (*C.int8_t)(unsafe.Pointer(unsafe.SliceData(b.q))), d: floats(b.d), sum: floats(b.sum),
		half_sum: floats(b.halfSum), offset: ints(b.offset), half_offset: ints(b.halfOff),
		blocks: C.int32_t(in.blocks()),
	}
	c.tiles, c.logits = floats(b.tiles), floats(b.logits)
	c.sample_scratch = (*C.uint8_t)(b.scratch)
	c.sample_scratch_bytes = C.int64_t(scratchBytes(in.Program.Vocab))
	c.query_tiles = unsafe.SliceData(b.tilesList)
	c.whole_row = ints(b.wholeRow)
}

func (in *instance) fillRopes() {
	in.ropeTables = calloc[C.struct_rope](in, len(in.Ropes))
	for i, r := range in.Ropes {
		scaling := C.struct_rope_scaling{
			base: C.double(r.Base), scale: C.double(r.Scale), extension: C.double(r.Extension),
			low: C.double(r.Low), high: C.double(r.High),
		}
		if r.Factors != engine.NoWeight {
			scaling.factors = floats(in.packed[r.Factors].plain)
		}
		frequency := calloc[C.float](in, r.Dim/2)
		C.rope_frequencies(&scaling, C.int(r.Dim), unsafe.SliceData(frequency))
		in.ropeTables[i] = C.struct_rope{
			frequency: unsafe.SliceData(frequency), cosine: floats(in.buffers.angles[i][0]),
			sine: floats(in.buffers.angles[i][1]), dim: C.int32_t(r.Dim), style: C.int32_t(r.Style),
			magnitude: C.float(r.Magnitude),
		}
	}
}

func (in *instance) fillPhase(c *C.struct_phase, ph lowering.Phase) {
	c.kind = C.int32_t(ph.Kind)
	if ph.Kind == lowering.RopeTable {
		c.rope = &in.ropeTables[ph.Rope]
		return
	}
	switch o := ph.Op.(type) {
	case engine.Embed:
		c.out, c.table, c.scale = in.value(o.Out), in.packed[o.Table].matrix, C.float(o.Scale)
		c.positions = in.plainOf(o.Positions)
	case engine.Norm:
		c.in, c.out, c.residual = in.value(o.In), in.value(o.Out), in.value(o.Residual)
		c.norm, c.epsilon = C.int32_t(o.Kind), C.float(o.Epsilon)
		c.gamma, c.beta = in.plainOf(o.Gamma), in.plainOf(o.Beta)
		if ph.Quantise {
			c.quantise = 1
		}
	case engine.Linears:
		in.fillLinears(c, o)
	case engine.Attend:
		in.fillAttend(c, ph, o)
	case engine.Add:
		c.in, c.in2, c.out = in.value(o.A), in.value(o.B), in.value(o.Out)
	case engine.Rows:
		c.in, c.out = in.value(o.In), in.value(o.Out)
	case engine.Head:
		c.in, c.scale, c.softcap = in.value(o.In), C.float(o.Scale), C.float(o.Softcap)
		head := calloc[C.struct_linear](in, 1)
		head[0].weight, head[0].bias = in.packed[o.Weight].matrix, in.plainOf(o.Bias)
		c.linear, c.linears = unsafe.SliceData(head), 1
	default:
		c.in = in.value(ph.In)
	}
}

func (in *instance) fillLinears(c *C.struct_phase, o engine.Linears) {
	linears := calloc[C.struct_linear](in, len(o.Outputs))
	for i, l := range o.Outputs {
		linears[i] = C.struct_linear{
			weight: in.packed[l.Weight].matrix, bias: in.plainOf(l.Bias), residual: in.value(l.Residual),
			out: in.value(l.Out), activation: C.int32_t(l.Activation),
		}
		if l.Gate != engine.NoWeight {
			linears[i].gate, linears[i].gate_bias = in.packed[l.Gate].matrix, in.plainOf(l.GateBias)
		}
	}
	c.in, c.linear, c.linears = in.value(o.In), unsafe.SliceData(linears), C.int32_t(len(linears))
}

func (in *instance) fillAttend(c *C.struct_phase, ph lowering.Phase, o engine.Attend) {
	c.layer, c.heads, c.window = C.int32_t(o.Layer), C.int32_t(o.Heads), C.int32_t(o.Window)
	c.scale, c.softcap, c.epsilon = C.float(o.Scale), C.float(o.Softcap), C.float(o.Epsilon)
	if ph.Rope >= 0 {
		c.rope = &in.ropeTables[ph.Rope]
	}
	if ph.Kind == lowering.Attend {
		c.in, c.out = in.value(o.Q), in.value(o.Out)
		return
	}
	c.out, c.in, c.in2 = in.value(o.Q), in.value(o.K), in.value(o.V)
	c.gamma, c.beta = in.plainOf(o.QNorm), in.plainOf(o.KNorm)
}

func (in *instance) value(id engine.ValueID) *C.struct_value {
	if id == engine.NoValue {
		return nil
	}
	return &in.values[id]
}

func (in *instance) plainOf(id engine.WeightID) *C.float {
	if id == engine.NoWeight {
		return nil
	}
	return floats(in.packed[id].plain)
}

func floats(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

func ints(s []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(s))) }
