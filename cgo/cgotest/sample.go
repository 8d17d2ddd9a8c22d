package cgotest

/*
#include "../isa.h"
#include "../sample.h"

static void probe_weights(const struct kernels *k, float *x, int n, float peak, float temperature) { k->sample.weights(x, n, peak, temperature); }
static float probe_peak(const struct kernels *k, const float *x, int n) { return k->sample.peak(x, n); }
static float probe_sum_exp(const struct kernels *k, const float *x, int n, float peak) { return k->sample.sum_exp(x, n, peak); }
static int probe_first_at(const struct kernels *k, const float *x, int n, float v) { return k->sample.first_at(x, n, v); }
static int probe_count_above(const struct kernels *k, const float *x, int n, float v) { return k->sample.count_above(x, n, v); }
static void probe_top(const struct kernels *k, const float *x, int n, int count, struct top_token *out) { k->sample.top(x, n, count, out); }
static void probe_sample(const struct kernels *k, const float *logits, int vocab, const struct output *o, int position, const struct penalty *p, const struct bias *b, struct result *r, struct top_token *top, void *scratch)
{
	sample_row(&k->sample, logits, vocab, o, position, p, b, r, top, scratch);
}
*/
import "C"

import (
	"unsafe"

	"chimera/engine"
)

// This file owns sampling: its passes over a row of logits, and the whole of it.

// exponentials turns x into e^((x - peak) / temperature).
func (k probeISA) exponentials(x []float32, peak, temperature float32) {
	C.probe_weights(k.k, floats(x), C.int(len(x)), C.float(peak), C.float(temperature))
}

func (k probeISA) peak(x []float32) float32 {
	return float32(C.probe_peak(k.k, floats(x), C.int(len(x))))
}

func (k probeISA) sumExp(x []float32, peak float32) float32 {
	return float32(C.probe_sum_exp(k.k, floats(x), C.int(len(x)), C.float(peak)))
}

func (k probeISA) firstAt(x []float32, value float32) int {
	return int(C.probe_first_at(k.k, floats(x), C.int(len(x)), C.float(value)))
}

func (k probeISA) countAbove(x []float32, value float32) int {
	return int(C.probe_count_above(k.k, floats(x), C.int(len(x)), C.float(value)))
}

func (k probeISA) top(x []float32, out []engine.TopToken) {
	C.probe_top(k.k, floats(x), C.int(len(x)), C.int(len(out)), (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(out))))
}

// probeSampler is a row of logits with all that sampling it takes, so that a benchmark counts no allocation.
type probeSampler struct {
	k       probeISA
	logits  []float32
	o       *C.struct_output
	p       *C.struct_penalty
	b       *C.struct_bias
	result  *engine.Result
	top     []engine.TopToken
	scratch []byte
}

func newProbeSampler(m *probeMemory, k probeISA, logits []float32, o engine.Output, p []engine.Penalty, b []engine.Bias) probeSampler {
	o.PenaltyCount, o.BiasCount = int32(len(p)), int32(len(b))
	return probeSampler{
		k: k, logits: logits, o: (*C.struct_output)(unsafe.Pointer(&probeCopy(m, []engine.Output{o})[0])),
		p:      (*C.struct_penalty)(unsafe.Pointer(unsafe.SliceData(probeCopy(m, p)))),
		b:      (*C.struct_bias)(unsafe.Pointer(unsafe.SliceData(probeCopy(m, b)))),
		result: &probeTake[engine.Result](m, 1)[0], top: probeTake[engine.TopToken](m, int(o.Top)),
		scratch: probeTake[byte](m, int(C.sample_scratch_bytes(C.int(len(logits))))),
	}
}

// token samples the row as that of a position.
func (s probeSampler) token(position int) int32 {
	C.probe_sample(s.k.k, floats(s.logits), C.int(len(s.logits)), s.o, C.int(position), s.p, s.b,
		(*C.struct_result)(unsafe.Pointer(s.result)), (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(s.top))),
		unsafe.Pointer(unsafe.SliceData(s.scratch)))
	return s.result.Token
}

func (k probeISA) sample(m *probeMemory, logits []float32, o engine.Output, position int, p []engine.Penalty, b []engine.Bias) (engine.Result, []engine.TopToken) {
	s := newProbeSampler(m, k, logits, o, p, b)
	s.token(position)
	return *s.result, s.top
}
