package cgo

/*
#include "dmath.h"
#include "half.h"
#include "isa.h"
#include "pack.h"
#include "pool.h"
#include "random.h"
#include "rope.h"
#include "step.h"
#include <stdlib.h>

static void probe_product(const struct kernels *k, const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out, int ld)
{
	k->product.product[w->form](w, x, g0, g1, t0, t1, out, ld);
}
static void probe_quantise(const struct kernels *k, const struct acts *a, int t, const float *x, int n) { k->product.quantise(a, t, x, n); }
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
static void probe_store(const struct kernels *k, const struct kv_layout *l, uint8_t *head, int slot, const float *key, const float *value) { k->attend.store(l, head, slot, key, value); }
static void probe_attend(const struct kernels *k, const struct attend_args *a) { k->attend.attend(a); }
static void probe_weights(const struct kernels *k, float *x, int n, float peak, float temperature) { k->sample.weights(x, n, peak, temperature); }
static void probe_sample(const struct kernels *k, const float *logits, int vocab, const struct output *o, int position, const struct penalty *p, const struct bias *b, struct result *r, struct top_token *top, void *scratch)
{
	sample_row(&k->sample, logits, vocab, o, position, p, b, r, top, scratch);
}
static float probe_half_to_float(uint16_t h) { return half_to_float(h); }
static uint16_t probe_float_to_half(float f) { return float_to_half(f); }

struct probe_run {
	struct pool *pool;
	int32_t *counts;
	int phases, chunks;
};
static void probe_worker(void *arg, int worker)
{
	struct probe_run *r = arg;
	(void)worker;
	for (int phase = 0; phase < r->phases; phase++) {
		for (int c = pool_claim(r->pool); c < r->chunks; c = pool_claim(r->pool))
			__atomic_fetch_add(&r->counts[phase * r->chunks + c], 1, __ATOMIC_RELAXED);
		pool_barrier(r->pool);
	}
}
static int probe_pool(int threads, int runs, int phases, int chunks, int32_t *counts)
{
	struct pool *p = pool_start(threads);
	struct probe_run r = {p, counts, phases, chunks};
	if (!p)
		return -1;
	for (int i = 0; i < runs; i++)
		pool_run(p, probe_worker, &r);
	pool_stop(p);
	return 0;
}
*/
import "C"

import (
	"errors"
	"reflect"
	"unsafe"

	"chimera/engine"
)

// This file owns what the kernel tests see of C, since a test file can't import it: each kernel behind
// a Go signature. Nothing else calls it.

// probeMemory is C memory of exact sizes, so that the address sanitizer sees the first byte beyond.
type probeMemory struct{ blocks []unsafe.Pointer }

func probeTake[T any](m *probeMemory, n int) []T {
	var p unsafe.Pointer
	if C.posix_memalign(&p, 64, C.size_t(max(n, 1)*int(unsafe.Sizeof(*new(T))))) != 0 {
		panic("out of memory")
	}
	m.blocks = append(m.blocks, p)
	s := unsafe.Slice((*T)(p), n)
	clear(s)
	return s
}

func (m *probeMemory) free() {
	for _, p := range m.blocks {
		C.free(p)
	}
	m.blocks = nil
}

// probeCopy is a copy of s in C memory; nil stays nil.
func probeCopy[T any](m *probeMemory, s []T) []T {
	if s == nil {
		return nil
	}
	c := probeTake[T](m, len(s))
	copy(c, s)
	return c
}

func cfloats(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

// probeISA is one instruction set's kernels.
type probeISA struct {
	name string
	k    *C.struct_kernels
}

// probeISAs are those that this machine has, scalar first, and the names of the others.
func probeISAs() (have []probeISA, lacking []string) {
	for _, name := range []string{"scalar", "avx2", "avx512f", "avx512vnni"} {
		if k, err := kernelsFor(name); err == nil {
			have = append(have, probeISA{name, k})
		} else {
			lacking = append(lacking, name)
		}
	}
	return have, lacking
}

// probePack packs rows x cols values of a GGUF type, row after row in raw.
func probePack(m *probeMemory, dtype uint32, raw []byte, rows, cols int) *C.struct_packed {
	w := &probeTake[C.struct_packed](m, 1)[0]
	w.form, w.rows, w.cols, w.groups = C.int32_t(C.pack_form(C.uint32_t(dtype))), C.int32_t(rows), C.int32_t(cols), C.int32_t((rows+15)/16)
	w.group_bytes = C.pack_group_bytes(C.int(w.form), C.int(cols))
	w.data = (*C.uint8_t)(unsafe.SliceData(probeTake[byte](m, int(w.groups)*int(w.group_bytes))))
	C.pack_groups(w, C.uint32_t(dtype), (*C.uint8_t)(unsafe.SliceData(probeCopy(m, raw))), C.int64_t(len(raw)/rows), 0, C.int(w.groups))
	return w
}

func probeUnpack(w *C.struct_packed, row int, out []float32) {
	C.unpack_row(w, C.int(row), cfloats(out))
}

// probeActs are rounded activations, with the arrays that the tests compare.
type probeActs struct {
	c                  *C.struct_acts
	q                  []int8
	d, sum, halfSum    []float32
	offset, halfOffset []int32
}

// probeRound holds x, (tokens, cols), and rounds it by k.
func probeRound(m *probeMemory, k probeISA, x []float32, tokens int) probeActs {
	cols := len(x) / tokens
	blocks := (cols + actBlock - 1) / actBlock
	n := tokens * blocks
	a := probeActs{
		q: probeTake[int8](m, n*actBlock), d: probeTake[float32](m, n), sum: probeTake[float32](m, n),
		halfSum: probeTake[float32](m, 2*n), offset: probeTake[int32](m, n), halfOffset: probeTake[int32](m, 2*n),
	}
	own := probeCopy(m, x)
	a.c = &probeTake[C.struct_acts](m, 1)[0]
	*a.c = C.struct_acts{
		x: cfloats(own), q: (*C.int8_t)(unsafe.Pointer(unsafe.SliceData(a.q))), d: cfloats(a.d), sum: cfloats(a.sum), half_sum: cfloats(a.halfSum),
		offset: (*C.int32_t)(unsafe.SliceData(a.offset)), half_offset: (*C.int32_t)(unsafe.SliceData(a.halfOffset)),
		cols: C.int32_t(cols), blocks: C.int32_t(blocks),
	}
	for t := range tokens {
		C.probe_quantise(k.k, a.c, C.int(t), cfloats(own[t*cols:]), C.int(cols))
	}
	return a
}

func (k probeISA) product(w *C.struct_packed, a probeActs, g0, g1, t0, t1 int, out []float32, ld int) {
	C.probe_product(k.k, w, a.c, C.int(g0), C.int(g1), C.int(t0), C.int(t1), cfloats(out), C.int(ld))
}

func (k probeISA) norm(kind engine.NormKind, x, gamma, beta, residual []float32, epsilon float32, out []float32) {
	C.probe_norm(k.k, C.int(kind), cfloats(x), cfloats(gamma), cfloats(beta), cfloats(residual), C.float(epsilon), C.int(len(x)), cfloats(out))
}

func (k probeISA) epilogue(out, acc, gate, bias, residual []float32, a engine.Activation) {
	C.probe_epilogue(k.k, cfloats(out), cfloats(acc), cfloats(gate), cfloats(bias), cfloats(residual), C.int(a), C.int(len(out)))
}

func (k probeISA) logits(x, bias []float32, scale, softcap float32) {
	C.probe_logits(k.k, cfloats(x), cfloats(bias), C.float(scale), C.float(softcap), C.int(len(x)))
}

func (k probeISA) add(out, a, b []float32) {
	C.probe_add(k.k, cfloats(out), cfloats(a), cfloats(b), C.int(len(out)))
}

func (k probeISA) scale(x []float32, by float32) {
	C.probe_scale(k.k, cfloats(x), C.float(by), C.int(len(x)))
}

func (k probeISA) rope(head, cosine, sine []float32, dim int, style engine.RopeStyle) {
	C.probe_rope(k.k, cfloats(head), cfloats(cosine), cfloats(sine), C.int(dim), C.int(style))
}

// exponentials turns x into e^((x - peak) / temperature).
func (k probeISA) exponentials(x []float32, peak, temperature float32) {
	C.probe_weights(k.k, cfloats(x), C.int(len(x)), C.float(peak), C.float(temperature))
}

func (k probeISA) sample(m *probeMemory, logits []float32, o engine.Output, position int, p []engine.Penalty, b []engine.Bias) (engine.Result, []engine.TopToken) {
	o.PenaltyCount, o.BiasCount = int32(len(p)), int32(len(b))
	r, top := &probeTake[engine.Result](m, 1)[0], probeTake[engine.TopToken](m, int(o.Top))
	own := &probeCopy(m, []engine.Output{o})[0]
	C.probe_sample(k.k, cfloats(logits), C.int(len(logits)), (*C.struct_output)(unsafe.Pointer(own)), C.int(position),
		(*C.struct_penalty)(unsafe.Pointer(unsafe.SliceData(probeCopy(m, p)))), (*C.struct_bias)(unsafe.Pointer(unsafe.SliceData(probeCopy(m, b)))),
		(*C.struct_result)(unsafe.Pointer(r)), (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(top))),
		unsafe.Pointer(unsafe.SliceData(probeTake[byte](m, int(C.sample_scratch_bytes(C.int(len(logits))))))))
	return *r, top
}

// probeCache is a pool of KV pages of one layer and head.
type probeCache struct {
	layout *C.struct_kv_layout
	pages  []byte
}

func newProbeCache(m *probeMemory, kv engine.DType, headDim, pages int) probeCache {
	kind := map[engine.DType]C.int{engine.F32: C.KV_F32, engine.F16: C.KV_F16, engine.Q8_0: C.KV_Q8_0}[kv]
	l := &probeTake[C.struct_kv_layout](m, 1)[0]
	C.kv_layout_init(l, kind, 1, 1, C.int(headDim))
	return probeCache{l, probeTake[byte](m, pages*int(l.page_bytes))}
}

func (c probeCache) store(k probeISA, page, slot int, key, value []float32) {
	at := (*C.uint8_t)(unsafe.SliceData(c.pages[page*int(c.layout.page_bytes):]))
	C.probe_store(k.k, c.layout, at, C.int(slot), cfloats(key), cfloats(value))
}

// attend computes tokens from position first on; q and out are (tokens, group, head dim).
func (c probeCache) attend(m *probeMemory, k probeISA, table []int32, q, out []float32, first, tokens, group, window int, scale, softcap float32) {
	a := &probeTake[C.struct_attend_args](m, 1)[0]
	stride := C.int64_t(group * int(c.layout.head_dim))
	*a = C.struct_attend_args{
		kv: c.layout, base: (*C.uint8_t)(unsafe.SliceData(c.pages)), pages: (*C.int32_t)(unsafe.SliceData(table)), q: cfloats(q), out: cfloats(out),
		q_stride: stride, out_stride: stride, first_position: C.int32_t(first), rows: C.int32_t(tokens * group), group: C.int32_t(group),
		window: C.int32_t(window), scale: C.float(scale), softcap: C.float(softcap),
	}
	C.probe_attend(k.k, a)
}

// probePool runs the pool and returns how often each chunk of each phase was claimed.
func probePool(m *probeMemory, threads, runs, phases, chunks int) ([]int32, error) {
	counts := probeTake[int32](m, phases*chunks)
	if C.probe_pool(C.int(threads), C.int(runs), C.int(phases), C.int(chunks), (*C.int32_t)(unsafe.SliceData(counts))) != 0 {
		return nil, errors.New("the pool did not start")
	}
	return counts, nil
}

func probePhilox(counter [4]uint32, key [2]uint32) (out [4]uint32) {
	C.philox((*C.uint32_t)(&counter[0]), (*C.uint32_t)(&key[0]), (*C.uint32_t)(&out[0]))
	return out
}

func probeExp(x float64) float64 { return float64(C.d_exp(C.double(x))) }

func probeLog(x float64) float64 { return float64(C.d_log(C.double(x))) }

func probeSincos(x float64) (float64, float64) {
	var s, c C.double
	C.d_sincos(C.double(x), &s, &c)
	return float64(s), float64(c)
}

func probeHalfToFloat(h uint16) float32 { return float32(C.probe_half_to_float(C.uint16_t(h))) }

func probeFloatToHalf(f float32) uint16 { return uint16(C.probe_float_to_half(C.float(f))) }

// probeRecords are the structures that Go writes and C reads, as both see them.
func probeRecords() [][2]reflect.Type {
	return [][2]reflect.Type{
		{reflect.TypeFor[engine.SequenceRows](), reflect.TypeFor[C.struct_sequence_rows]()},
		{reflect.TypeFor[engine.Output](), reflect.TypeFor[C.struct_output]()},
		{reflect.TypeFor[engine.Penalty](), reflect.TypeFor[C.struct_penalty]()},
		{reflect.TypeFor[engine.Bias](), reflect.TypeFor[C.struct_bias]()},
		{reflect.TypeFor[engine.Result](), reflect.TypeFor[C.struct_result]()},
		{reflect.TypeFor[engine.TopToken](), reflect.TypeFor[C.struct_top_token]()},
	}
}
