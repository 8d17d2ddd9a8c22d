//go:build cgo

package cgo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"chimera/engine"
	formats "chimera/weights"
)

// This file owns tests of the bytes that quantising writes: what version 1 of the search has written, on every instruction set.

// quantiseKinds are values of every kind that a search has a case for, by what value i of so many is.
var quantiseKinds = []struct {
	name string
	make func(r *rand.Rand, i int) float64
}{
	{"normal", func(r *rand.Rand, _ int) float64 { return 0.02 * r.NormFloat64() }},
	{"with outliers", func(r *rand.Rand, _ int) float64 {
		return r.NormFloat64() * math.Exp(1.5*math.Abs(r.NormFloat64()))
	}},
	{"of all sizes", func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * math.Ldexp(1, r.IntN(40)-30) }},
	{"mostly zeros", func(r *rand.Rand, _ int) float64 {
		return []float64{r.NormFloat64(), 0, math.Copysign(0, -1), 0, 0}[r.IntN(5)]
	}},
	{"positive", func(r *rand.Rand, _ int) float64 { return math.Abs(r.NormFloat64()) }},
	{"negative", func(r *rand.Rand, _ int) float64 { return -r.ExpFloat64() }},
	{"far from zero", func(r *rand.Rand, _ int) float64 { return 5 + 0.1*r.NormFloat64() }},
	{"small integers", func(r *rand.Rand, _ int) float64 { return float64(r.IntN(9) - 4) }},
	{"two values", func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2))*0.75 - 0.25 }},
	{"a ramp", func(_ *rand.Rand, i int) float64 { return float64(i%37)/18 - 1 }},
	{"runs alike", func(_ *rand.Rand, i int) float64 { return float64(i/16%5) - 2 }},
	{"large", func(r *rand.Rand, _ int) float64 { return (2*r.Float64() - 1) * 65504 }},
	{"as small as halves", func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 0x1p-22 }},
	{"denormal", func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 0x1p-145 }},
	{"zeros of both signs", func(r *rand.Rand, _ int) float64 { return math.Copysign(0, float64(r.IntN(2))-0.5) }},
}

// quantiseImportances are those of columns, by what column i's is.
var quantiseImportances = []struct {
	name string
	make func(r *rand.Rand, i int) float64
}{
	{"alike", nil},
	{"uneven", func(r *rand.Rand, _ int) float64 { return 0.1 + r.Float64() }},
	{"of all sizes", func(r *rand.Rand, _ int) float64 { return math.Exp(6 * r.NormFloat64()) }},
	{"mostly none", func(r *rand.Rand, _ int) float64 { return max(0, r.NormFloat64()-1) }},
	{"none", func(*rand.Rand, int) float64 { return 0 }},
}

// filled is n values, each by what makes value i.
func filled(seed uint64, n int, by func(*rand.Rand, int) float64) []float32 {
	if by == nil {
		return nil
	}
	r, x := rand.New(rand.NewPCG(seed, 17)), make([]float32, n)
	for i := range x {
		x[i] = float32(by(r, i))
	}
	return x
}

// quantiseSizes are rows and blocks of a row: not always as many as there are lanes.
var quantiseSizes = [][2]int{{1, 1}, {3, 5}, {1, 16}, {7, 7}, {2, 33}}

// eachQuantised calls f with everything to be quantised as a type.
func eachQuantised(t engine.DType, f func(name string, x []float32, columns int, importance []float32)) {
	block, _ := formats.Type(t).Block()
	for k, kind := range quantiseKinds {
		for s, size := range quantiseSizes {
			for n, importance := range quantiseImportances {
				columns := size[1] * int(block)
				seed := uint64(1000*k + 100*s + n)
				f(kind.name+", importance "+importance.name, filled(seed, size[0]*columns, kind.make), columns, filled(seed+50, columns, importance.make))
			}
		}
	}
}

// quantiseBytes are digests of what version 1 wrote when each type had a search in plain C of its own.
var quantiseBytes = map[engine.DType]string{
	engine.Q4_0: "3af0b00caeeb9a54ca87167f7ed1b533", engine.Q5_0: "d80af45283cb3afaca2eb32538777ce1", engine.Q5_1: "32b4abd8f67b39edc8136e3ff538c261",
	engine.Q2_K: "748b1ca6c3a54444d4ccc259b15eecdf", engine.Q3_K: "4e24989d56ed0db285acc3c05e9fe8ac", engine.Q4_K: "6be6f7bcf719faef81269c0ca013fe57",
	engine.Q5_K: "752c54c63b91a2b1eefbc93ab73143a9", engine.Q6_K: "cc16646217121e29378eb9713195375c",
}

func TestQuantiseBytes(t *testing.T) {
	for _, typ := range searched {
		h := sha256.New()
		eachQuantised(typ, func(_ string, x []float32, columns int, importance []float32) {
			h.Write(quantised(t, typ, x, columns, importance))
		})
		if got := hex.EncodeToString(h.Sum(nil)[:16]); got != quantiseBytes[typ] {
			t.Errorf("%s: %s, was %s", typ, got, quantiseBytes[typ])
		}
	}
}

// TestQuantiseOnEachISA: every instruction set writes what the scalar one does.
func TestQuantiseOnEachISA(t *testing.T) {
	scalar, err := kernelsFor("scalar")
	if err != nil {
		t.Fatal(err)
	}
	for _, isa := range []string{"avx2", "avx512f", "avx512vnni"} {
		t.Run(isa, func(t *testing.T) {
			if !HasISA(isa) {
				t.Skip("this machine does not have it: compiled, not run")
			}
			k, err := kernelsFor(isa)
			if err != nil {
				t.Fatal(err)
			}
			for _, typ := range searched {
				eachQuantised(typ, func(name string, x []float32, columns int, importance []float32) {
					values, size := formats.Type(typ).Block()
					got, want := make([]byte, len(x)/int(values)*int(size)), make([]byte, len(x)/int(values)*int(size))
					err := errors.Join(quantise(scalar, want, typ, x, columns, importance), quantise(k, got, typ, x, columns, importance))
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("%s, %d values in rows of %d, %s: other bytes than scalar's", typ, len(x), columns, name)
					}
				})
			}
		})
	}
}
