package reference

import (
	"math"
	"math/rand/v2"
)

// This file owns doubt: what float32 arithmetic may make of an evaluation.
//
// A backend computes in float32, so its results differ from the evaluation's. By how much depends on the program: a
// softmax that is nearly a choice, or a value that lies half way between two that it may be rounded to, makes much of
// little. A fixed tolerance would be too wide for most programs or too narrow for some. So the tolerance is measured:
// the same evaluation is made again in doubt, and results may differ from the certain ones by a few times as much as
// the doubtful ones do.
//
// First all sums are disturbed, but values rounded as they were: that shows how far off each value may be. Then
// those that may be off by more than their way to the next tie are rounded the other way, all of them: where many are
// alike, as in rows of a quantised table, a backend may do so too.
//
// Rejected: float32 in the reference. It would have to form its sums in the backend's order, and so be its copy.

// The kinds of evaluation, in the order that they are made in.
const (
	certain = iota
	disturbed
	otherwise // rounded otherwise where that is in doubt
	kinds
)

const (
	// sumDoubt is what may be wrong with a sum, as a part of its terms' magnitudes: float32 rounds each step by up to
	// 2^-25 of the sum so far, and the errors of some hundred steps add up to a fraction of this.
	sumDoubt = 0x1p-22
	// valueDoubt is of the largest of a rounded value's neighbours: it, its scale, the scale's inverse and their
	// product are all float32.
	valueDoubt = 0x1p-20
	// tieFactor is how much farther off a value may be than it was when sums were disturbed.
	tieFactor = 2
)

// doubt is the kind of an evaluation, and what is known of its roundings from those before.
type doubt struct {
	kind   int
	random *rand.Rand
	tape   []rounding // of all roundings in their order, which is always the same
	at     int
}

// rounding is what became of some neighbours.
type rounding struct {
	values  []float64
	rounded []float64
	off     float64 // by how much any of them may be
}

// begin makes the evaluation that follows one of a kind.
func (d *doubt) begin(kind int) {
	d.kind, d.at = kind, 0
	d.random = rand.New(rand.NewPCG(uint64(kind), 0))
}

// near is x, the sum of terms of some magnitude, as well as it is known.
func (d *doubt) near(x, magnitude float64) float64 {
	if d.kind != disturbed {
		return x
	}
	return x + d.random.NormFloat64()*magnitude*sumDoubt
}

// round makes of each of some neighbours a multiple of its step, half to even.
func (d *doubt) round(x []float64, step func(x float64) float64) []float64 {
	if d.kind == certain {
		r := rounding{values: x, off: largest(x) * valueDoubt}
		for _, v := range x {
			r.rounded = append(r.rounded, math.RoundToEven(v/step(v))*step(v))
		}
		d.tape = append(d.tape, r)
		return r.rounded
	}
	r := &d.tape[d.at]
	d.at++
	if d.kind == disturbed {
		r.off = max(r.off, tieFactor*distance(x, r.values))
		return r.rounded
	}
	var out []float64
	for _, v := range x {
		out = append(out, roundOtherwise(v/step(v), r.off/step(v))*step(v))
	}
	return out
}

// roundOtherwise is the integer next to x, or the one behind it if x may be off by so much that it is next.
func roundOtherwise(x, off float64) float64 {
	y := math.RoundToEven(x)
	switch {
	case 0.5-math.Abs(x-y) > off:
		return y
	case x > y:
		return y + 1
	}
	return y - 1
}
