//go:build cgo

package cgotest

import (
	"math"
	"testing"
)

// This file holds the vector functions to the errors that vmath_body.h states, over the bit patterns of
// all floats: every 1009th one, so every exponent, both signs, subnormals and infinities are met.

const patternStep = 1009

// overPatterns calls run on all sampled floats, in pieces, and returns the largest error in ulp.
func overPatterns(t *testing.T, run func(x []float32), exact func(x float64) float64) (worst float64, at float32, count int) {
	t.Helper()
	x, in := make([]float32, 1<<12), make([]float32, 1<<12)
	for bits := uint64(0); bits < 1<<32; {
		n := 0
		for ; n < len(in) && bits < 1<<32; bits += patternStep {
			if f := math.Float32frombits(uint32(bits)); f == f {
				in[n], n = f, n+1
			}
		}
		copy(x, in[:n])
		run(x[:n])
		for i, f := range in[:n] {
			if u := ulps(x[i], exact(float64(f))); u > worst {
				worst, at = u, f
			}
		}
		count += n
	}
	return worst, at, count
}

func TestVectorFunctionsOverAllExponents(t *testing.T) {
	k := scalarISA()
	for _, c := range []struct {
		name   string
		run    func(x []float32)
		exact  func(x float64) float64
		maxULP float64
	}{
		{"exp", func(x []float32) { k.exponentials(x, 0, 1) }, math.Exp, 2},
		{"tanh", func(x []float32) { k.logits(x, nil, 1, 1) }, math.Tanh, 3},
		{"erf", func(x []float32) {
			for i := range x {
				x[i] = probeErf(x[i])
			}
		}, math.Erf, 2},
	} {
		worst, at, count := overPatterns(t, c.run, c.exact)
		if worst > c.maxULP {
			t.Errorf("%s: %.2f ulp at %g, stated are %g", c.name, worst, at, c.maxULP)
		}
		t.Logf("%s: %.3f ulp at most over %d floats", c.name, worst, count)
	}
}

// The functions of each instruction set over the same patterns, NaN included, by their bits.
func TestVectorFunctionsEqualScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, _ *probeMemory) {
		in := make([]float32, 0, 1<<13)
		for bits := uint64(0); bits < 1<<32; bits += 16 * patternStep {
			in = append(in, math.Float32frombits(uint32(bits)))
			if len(in) < cap(in) {
				continue
			}
			for name, f := range map[string]func(k probeISA, x []float32){
				"exp":       func(k probeISA, x []float32) { k.exponentials(x, 0, 1) },
				"tanh":      func(k probeISA, x []float32) { k.logits(x, nil, 1, 1) },
				"silu":      func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 1) },
				"gelu tanh": func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 2) },
				"gelu":      func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 3) },
			} {
				got, want := append([]float32(nil), in...), append([]float32(nil), in...)
				f(k, got)
				f(scalar, want)
				same(t, name, oneNaN(got...), oneNaN(want...))
			}
			in = in[:0]
		}
	})
}

func TestPower(t *testing.T) {
	worst := 0.0
	for _, base := range []float64{10000, 500000, 1e6, 8e6, 1.5} {
		for i := range 512 {
			y := -2 * float64(i) / 512
			want := math.Pow(base, y)
			worst = max(worst, math.Abs(probePow(base, y)/want-1))
		}
	}
	if t.Logf("pow: relative error %.1e", worst); !(worst <= 5e-15) { // d_log's error times |y log x| <= 16
		t.Errorf("pow: relative error %g", worst)
	}
}

// Every float around the places where a function changes its formula or leaves the range.
func TestVectorFunctionsAtTheirSeams(t *testing.T) {
	k := scalarISA()
	exp := func(x []float32) { k.exponentials(x, 0, 1) }
	tanh := func(x []float32) { k.logits(x, nil, 1, 1) }
	erf := func(x []float32) {
		for i := range x {
			x[i] = probeErf(x[i])
		}
	}
	for _, c := range []struct {
		name   string
		run    func(x []float32)
		exact  func(x float64) float64
		at     float32
		maxULP float64
	}{
		{"exp", exp, math.Exp, 88.7228394, 2}, {"exp", exp, math.Exp, -103.972084, 2}, {"exp", exp, math.Exp, -87.33655, 2},
		{"exp", exp, math.Exp, 0.34657359, 2}, {"tanh", tanh, math.Tanh, 0.625, 3}, {"tanh", tanh, math.Tanh, -9.01, 3},
		{"erf", erf, math.Erf, 0.927734375, 2}, {"erf", erf, math.Erf, -4, 2},
	} {
		const n = 4001
		center := math.Float32bits(c.at)
		in := fill(n, func(i int) float32 { return math.Float32frombits(center + uint32(i) - n/2) })
		x := append([]float32(nil), in...)
		c.run(x)
		for i, f := range in {
			if u := ulps(x[i], c.exact(float64(f))); u > c.maxULP {
				t.Errorf("%s(%.9g) = %g, %g is exact: %.2f ulp, stated are %g", c.name, f, x[i], c.exact(float64(f)), u, c.maxULP)
				break
			}
		}
	}
}
