//go:build cgo

package cgotest

import (
	"math"
	"testing"

	"chimera/engine"
)

// ropeFrequency is the reference: Su et al. 2021, with linear scaling, Llama 3's divisors and YaRN.
func ropeFrequency(r engine.Rope, factors []float32, pair int) float64 {
	f := math.Pow(r.Base, -2*float64(pair)/float64(r.Dim))
	if factors != nil {
		f /= float64(factors[pair])
	}
	if r.Extension == 0 {
		return f * r.Scale
	}
	ramp := min(max((float64(pair)-r.Low)/(r.High-r.Low), 0), 1)
	keep := (1 - ramp) * r.Extension
	return f*r.Scale*(1-keep) + f*keep
}

func TestRopeTables(t *testing.T) {
	factors := fill(32, func(i int) float32 { return 1 + float32(i)/4 })
	for name, c := range map[string]struct {
		rope    engine.Rope
		factors []float32
	}{
		"plain":         {engine.Rope{Dim: 64, Base: 10000, Scale: 1, Magnitude: 1}, nil},
		"long base":     {engine.Rope{Dim: 128, Base: 1e6, Scale: 1, Magnitude: 1}, nil},
		"odd dimension": {engine.Rope{Dim: 6, Base: 10000, Scale: 1, Magnitude: 1}, nil},
		"linear":        {engine.Rope{Dim: 64, Base: 10000, Scale: 0.25, Magnitude: 1}, nil},
		"factors":       {engine.Rope{Dim: 64, Base: 500000, Scale: 1, Magnitude: 1.19}, factors},
		"yarn":          {engine.Rope{Dim: 64, Base: 10000, Scale: 1. / 16, Magnitude: 1.277, Extension: 1, Low: 8, High: 20}, nil},
	} {
		m := &probeMemory{}
		for _, position := range []int{0, 1, 2, 255, 4096, 131071} {
			frequency, cosine, sine := probeRope(m, c.rope, c.factors, position)
			for i, f := range frequency {
				if want := ropeFrequency(c.rope, c.factors, i); !(math.Abs(float64(f)/want-1) <= 1.0/(1<<23)) {
					t.Fatalf("%s: frequency %d is %v, not %v", name, i, f, want)
				}
				// The angle is a float product by definition; from there on the error is one rounding each.
				s, co := math.Sincos(float64(float32(position) * f))
				s, co = s*c.rope.Magnitude, co*c.rope.Magnitude
				if !(math.Abs(float64(sine[i])-s) <= 3e-7) || !(math.Abs(float64(cosine[i])-co) <= 3e-7) {
					t.Fatalf("%s: position %d, pair %d: %v %v, not %v %v", name, position, i, cosine[i], sine[i], co, s)
				}
			}
		}
		m.free()
	}
}
