package cgotest

/*
#include "../isa.h"
#include "../pack.h"

static void probe_product(const struct kernels *k, const struct packed *w, const struct acts *x, int g0, int g1, int t0, int t1, float *out, int ld)
{
	k->product.product[w->form](w, x, g0, g1, t0, t1, out, ld);
}
static void probe_quantise(const struct kernels *k, const struct acts *a, int t, const float *x, int n) { k->product.quantise(a, t, x, n); }
*/
import "C"

import "unsafe"

// This file owns products: packing, rounding of activations, the product itself.

// probePack packs rows x cols values of a GGUF type, row after row in raw.
func probePack(m *probeMemory, dtype uint32, raw []byte, rows, cols int) *C.struct_packed {
	w := &probeTake[C.struct_packed](m, 1)[0]
	w.form, w.rows, w.cols, w.groups = C.int32_t(C.gguf_form(C.uint32_t(dtype))), C.int32_t(rows), C.int32_t(cols), C.int32_t((rows+15)/16)
	w.group_bytes = C.pack_group_bytes(C.int(w.form), C.int(cols))
	w.data = (*C.uint8_t)(unsafe.SliceData(probeTake[byte](m, int(w.groups)*int(w.group_bytes))))
	C.pack_groups(w, (*C.uint8_t)(unsafe.SliceData(probeCopy(m, raw))), C.int64_t(len(raw)/rows), 0, C.int(w.groups))
	return w
}

func probeUnpack(w *C.struct_packed, row int, out []float32) {
	C.unpack_row(w, C.int(row), floats(out))
}

// probeActs are rounded activations, with the arrays that the tests compare.
type probeActs struct {
	c                *C.struct_acts
	q                []int8
	d, sum, halfSum  []float32
	total, halfTotal []int32
	start, halfStart []int32
}

// probeRound holds x, (tokens, cols), and rounds it by k.
func probeRound(m *probeMemory, k probeISA, x []float32, tokens int) probeActs {
	cols := len(x) / tokens
	blocks := (cols + C.BLOCK - 1) / C.BLOCK
	n := tokens * blocks
	a := probeActs{
		q: probeTake[int8](m, n*C.BLOCK), d: probeTake[float32](m, n), sum: probeTake[float32](m, n),
		halfSum: probeTake[float32](m, 2*n), total: probeTake[int32](m, n), halfTotal: probeTake[int32](m, 2*n), start: probeTake[int32](m, n), halfStart: probeTake[int32](m, 2*n),
	}
	own := probeCopy(m, x)
	a.c = &probeTake[C.struct_acts](m, 1)[0]
	*a.c = C.struct_acts{
		x: floats(own), q: (*C.int8_t)(unsafe.Pointer(unsafe.SliceData(a.q))), d: floats(a.d), sum: floats(a.sum), half_sum: floats(a.halfSum),
		total: ints(a.total), half_total: ints(a.halfTotal), start: ints(a.start), half_start: ints(a.halfStart),
		cols: C.int32_t(cols), blocks: C.int32_t(blocks),
	}
	for t := range tokens {
		C.probe_quantise(k.k, a.c, C.int(t), floats(own[t*cols:]), C.int(cols))
	}
	return a
}

func (k probeISA) product(w *C.struct_packed, a probeActs, g0, g1, t0, t1 int, out []float32, ld int) {
	C.probe_product(k.k, w, a.c, C.int(g0), C.int(g1), C.int(t0), C.int(t1), floats(out), C.int(ld))
}
