package cgotest

/*
#include "../isa.h"
#include "../kv.h"

static void probe_store(const struct kernels *k, const struct kv_layout *l, uint8_t *head, int slot, const float *key, const float *value) { k->attend.store(l, head, slot, key, value); }
static void probe_attend(const struct kernels *k, const struct attend_args *a) { k->attend.attend(a); }
*/
import "C"

import (
	"unsafe"

	"chimera/engine"
)

// This file owns attention and the pages that it reads.

// probeCache is a pool of KV pages of one layer and head.
type probeCache struct {
	layout *C.struct_kv_layout
	pages  []byte
}

func newProbeCache(m *probeMemory, kv engine.DType, g engine.Group, pages int) probeCache {
	kind := map[engine.DType]C.int{engine.F32: C.KV_F32, engine.F16: C.KV_F16, engine.Q8_0: C.KV_Q8_0}[kv]
	latent := C.int(0)
	if g.Latent {
		latent = 1
	}
	l := &probeTake[C.struct_kv_layout](m, 1)[0]
	C.kv_layout_init(l, kind, 1, 1, C.int(g.KeyWidth), C.int(g.ValueWidth), latent)
	return probeCache{l, probeTake[byte](m, pages*int(l.page_bytes))}
}

// store writes one position; value is nil in a latent group.
func (c probeCache) store(k probeISA, page, slot int, key, value []float32) {
	at := (*C.uint8_t)(unsafe.SliceData(c.pages[page*int(c.layout.page_bytes):]))
	C.probe_store(k.k, c.layout, at, C.int(slot), floats(key), floats(value))
}

// clearAfter zeroes what the page holds behind slot.
func (c probeCache) clearAfter(page, slot int) {
	C.kv_clear_after(c.layout, (*C.uint8_t)(unsafe.SliceData(c.pages[page*int(c.layout.page_bytes):])), C.int(slot))
}

// attending is what a probe of attention is told beside pages, queries and results.
type attending struct {
	engine.Group
	table          []int32 // from page number base on
	base, length   int     // length: of masks that see all
	first          int     // position of the first token
	tokens, heads  int
	scale, softcap float32
}

// attend computes tokens from position first on; q is (tokens, heads, key width), out (tokens, heads, value width).
func (c probeCache) attend(m *probeMemory, k probeISA, a attending, q, out []float32) {
	p := &probeTake[C.struct_attend_args](m, 1)[0]
	*p = C.struct_attend_args{
		kv: c.layout, base: (*C.uint8_t)(unsafe.SliceData(c.pages)), pages: ints(a.table), first_page: C.int32_t(a.base),
		q: floats(q), out: floats(out), out_stride: C.int64_t(a.heads * a.ValueWidth), first_position: C.int32_t(a.first),
		rows: C.int32_t(a.tokens * a.heads), heads: C.int32_t(a.heads), mask: C.int32_t(a.Mask), window: C.int32_t(a.Window),
		length: C.int32_t(a.length), scale: C.float(a.scale), softcap: C.float(a.softcap),
	}
	C.probe_attend(k.k, p)
}
