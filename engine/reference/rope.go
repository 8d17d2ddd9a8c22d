package reference

import (
	"math"

	"chimera/engine"
)

// This file owns rotary positions: Su et al. 2021 (arXiv 2104.09864), YaRN by Peng et al. 2023 (arXiv 2309.00071).

// turned is a head at a position; nil turns nothing.
func (r *run) turned(o *engine.Rope, head []float64, position int) []float64 {
	out := append([]float64(nil), head...)
	if o == nil {
		return out
	}
	factors := r.vector(o.Factors)
	for i := range o.Dim / 2 {
		a, b := 2*i, 2*i+1
		if o.Style == engine.RopeHalves {
			a, b = i, i+o.Dim/2
		}
		angle := float64(position) * frequency(o, factors, i)
		sin, cos := math.Sincos(angle)
		sin, cos = sin*o.Magnitude, cos*o.Magnitude
		doubtful := (math.Abs(head[a]) + math.Abs(head[b])) * o.Magnitude * (1 + angle) // the angle itself is a float32
		out[a] = r.near(head[a]*cos-head[b]*sin, doubtful)
		out[b] = r.near(head[a]*sin+head[b]*cos, doubtful)
	}
	return out
}

// frequency is by how much pair i turns from one position to the next.
func frequency(o *engine.Rope, factors []float64, i int) float64 {
	own := math.Pow(o.Base, -2*float64(i)/float64(o.Dim))
	if factors != nil {
		own /= factors[i]
	}
	if o.Extension == 0 {
		return own * o.Scale
	}
	ramp := min(max((float64(i)-o.Low)/(o.High-o.Low), 0), 1) // 0: a fast pair, which keeps its frequency
	kept := (1 - ramp) * o.Extension
	return own*kept + own*o.Scale*(1-kept)
}
