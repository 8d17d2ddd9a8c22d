package cgotest

/*
#include "../isa.h"
#include "../rope.h"

static void probe_norm(const struct kernels *k, int kind, const float *x, const float *gamma, const float *beta, const float *residual, float epsilon, int n, float *out)
{
	k->row.norm(kind, x, gamma, beta, residual, epsilon, n, out);
}
static void probe_epilogue(const struct kernels *k, float *out, const float *acc, const float *gate, const float *bias, const float *residual, int activation, int n)
{
	k->row.epilogue(out, acc, gate, bias, residual, activation, n);
}
static void probe_logits(const struct kernels *k, float *x, const float *bias, float scale, float softcap, int n) { k->row.logits(x, bias, scale, softcap, n); }
static void probe_add(const struct kernels *k, float *out, const float *a, const float *b, int n) { k->row.add(out, a, b, n); }
static void probe_scale(const struct kernels *k, float *x, float by, int n) { k->row.scale(x, by, n); }
static void probe_rope(const struct kernels *k, float *head, const float *cosine, const float *sine, int dim, int style) { k->row.rope(head, cosine, sine, dim, style); }
*/
import "C"

import "chimera/engine"

// This file owns the kernels that work on one row, and the tables of rotary positions.

func (k probeISA) norm(kind engine.NormKind, x, gamma, beta, residual []float32, epsilon float32, out []float32) {
	C.probe_norm(k.k, C.int(kind), floats(x), floats(gamma), floats(beta), floats(residual), C.float(epsilon), C.int(len(x)), floats(out))
}

func (k probeISA) epilogue(out, acc, gate, bias, residual []float32, a engine.Activation) {
	C.probe_epilogue(k.k, floats(out), floats(acc), floats(gate), floats(bias), floats(residual), C.int(a), C.int(len(out)))
}

func (k probeISA) logits(x, bias []float32, scale, softcap float32) {
	C.probe_logits(k.k, floats(x), floats(bias), C.float(scale), C.float(softcap), C.int(len(x)))
}

func (k probeISA) add(out, a, b []float32) {
	C.probe_add(k.k, floats(out), floats(a), floats(b), C.int(len(out)))
}

func (k probeISA) scale(x []float32, by float32) {
	C.probe_scale(k.k, floats(x), C.float(by), C.int(len(x)))
}

func (k probeISA) rope(head, cosine, sine []float32, dim int, style engine.RopeStyle) {
	C.probe_rope(k.k, floats(head), floats(cosine), floats(sine), C.int(dim), C.int(style))
}

// probeRope makes the tables of a rotary embedding for one position; factors is (Dim/2) or nil.
func probeRope(m *probeMemory, r engine.Rope, factors []float32, position int) (frequency, cosine, sine []float32) {
	s := &probeTake[C.struct_rope_scaling](m, 1)[0]
	*s = C.struct_rope_scaling{base: C.double(r.Base), scale: C.double(r.Scale), extension: C.double(r.Extension),
		low: C.double(r.Low), high: C.double(r.High), factors: floats(probeCopy(m, factors))}
	half := r.Dim / 2
	frequency, cosine, sine = probeTake[float32](m, half), probeTake[float32](m, half), probeTake[float32](m, half)
	C.rope_frequencies(s, C.int(r.Dim), floats(frequency))
	for i := range half {
		C.rope_angle(C.int(position), C.float(frequency[i]), C.float(r.Magnitude), floats(cosine[i:]), floats(sine[i:]))
	}
	return frequency, cosine, sine
}
