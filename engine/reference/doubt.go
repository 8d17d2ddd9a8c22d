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
// Rejected: float32 in the reference. It would have to form its sums in the backend's order, and so be its copy.

const (
	// sumDoubt is what may be wrong with a sum, as a part of its terms' magnitudes: float32 rounds each step by up to
	// 2^-25 of the sum so far, and the errors of some hundred steps add up to less than a tenth of this.
	sumDoubt = 0x1p-21
	// tieDoubt is how far, as a part of the largest of its neighbours, a value may be off that is to be rounded. It
	// has gone through several sums.
	tieDoubt = 0x1p-17
)

// doubt disturbs an evaluation.
type doubt struct {
	random *rand.Rand
	sums   float64 // what sums are disturbed by, as a part of their terms' magnitudes
	ties   float64 // which part of the values near a tie is rounded the other way
}

// Doubts are the same evaluator in doubt, of two kinds. One rounds all values near a tie the other way and
// disturbs nothing: where many values are alike, as rows of a quantised table are, a backend may round all of them
// the other way too. The other disturbs all sums and rounds half of them the other way.
func (e *Evaluator) Doubts(seed uint64) (all []*Evaluator) {
	for _, kind := range []doubt{{sums: 0, ties: 1}, {sums: sumDoubt, ties: 0.5}} {
		d := *e
		kind.random = rand.New(rand.NewPCG(seed, 0))
		d.doubt = &kind
		all = append(all, &d)
	}
	return all
}

// near is x, the sum of terms of some magnitude, as well as it is known.
func (e *Evaluator) near(x, magnitude float64) float64 {
	if e.doubt == nil {
		return x
	}
	return x + e.doubt.random.NormFloat64()*magnitude*e.doubt.sums
}

// whole is the integer next to x, half to even. magnitude is that of x's neighbours: what x may be off by goes with
// theirs.
func (e *Evaluator) whole(x, magnitude float64) float64 {
	y := math.RoundToEven(x)
	if e.doubt == nil || 0.5-math.Abs(x-y) > magnitude*tieDoubt || e.doubt.random.Float64() >= e.doubt.ties {
		return y
	}
	if x > y {
		return y + 1
	}
	return y - 1
}
