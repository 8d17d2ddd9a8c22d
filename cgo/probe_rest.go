package cgo

/*
#include "dmath.h"
#include "random.h"
#include "rope.h"
#include "step.h"
#include "vec.h"
#include "vmath_body.h"
#include <stdatomic.h>

static float probe_peak(const struct kernels *k, const float *x, int n) { return k->sample.peak(x, n); }
static float probe_sum_exp(const struct kernels *k, const float *x, int n, float peak) { return k->sample.sum_exp(x, n, peak); }
static int probe_first_at(const struct kernels *k, const float *x, int n, float v) { return k->sample.first_at(x, n, v); }
static int probe_count_above(const struct kernels *k, const float *x, int n, float v) { return k->sample.count_above(x, n, v); }
static void probe_top(const struct kernels *k, const float *x, int n, int count, struct top_token *out) { k->sample.top(x, n, count, out); }

// v_erf alone: no table offers it, GELU uses it.
static float probe_erf(float x)
{
	float lanes[LANES];
	v_store(lanes, v_erf(v_set1(x)));
	return lanes[0];
}

// A run whose workers check, behind each barrier, that every chunk before it is done.
struct probe_barriers {
	struct pool *pool;
	int chunks, phases;
	_Atomic int32_t *done; // (phases, chunks)
	_Atomic int32_t early, walks;
};

static void probe_walk(void *arg, int worker)
{
	struct probe_barriers *r = arg;
	for (int p = 0; p < r->phases; p++) {
		int c;
		while ((c = pool_claim(r->pool)) < r->chunks)
			atomic_fetch_add(&r->done[p * r->chunks + c], 1);
		pool_barrier(r->pool);
		for (c = 0; c < r->chunks; c++)
			if (atomic_load(&r->done[p * r->chunks + c]) != 1)
				atomic_fetch_add(&r->early, 1);
	}
	atomic_fetch_add(&r->walks, 1);
}

static int probe_barrier_run(int threads, int runs, int chunks, int phases, int32_t *done)
{
	struct pool *pool = pool_start(threads);
	int walks = 0;
	for (int i = 0; pool && i < runs && walks >= 0; i++) {
		struct probe_barriers r = {.pool = pool, .chunks = chunks, .phases = phases, .done = (_Atomic int32_t *)done};
		for (int c = 0; c < chunks * phases; c++)
			done[c] = 0;
		pool_run(pool, probe_walk, &r);
		walks = atomic_load(&r.early) ? -1 : walks + atomic_load(&r.walks);
	}
	if (pool)
		pool_stop(pool);
	return pool ? walks : -2;
}
*/
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the rest of what tests see of C: the passes of sampling, rotary tables, erf, the
// barrier, the constants that Go and C both state.

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

func probeErf(x float32) float32 { return float32(C.probe_erf(C.float(x))) }

func probePow(x, y float64) float64 { return float64(C.d_pow(C.double(x), C.double(y))) }

func probeUniform(seed uint64, choice, position uint32) float64 {
	return float64(C.random_uniform(C.uint64_t(seed), C.uint32_t(choice), C.uint32_t(position)))
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

// clearAfter zeroes what the page holds behind slot.
func (c probeCache) clearAfter(page, slot int) {
	C.kv_clear_after(c.layout, (*C.uint8_t)(unsafe.SliceData(c.pages[page*int(c.layout.page_bytes):])), C.int(slot))
}

// probeBarriers runs a pool of threads `runs` times over phases of chunks. It returns how many workers
// came through in all, -1 if a chunk was not done just once when a barrier opened, -2 without threads.
func probeBarriers(m *probeMemory, threads, runs, chunks, phases int) int {
	return int(C.probe_barrier_run(C.int(threads), C.int(runs), C.int(chunks), C.int(phases), ints(probeTake[int32](m, chunks*phases))))
}

// probeNumbers are the constants that both sides state: C's, then Go's.
func probeNumbers() map[string][2]int {
	return map[string][2]int{
		"OUTPUT_SAMPLE": {C.OUTPUT_SAMPLE, int(engine.Sample)}, "OUTPUT_SCORE": {C.OUTPUT_SCORE, int(engine.Score)},
		"OUTPUT_WHOLE_ROW": {C.OUTPUT_WHOLE_ROW, int(engine.WholeRow)}, "PAGE_TOKENS": {C.PAGE_TOKENS, engine.PageTokens},
		"NORM_RMS": {C.NORM_RMS, int(engine.RMSNorm)}, "NORM_LAYER": {C.NORM_LAYER, int(engine.LayerNorm)},
		"ACT_IDENTITY": {C.ACT_IDENTITY, int(engine.Identity)}, "ACT_SILU": {C.ACT_SILU, int(engine.SiLU)},
		"ACT_GELU_TANH": {C.ACT_GELU_TANH, int(engine.GELUTanh)}, "ACT_GELU": {C.ACT_GELU, int(engine.GELU)},
		"ROPE_ADJACENT": {C.ROPE_ADJACENT, int(engine.RopeAdjacent)}, "ROPE_HALVES": {C.ROPE_HALVES, int(engine.RopeHalves)},
		"PHASE_ROPE_TABLE": {C.PHASE_ROPE_TABLE, int(lowering.RopeTable)}, "PHASE_EMBED": {C.PHASE_EMBED, int(lowering.Embed)},
		"PHASE_NORM": {C.PHASE_NORM, int(lowering.Norm)}, "PHASE_QUANTISE": {C.PHASE_QUANTISE, int(lowering.Quantise)},
		"PHASE_LINEARS": {C.PHASE_LINEARS, int(lowering.Linears)}, "PHASE_STORE": {C.PHASE_STORE, int(lowering.Store)},
		"PHASE_ATTEND": {C.PHASE_ATTEND, int(lowering.Attend)}, "PHASE_ADD": {C.PHASE_ADD, int(lowering.Add)},
		"PHASE_ROWS": {C.PHASE_ROWS, int(lowering.Rows)}, "PHASE_HEAD": {C.PHASE_HEAD, int(lowering.Head)},
		"PACK_FORMS": {C.PACK_FORMS, len(formNames)},
	}
}
