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

const maxHeadDim = C.MAX_HEAD_DIM

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
	C.probe_store(k.k, c.layout, at, C.int(slot), floats(key), floats(value))
}

// clearAfter zeroes what the page holds behind slot.
func (c probeCache) clearAfter(page, slot int) {
	C.kv_clear_after(c.layout, (*C.uint8_t)(unsafe.SliceData(c.pages[page*int(c.layout.page_bytes):])), C.int(slot))
}

// attend computes tokens from position first on; q and out are (tokens, group, head dim).
func (c probeCache) attend(m *probeMemory, k probeISA, table []int32, q, out []float32, first, tokens, group, window int, scale, softcap float32) {
	a := &probeTake[C.struct_attend_args](m, 1)[0]
	stride := C.int64_t(group * int(c.layout.head_dim))
	*a = C.struct_attend_args{
		kv: c.layout, base: (*C.uint8_t)(unsafe.SliceData(c.pages)), pages: ints(table), q: floats(q), out: floats(out),
		q_stride: stride, out_stride: stride, first_position: C.int32_t(first), rows: C.int32_t(tokens * group), group: C.int32_t(group),
		window: C.int32_t(window), scale: C.float(scale), softcap: C.float(softcap),
	}
	C.probe_attend(k.k, a)
}
