package reference

import (
	"math"
)

// This file owns what is expected of a backend, and how far it may be off.

const (
	// doubtFactor is how many times the doubtful evaluations' difference is allowed: they differ at random, and so
	// does a backend.
	doubtFactor = 4
	// leastTolerance is of the largest logit: where nothing is in doubt, float32 has 2^-24.
	leastTolerance = 0x1p-20
)

// expect evaluates all jobs. The tolerance is one for all rows of a model: in a single row what is in doubt may
// happen to cancel out.
func (s *script) expect(evaluators [][]*Evaluator) {
	s.tolerance = make([]float64, len(evaluators))
	stored := map[*job][kinds]Memory{}
	for _, j := range s.jobs {
		all, memories := evaluators[j.model][j.born-1].EvaluateInDoubt(j.Sequence, stored[j.after]), [kinds]Memory{}
		for kind, e := range all {
			memories[kind] = e.Stored
		}
		stored[j], j.want = memories, all[certain].Logits
		s.tolerance[j.model] = max(s.tolerance[j.model], toleranceOf(all))
	}
}

func toleranceOf(all [kinds]Evaluation) (tolerance float64) {
	for t, row := range all[certain].Logits {
		tolerance = max(tolerance, leastTolerance*largest(row))
		for _, doubtful := range all[certain+1:] {
			tolerance = max(tolerance, doubtFactor*distance(row, doubtful.Logits[t]))
		}
	}
	return tolerance
}

// distance is the largest difference of two rows.
func distance(x, y []float64) (d float64) {
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}
