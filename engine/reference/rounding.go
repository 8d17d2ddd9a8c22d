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
func (r *run) activations(x []float64) (out []float64) {
	blocks(x, func(part []float64) {
		d := float64(float32(largest(part)) / 127)
		out = append(out, scaled(r.steps(part, d), d)...)
	})
	return out
}

// steps is how many whole steps of d each of x is: -127 to 127.
func (r *run) steps(x []float64, d float64) []float64 {
	inverse := 0.0
	if d > 0 {
		inverse = 1 / d
	}
	out := r.round(scaled(x, inverse), func(float64) float64 { return 1 })
	for i, n := range out {
		out[i] = min(max(n, -127), 127)
	}
	return out
}

// remembered is a head of K or V as memory holds it.
func (r *run) remembered(x []float64) (out []float64) {
	switch r.policy.KV {
	case engine.F16:
		return r.halves(x)
	case engine.Q8_0: // the integers count steps of the scale before it is rounded
		blocks(x, func(part []float64) {
			d := float64(float32(largest(part)) / 127)
			out = append(out, scaled(r.steps(part, d), r.halves([]float64{d})[0])...)
		})
		return out
	}
	return x
}

// halves is x rounded to IEEE halves: 11 bits, down to 2^-24.
func (r *run) halves(x []float64) []float64 {
	out := r.round(x, func(v float64) float64 {
		exponent := -14
		if v != 0 {
			exponent = max(exponent, math.Ilogb(v))
		}
		return math.Ldexp(1, exponent-10)
	})
	for i, v := range out {
		if math.Abs(v) > 65504 {
			out[i] = math.Copysign(math.Inf(1), v)
		}
	}
	return out
}
