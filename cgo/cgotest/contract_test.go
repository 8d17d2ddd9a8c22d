//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"testing"

	"chimera/engine"
)

// This file holds the scalar kernels to the numeric contract to the last bit, by writing its sentences
// down a second time in Go: the order of every sum, and one fma where the contract says fma.

// fma32 is a*b+c rounded once. The product of two floats is exact in float64; the sum is rounded to odd
// there, so that the second rounding, to 24 bits, sees which side of a tie it came from.
func fma32(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	sum := p + z
	if math.IsInf(sum, 0) || sum != sum {
		return float32(sum)
	}
	v := sum - p
	lost := (p - (sum - v)) + (z - v)
	if bits := math.Float64bits(sum); lost != 0 && bits&1 == 0 {
		if (lost > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

func TestFMAReference(t *testing.T) {
	const tiny = 1.0 / (1 << 24)
	for _, c := range [][4]float32{
		{1 + 2*tiny, 1 + 2*tiny, -1, 4*tiny + 4*tiny*tiny},
		{1, 1, tiny, 1},                         // a tie goes to even
		{1 + tiny*2, 1, tiny, 1 + 4*tiny},       // the other tie
		{1 << 12, 1.0 / (1 << 40), 1, 1},        // far below
		{tiny * (1 + 2*tiny), 1, 1, 1 + 2*tiny}, // just above a tie: twice rounded it would be 1
		{-tiny * (1 - 2*tiny) / 2, 1, 1, 1},     // just below a tie from below
		{3e38, 2, -3e38, 3e38}, {0, 5, -0.25, -0.25},
	} {
		if got := fma32(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("fma(%v, %v, %v) = %v, not %v", c[0], c[1], c[2], got, c[3])
		}
	}
}

// contractProduct is one output of a quantised product: per block of 32 (or half of one, where scales
// are per 16) acc = fma(dw*da, isum, acc), then with a minimum fma(mw, da*asum, acc).
func contractProduct(b blockType, raw []byte, a probeActs, cols int) float32 {
	var acc float32
	for block := range cols / 32 {
		q, d, minimum := decodeBlock(b, raw, block)
		da, halves := a.d[block], len(d)
		for h := range halves {
			isum, asum := int32(0), int32(0)
			for i := h * 32 / halves; i < (h+1)*32/halves; i++ {
				isum += int32(q[i]) * int32(a.q[block*32+i])
				asum += int32(a.q[block*32+i])
			}
			acc = fma32(d[h]*da, float32(isum), acc)
			if minimum != nil {
				acc = fma32(minimum[h], da*float32(asum), acc)
			}
		}
	}
	return acc
}

// decodeBlock reads 32 values of three formats, one of each family: signed with one scale, unsigned
// with a minimum, and with scales and minimums per 16.
func decodeBlock(b blockType, raw []byte, block int) (q [32]int8, d, minimum []float32) {
	half := func(p []byte) float32 { return probeHalfToFloat(uint16(p[0]) | uint16(p[1])<<8) }
	switch engine.DType(b.dtype) {
	case engine.Q8_0:
		p := raw[block*34:]
		for i := range q {
			q[i] = int8(p[2+i])
		}
		return q, []float32{half(p)}, nil
	case engine.Q4_1:
		p := raw[block*20:]
		for i := range 16 {
			q[i], q[i+16] = int8(p[4+i]&15), int8(p[4+i]>>4)
		}
		return q, []float32{half(p)}, []float32{half(p[2:])}
	case engine.Q2_K:
		p, part := raw[block/8*84:], block%8
		for i := range q {
			q[i] = int8(p[16+part/4*32+i] >> (part % 4 * 2) & 3)
		}
		s, t := p[2*part], p[2*part+1]
		return q, []float32{half(p[80:]) * float32(s&15), half(p[80:]) * float32(t&15)},
			[]float32{-(half(p[82:]) * float32(s>>4)), -(half(p[82:]) * float32(t>>4))}
	}
	panic("no such format here")
}

func TestProductsKeepTheContract(t *testing.T) {
	k, m := scalarISA(), &probeMemory{}
	checked := 0
	for _, b := range blockTypes {
		if d := engine.DType(b.dtype); d != engine.Q8_0 && d != engine.Q4_1 && d != engine.Q2_K {
			continue
		}
		for _, cols := range b.columns() {
			for _, extreme := range []bool{false, true} {
				r, rows := random(uint64(cols)), 19
				raw, x := b.rawMatrix(r, rows, cols, extreme), inputs[len(inputs)-1-checked%2].make(r, cols)
				got, a := runProduct(m, k, b, raw, rows, x, 1, false), probeRound(m, k, x, 1)
				for row := range rows {
					if want := contractProduct(b, raw[row*len(raw)/rows:], a, cols); got[row] != want {
						t.Fatalf("%v, %d columns, row %d: %v, the contract gives %v", b.dtype, cols, row, got[row], want)
					}
					checked++
				}
				m.free()
			}
		}
	}
	t.Logf("%d outputs", checked)
}

// Float products: K ascends, one fma each.
func TestFloatProductsKeepTheContract(t *testing.T) {
	k, m, r := scalarISA(), &probeMemory{}, random(31)
	defer m.free()
	b, rows, cols := blockTypes[0], 17, 577
	raw, x := b.rawMatrix(r, rows, cols, false), inputs[0].make(r, cols)
	got := runProduct(m, k, b, raw, rows, x, 1, false)
	for row := range rows {
		var acc float32
		for i := range cols {
			p := raw[(row*cols+i)*4:]
			acc = fma32(math.Float32frombits(uint32(p[0])|uint32(p[1])<<8|uint32(p[2])<<16|uint32(p[3])<<24), x[i], acc)
		}
		if got[row] != acc {
			t.Fatalf("row %d: %v, the contract gives %v", row, got[row], acc)
		}
	}
}

// A NaN or an infinity in a row must show in every product with it, and a block too small for a scale
// with an inverse is zero; on all instruction sets.
func TestRoundingHidesNothing(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	for _, k := range have {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for _, at := range []int{0, 5, 15, 16, 20, 31, 40} {
				x := inputs[0].make(random(1), 64)
				x[at] = bad
				if d := probeRound(m, k, x, 1).d[at/32]; !math.IsNaN(float64(d)) && !math.IsInf(float64(d), 0) {
					t.Errorf("%s: %v at %d is rounded with scale %v", k.name, bad, at, d)
				}
			}
		}
		for _, size := range []float32{1e-44, 1e-40, 1e-38, 1e-36, 3e-36} {
			x := fill(32, func(i int) float32 { return size * float32(i-16) / 16 })
			a := probeRound(m, k, x, 1)
			for i, v := range x {
				if diff := math.Abs(float64(v) - float64(a.d[0])*float64(a.q[i])); !(diff <= max(1.5e-36, float64(a.d[0])*0.51)) {
					t.Errorf("%s: %g becomes %d times %g", k.name, v, a.q[i], a.d[0])
				}
				if a.d[0] < 0x1p-126 && a.q[i] != 0 {
					t.Errorf("%s: %g becomes %d of a scale without an inverse", k.name, v, a.q[i])
				}
			}
		}
	}
}

// What a page held behind its last position is gone after clearAfter, all before it stays, in any type.
func TestClearAfter(t *testing.T) {
	k, r := scalarISA(), random(8)
	for _, kv := range kvTypes {
		for _, headDim := range []int{8, 20, 64, 80} {
			m := &probeMemory{}
			g := engine.Group{KeyWidth: headDim, ValueWidth: headDim}
			full, part := newProbeCache(m, kv, g, 1), newProbeCache(m, kv, g, 1)
			last := r.IntN(engine.PageTokens - 1)
			for slot := range engine.PageTokens {
				key, value := probeCopy(m, inputs[0].make(r, headDim)), probeCopy(m, inputs[0].make(r, headDim))
				full.store(k, 0, slot, key, value)
				if slot <= last {
					part.store(k, 0, slot, key, value)
				}
			}
			full.clearAfter(0, last)
			same(t, fmt.Sprintf("%v, head of %d, behind slot %d", kv, headDim, last), full.pages, part.pages)
			m.free()
		}
	}
}

// No worker passes a barrier before every chunk is done and the last there has done what it does alone; each comes through every run.
func TestBarrierWaitsForAll(t *testing.T) {
	m := &probeMemory{}
	defer m.free()
	for threads := 1; threads <= 8; threads++ {
		for _, chunks := range []int{0, 1, 3, 50} {
			if walks := probeBarriers(m, threads, 12, chunks, 6); walks != 12*threads {
				t.Errorf("%d threads, %d chunks: %d walks of %d (-1: a barrier opened early, or not once for whoever came last)", threads, chunks, walks, 12*threads)
			}
		}
	}
}

// A run that gives way ends for all its workers at the same barrier. It may go on from there, and then computes each chunk once; else it
// leaves nothing behind for the next, which may have fewer or more of them.
func TestRunsGiveWay(t *testing.T) {
	m := &probeMemory{}
	defer m.free()
	for _, threads := range []int{1, 2, 3, 8, 17} {
		n := probeWays(m, threads, 500, uint64(threads))
		if n < 0 || n == 500 {
			t.Errorf("%d threads: %d runs of 500 gave way (-1: one did wrong)", threads, n)
		}
		if n == 0 && threads > 1 {
			t.Errorf("%d threads: no run gave way: the test tests nothing", threads)
		}
	}
}

// Pools come and go without a run, too.
func TestPoolStartsAndStops(t *testing.T) {
	m := &probeMemory{}
	defer m.free()
	for i := range 200 {
		if walks := probeBarriers(m, 1+i%8, i%3, 5, 1); walks != i%3*(1+i%8) {
			t.Fatalf("start %d: %d walks", i, walks)
		}
	}
}

func TestNumbersMirrorC(t *testing.T) {
	for name, pair := range probeNumbers() {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d in C, %d in Go", name, pair[0], pair[1])
		}
	}
}
