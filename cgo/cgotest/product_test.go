//go:build cgo

package cgotest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"chimera/weights"
)

// blockType is a GGUF type as raw blocks: where its scales lie, so that random bytes stay finite.
type blockType struct {
	dtype       weights.Type
	values      int   // of a block
	bytes       int   // of a block
	halves      []int // offsets of half-precision scales
	powerOfTwo  int   // offset of an E8M0 scale, or -1
	floatMatrix bool
}

var blockTypes = []blockType{
	{weights.F32, 1, 4, nil, -1, true},
	{weights.F16, 1, 2, nil, -1, true},
	{weights.BF16, 1, 2, nil, -1, true},
	{weights.Q4_0, 32, 18, []int{0}, -1, false},
	{weights.Q4_1, 32, 20, []int{0, 2}, -1, false},
	{weights.Q5_0, 32, 22, []int{0}, -1, false},
	{weights.Q5_1, 32, 24, []int{0, 2}, -1, false},
	{weights.Q8_0, 32, 34, []int{0}, -1, false},
	{weights.IQ4_NL, 32, 18, []int{0}, -1, false},
	{weights.MXFP4, 32, 17, nil, 0, false},
	{weights.Q2_K, 256, 84, []int{80, 82}, -1, false},
	{weights.Q3_K, 256, 110, []int{108}, -1, false},
	{weights.Q4_K, 256, 144, []int{0, 2}, -1, false},
	{weights.Q5_K, 256, 176, []int{0, 2}, -1, false},
	{weights.Q6_K, 256, 210, []int{208}, -1, false},
	{weights.IQ4_XS, 256, 136, []int{0}, -1, false},
}

// rawMatrix makes rows x cols values in the type's own form. extreme: all bits of the quants are set
// in even rows and clear in odd ones.
func (b blockType) rawMatrix(r *rand.Rand, rows, cols int, extreme bool) []byte {
	raw := make([]byte, rows*cols/b.values*b.bytes)
	rowBytes := len(raw) / rows
	for i := range raw {
		switch {
		case !extreme:
			raw[i] = byte(r.Uint32())
		case i/rowBytes%2 == 0:
			raw[i] = 0xff
		}
	}
	for at := 0; at < len(raw); at += b.bytes {
		for _, h := range b.halves {
			binary.LittleEndian.PutUint16(raw[at+h:], weights.FloatToHalf(float32(r.NormFloat64()*0.1)))
		}
		if b.powerOfTwo >= 0 {
			raw[at+b.powerOfTwo] = byte(110 + r.IntN(30))
		}
		if !b.floatMatrix {
			continue
		}
		bits := math.Float32bits(float32(r.NormFloat64()))
		switch b.dtype {
		case weights.F32:
			binary.LittleEndian.PutUint32(raw[at:], bits)
		case weights.F16:
			binary.LittleEndian.PutUint16(raw[at:], weights.FloatToHalf(math.Float32frombits(bits)))
		case weights.BF16:
			binary.LittleEndian.PutUint16(raw[at:], uint16(bits>>16))
		}
	}
	return raw
}

func (b blockType) columns() []int {
	switch b.values {
	case 1:
		return []int{1, 2, 3, 15, 16, 17, 31, 33, 64, 100, 577}
	case 32:
		return []int{32, 64, 96, 224, 576}
	}
	return []int{256, 512, 768}
}

// TestPackedValues: what is packed unpacks to the values that the format defines. Only the sign of
// MXFP4's negative zero is lost, as the packed form has one zero.
func TestPackedValues(t *testing.T) {
	for _, b := range blockTypes {
		t.Run(b.dtype.String(), func(t *testing.T) {
			m, r := &probeMemory{}, random(uint64(b.dtype))
			defer m.free()
			for _, rows := range []int{1, 15, 17, 40} {
				cols := b.columns()[len(b.columns())-1]
				raw := b.rawMatrix(r, rows, cols, false)
				w := probePack(m, uint32(b.dtype), raw, rows, cols)
				got, want := make([]float32, cols), make([]float32, cols)
				for row := range rows {
					if err := weights.Dequantize(b.dtype, raw[row*len(raw)/rows:(row+1)*len(raw)/rows], want); err != nil {
						t.Fatal(err)
					}
					probeUnpack(w, row, got)
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("row %d of %d: value %d is %v, want %v", row, rows, i, got[i], want[i])
						}
					}
				}
			}
		})
	}
}

// runProduct multiplies all of w, in pieces of weight groups and tokens as a step would cut it.
func runProduct(m *probeMemory, k probeISA, b blockType, raw []byte, rows int, x []float32, tokens int, cut bool) []float32 {
	w, a := probePack(m, uint32(b.dtype), raw, rows, len(x)/tokens), probeRound(m, k, x, tokens)
	groups := (rows + 15) / 16
	ld := groups*16 + 3 // rows of the result need not touch
	out := probeTake[float32](m, (tokens-1)*ld+groups*16)
	if !cut {
		k.product(w, a, 0, groups, 0, tokens, out, ld)
		return out
	}
	for g := range groups {
		for t := 0; t < tokens; t += 2 {
			k.product(w, a, g, g+1, t, min(t+2, tokens), out[t*ld+g*16:], ld)
		}
	}
	return out
}

func TestProductsEqualScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		cases := 0
		for _, b := range blockTypes {
			r := random(uint64(b.dtype) + 7)
			for _, cols := range b.columns() {
				for i, rows := range []int{1, 15, 16, 17, 50, 130, 200} {
					tokens := []int{1, 2, 3, 4, 5, 6, 8, 34}[(i+cols)%8]
					kind := inputs[(i+cols)%len(inputs)]
					raw, x := b.rawMatrix(r, rows, cols, i%3 == 2), kind.make(r, tokens*cols)
					want := runProduct(m, scalar, b, raw, rows, x, tokens, false)
					what := fmt.Sprintf("%s, %d x %d, %d tokens, %s", b.dtype, rows, cols, tokens, kind.name)
					same(t, what, runProduct(m, k, b, raw, rows, x, tokens, false), want)
					same(t, what+", cut", runProduct(m, k, b, raw, rows, x, tokens, true), want)
					cases += 2
					m.free()
				}
			}
		}
		t.Logf("%d products equal", cases)
	})
}

// TestScalarProducts holds the scalar kernels to a sum in float64 of the format's own values and the rounded activations. A product of n
// terms may lose n roundings of the sum of magnitudes. One token reads weights as they are packed, more unpack them.
func TestScalarProducts(t *testing.T) {
	have, _ := probeISAs()
	for _, b := range blockTypes {
		for _, tokens := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s of %d", b.dtype, tokens), func(t *testing.T) {
				worst := scalarError(t, have[0], b, tokens)
				if !(worst <= 3e-6) || worst == 0 { // NaN is no small error either
					t.Errorf("relative error %g, allowed is 3e-6, and none at all would mean that nothing was compared", worst)
				}
				t.Logf("largest error %.1e of the sum of magnitudes", worst)
			})
		}
	}
}

// scalarError is the largest error of some tokens' products, as a share of their terms' sum of magnitudes.
func scalarError(t *testing.T, k probeISA, b blockType, tokens int) (worst float64) {
	m, r := &probeMemory{}, random(uint64(b.dtype)+99)
	defer m.free()
	cols, rows := b.columns()[len(b.columns())-1], 37
	raw, x := b.rawMatrix(r, rows, cols, false), inputs[0].make(r, tokens*cols)
	got := runProduct(m, k, b, raw, rows, x, tokens, false)
	rounded, w := seenActivations(m, k, b, x, tokens), make([]float32, cols)
	for row := range rows {
		if err := weights.Dequantize(b.dtype, raw[row*len(raw)/rows:(row+1)*len(raw)/rows], w); err != nil {
			t.Fatal(err)
		}
		for token := range tokens {
			sum, magnitude := 0.0, 0.0
			for i := range cols {
				p := float64(w[i]) * rounded[token*cols+i]
				sum, magnitude = sum+p, magnitude+math.Abs(p)
			}
			// Formats with a minimum take it apart: d*q and m may be far larger than their sum.
			worst = max(worst, math.Abs(float64(got[token*((rows+15)/16*16+3)+row])-sum)/magnitude)
		}
	}
	return worst
}

// seenActivations are the values that a product with this type sees.
func seenActivations(m *probeMemory, k probeISA, b blockType, x []float32, tokens int) []float64 {
	out, cols := make([]float64, len(x)), len(x)/tokens
	a := probeRound(m, k, x, tokens)
	for i := range x {
		out[i] = float64(x[i])
		if !b.floatMatrix {
			block := i/cols*((cols+31)/32) + i%cols/32
			out[i] = float64(a.d[block]) * float64(a.q[block*32+i%cols%32])
		}
	}
	return out
}

func TestRoundingEqualsScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		for _, in := range inputs {
			for _, n := range rowSizes {
				x := in.make(random(uint64(n)), n)
				got, want := probeRound(m, k, x, 1), probeRound(m, scalar, x, 1)
				what := fmt.Sprintf("%s of %d", in.name, n)
				same(t, what+" q", got.q, want.q)
				same(t, what+" d", got.d, want.d)
				same(t, what+" sum", got.sum, want.sum)
				same(t, what+" halves", got.halfSum, want.halfSum)
				same(t, what+" total", got.total, want.total)
				same(t, what+" half total", got.halfTotal, want.halfTotal)
				same(t, what+" start", got.start, want.start)
				same(t, what+" half start", got.halfStart, want.halfStart)
			}
		}
	})
}

// TestScalarRounding: d is amax/127, q is x/d rounded half to even, the sums are of q.
func TestScalarRounding(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	for _, in := range inputs {
		x := in.make(random(5), 96)
		a := probeRound(m, have[0], x, 1)
		for block := range 3 {
			var amax float32
			for _, v := range x[block*32 : block*32+32] {
				amax = max(amax, float32(math.Abs(float64(v))))
			}
			d := amax / 127
			sum := int32(0)
			for i, v := range x[block*32 : block*32+32] {
				want := 0.0
				if d > 0 {
					want = math.RoundToEven(float64(v * (1 / d)))
				}
				want = min(max(want, -127), 127)
				if q := a.q[block*32+i]; math.IsInf(float64(1/d), 0) == false && float64(q) != want {
					t.Errorf("%s: value %d of block %d rounds to %d, want %v", in.name, i, block, q, want)
				}
				sum += int32(a.q[block*32+i])
			}
			if a.d[block] != d || a.sum[block] != d*float32(sum) || a.total[block] != sum || a.halfTotal[2*block]+a.halfTotal[2*block+1] != sum {
				t.Errorf("%s: block %d: d %v (want %v), sum %v, total %d of %d", in.name, block, a.d[block], d, a.sum[block], a.total[block], sum)
			}
		}
	}
}
