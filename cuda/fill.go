//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns writing launches down for the kernels: each gets a struct phase, all of them off the Go
// heap, since they are full of device addresses.

// filler knows where everything of an instance lies.
type filler struct {
	*lowered
	options engine.LoadOptions
	buffers *buffers
	weights []weight
	pages   Pointer
}

// common is what every launch's struct holds.
func (f *filler) common(c *C.struct_phase) {
	b := f.buffers
	point(&c.batch, b.batch)
	point(&c.acts.q, b.q)
	point(&c.acts.d, b.d)
	point(&c.acts.sum, b.sum)
	point(&c.acts.half_sum, b.halfSum)
	c.acts.blocks = C.int32_t(f.blocks())
	c.vocab = C.int32_t(f.Program.Vocab)
}

// value describes an activation; NoValue gives one without data.
func (f *filler) value(id engine.ValueID) (v C.struct_device_value) {
	if id == engine.NoValue {
		return v
	}
	point(&v.data, f.buffers.values[id])
	v.width = C.int32_t(f.Program.Values[id].Width)
	if f.Program.Values[id].Output {
		v.per_output = 1
	}
	return v
}

func (f *filler) plain(field **C.float, id engine.WeightID) {
	if id != engine.NoWeight {
		point(field, f.weights[id].plain)
	}
}

func (f *filler) rope(c *C.struct_phase, i int) {
	if i < 0 {
		return
	}
	r := f.Ropes[i]
	point(&c.rope.frequency, f.buffers.frequencies[i])
	point(&c.rope.cosine, f.buffers.cosines[i])
	point(&c.rope.sine, f.buffers.sines[i])
	c.rope.dim, c.rope.style, c.rope.magnitude = C.int32_t(r.Dim), C.int32_t(r.Style), C.float(r.Magnitude)
}

func (f *filler) embed(c *C.struct_phase, o engine.Embed) {
	c.out, c.table, c.scale = f.value(o.Out), f.weights[o.Table].matrix, C.float(o.Scale)
	f.plain(&c.positions, o.Positions)
}

func (f *filler) norm(c *C.struct_phase, o engine.Norm, quantise bool) {
	c.in, c.out, c.residual = f.value(o.In), f.value(o.Out), f.value(o.Residual)
	c.norm, c.epsilon = C.int32_t(o.Kind), C.float(o.Epsilon)
	f.plain(&c.gamma, o.Gamma)
	f.plain(&c.beta, o.Beta)
	if quantise {
		c.quantise = 1
	}
}

func (f *filler) product(c *C.struct_phase, in engine.ValueID, l engine.Linear) {
	c.in, c.out, c.residual = f.value(in), f.value(l.Out), f.value(l.Residual)
	c.weight, c.activation = f.weights[l.Weight].matrix, C.int32_t(l.Activation)
	if l.Gate != engine.NoWeight {
		c.gate = f.weights[l.Gate].matrix
		f.plain(&c.gate_bias, l.GateBias)
	}
	f.plain(&c.bias, l.Bias)
}

func (f *filler) store(c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Attend)
	f.cache(c, ph, o)
	c.out, c.in, c.in2 = f.value(o.Q), f.value(o.K), f.value(o.V)
	f.plain(&c.gamma, o.QNorm)
	f.plain(&c.beta, o.KNorm)
}

func (f *filler) attention(c *C.struct_phase, ph lowering.Phase) {
	o := ph.Op.(engine.Attend)
	f.cache(c, ph, o)
	c.in, c.out = f.value(o.Q), f.value(o.Out)
	c.splits = C.int32_t(splits(f.options))
	point(&c.partials, f.buffers.partials)
}

// cache is what writing and reading pages have in common.
func (f *filler) cache(c *C.struct_phase, ph lowering.Phase, o engine.Attend) {
	c.layer, c.heads, c.window = C.int32_t(o.Layer), C.int32_t(o.Heads), C.int32_t(o.Window)
	c.scale, c.softcap, c.epsilon = C.float(o.Scale), C.float(o.Softcap), C.float(o.Epsilon)
	c.kv = kvLayout(f.Program, f.options.Policy.KV)
	point(&c.pages, f.pages)
	f.rope(c, ph.Rope)
}

func (f *filler) logitsOf(c *C.struct_phase, o engine.Head, first int) {
	c.in, c.weight, c.first_row = f.value(o.In), f.weights[o.Weight].matrix, C.int32_t(first)
	c.scale, c.softcap = C.float(o.Scale), C.float(o.Softcap)
	f.plain(&c.bias, o.Bias)
	point(&c.logits, f.buffers.logits)
	point(&c.scratch, f.buffers.scratch)
	c.scratch_bytes = C.int64_t(sampleScratch(f.Program.Vocab))
}
