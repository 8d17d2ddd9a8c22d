package reference

import (
	"math"

	"chimera/engine"
)

// This file owns what the policy rounds: activations before products with quantised weights, and keys and values
// on their way to memory.

// block is how many neighbours share a scale, in activations as in q8_0.
const block = 32

// blocks calls f on each block of x, the last one short.
func blocks(x []float64, f func(part []float64)) {
	for first := 0; first < len(x); first += block {
		f(x[first:min(first+block, len(x))])
	}
}

func largest(x []float64) (amax float64) {
	for _, v := range x {
		amax = max(amax, math.Abs(v))
	}
	return amax
}

// activations is x as engine.ActivationInt8 rounds it.
func (r *run) activations(x []float64) []float64 {
	var out []float64
	blocks(x, func(part []float64) {
		d := float64(float32(largest(part)) / 127)
		out = append(out, r.integers(part, d, d, largest(x))...)
	})
	return out
}

// integers is x in whole steps of d, -127 to 127 of them, each worth value.
func (r *run) integers(x []float64, d, value, magnitude float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		if d > 0 {
			out[i] = min(max(r.whole(v/d, magnitude/d), -127), 127) * value
		}
	}
	return out
}

// remembered is a head of K or V as memory holds it.
func (r *run) remembered(x []float64) []float64 {
	switch r.policy.KV {
	case engine.F16:
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = r.half(v, largest(x))
		}
		return out
	case engine.Q8_0: // the integers count steps of the scale before it is rounded
		var out []float64
		blocks(x, func(part []float64) {
			d := float64(float32(largest(part)) / 127)
			out = append(out, r.integers(part, d, r.half(d, d), largest(x))...)
		})
		return out
	}
	return x
}

// half is x rounded to an IEEE half: 11 bits, down to 2^-24.
func (r *run) half(x, magnitude float64) float64 {
	exponent := -14
	if x != 0 {
		exponent = max(exponent, math.Ilogb(x))
	}
	step := math.Ldexp(1, exponent-10)
	if y := r.whole(x/step, magnitude/step) * step; math.Abs(y) <= 65504 {
		return y
	}
	return math.Copysign(math.Inf(1), x)
}
