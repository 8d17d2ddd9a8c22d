//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"testing"

	"chimera/engine"
)

// This file owns tests of the kernels that work on one row: norms, rope, rounding.

func TestRowsEqualScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		for _, in := range inputs {
			for _, n := range rowSizes {
				r := random(uint64(n))
				x, a, b, c := probeCopy(m, in.make(r, n)), probeCopy(m, in.make(r, n)), probeCopy(m, inputs[0].make(r, n)), probeCopy(m, inputs[0].make(r, n))
				both := func(what string, f func(k probeISA, out []float32)) {
					t.Helper()
					got, want := probeCopy(m, x), probeCopy(m, x)
					f(k, got)
					f(scalar, want)
					same(t, fmt.Sprintf("%s, %s of %d", what, in.name, n), got, want)
				}
				both("add", func(k probeISA, out []float32) { k.add(out, x, a) })
				both("scale", func(k probeISA, out []float32) { k.scale(out, 0.37) })
				for _, kind := range []engine.NormKind{engine.RMSNorm, engine.LayerNorm} {
					both("norm", func(k probeISA, out []float32) { k.norm(kind, x, nil, nil, nil, 1e-5, out) })
					both("norm in place", func(k probeISA, out []float32) { k.norm(kind, out, a, b, c, 1e-6, out) })
				}
				for act := range engine.GELU + 1 {
					both("epilogue", func(k probeISA, out []float32) { k.epilogue(out, x, nil, nil, nil, act) })
					both("gated epilogue", func(k probeISA, out []float32) { k.epilogue(out, x, a, b, c, act) })
					both("epilogue onto its residual", func(k probeISA, out []float32) { k.epilogue(out, a, nil, b, out, act) })
				}
				both("logits", func(k probeISA, out []float32) { k.logits(out, b, 0.5, 30) })
				both("exponentials", func(k probeISA, out []float32) { k.exponentials(out, 3, 0.7) })
				if n%2 == 0 {
					for style := range engine.RopeHalves + 1 {
						both("rope", func(k probeISA, out []float32) { k.rope(out, a[:n/2], b[:n/2], n, style) })
					}
				}
				m.free()
			}
		}
	})
}

// TestScalarNorm holds the norms to float64.
func TestScalarNorm(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	for _, n := range rowSizes {
		r := random(uint64(n) + 3)
		x, gamma, beta := inputs[0].make(r, n), inputs[0].make(r, n), inputs[0].make(r, n)
		for _, kind := range []engine.NormKind{engine.RMSNorm, engine.LayerNorm} {
			out := probeTake[float32](m, n)
			have[0].norm(kind, probeCopy(m, x), probeCopy(m, gamma), probeCopy(m, beta), nil, 1e-5, out)
			mean, square := 0.0, 0.0
			for _, v := range x {
				mean += float64(v) / float64(n)
			}
			if kind == engine.RMSNorm {
				mean = 0
			}
			for _, v := range x {
				square += (float64(v) - mean) * (float64(v) - mean) / float64(n)
			}
			for i := range x {
				want := (float64(x[i])-mean)/math.Sqrt(square+1e-5)*float64(gamma[i]) + float64(beta[i])
				if diff := math.Abs(float64(out[i]) - want); !(diff <= 2e-5*(1+math.Abs(want))) {
					t.Errorf("kind %d of %d: element %d is %v, want %v", kind, n, i, out[i], want)
				}
			}
		}
	}
}

// TestScalarRope turns pairs by an angle, in both pairings.
func TestScalarRope(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	defer m.free()
	const dim, n = 6, 8
	cosine, sine := probeTake[float32](m, dim/2), probeTake[float32](m, dim/2)
	for i := range cosine {
		s, c := math.Sincos(float64(i + 1))
		cosine[i], sine[i] = float32(c), float32(s)
	}
	for style, pair := range map[engine.RopeStyle]func(i int) (int, int){
		engine.RopeAdjacent: func(i int) (int, int) { return 2 * i, 2*i + 1 },
		engine.RopeHalves:   func(i int) (int, int) { return i, i + dim/2 },
	} {
		x := inputs[0].make(random(4), n)
		out := probeCopy(m, x)
		have[0].rope(out, cosine, sine, dim, style)
		for i := range dim / 2 {
			a, b := pair(i)
			s, c := math.Sincos(float64(i + 1))
			wantA, wantB := float64(x[a])*c-float64(x[b])*s, float64(x[a])*s+float64(x[b])*c
			if !(math.Abs(float64(out[a])-wantA) <= 1e-6) || !(math.Abs(float64(out[b])-wantB) <= 1e-6) {
				t.Errorf("style %d, pair %d: %v %v, want %v %v", style, i, out[a], out[b], wantA, wantB)
			}
		}
		if out[6] != x[6] || out[7] != x[7] {
			t.Error("elements behind dim must not turn")
		}
	}
}
