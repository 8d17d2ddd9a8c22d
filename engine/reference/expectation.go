package reference

import (
	"math"
)

// This file owns what is expected of a backend, and how far it may be off.

// expectation is what a sequence's rows must give.
type expectation struct {
	logits    [][]float64 // (positions, Vocab)
	tolerance []float64   // of any logit of a row
}

const (
	// doubtFactor is how many times the doubtful evaluations' difference is allowed: they differ at random, and so
	// does a backend.
	doubtFactor = 4
	// leastTolerance is of a row's largest logit: where nothing is in doubt, float32 has 2^-24.
	leastTolerance = 0x1p-20
)

// ties are the doubtful evaluations that are made: all values that may be rounded either way the other way, or half.
var ties = []float64{1, 0.5}

// expect evaluates all jobs.
func (s *script) expect(evaluators []*Evaluator) {
	certain := map[*job]Memory{}
	for _, j := range s.jobs {
		j.Memory = certain[j.after]
		j.want.logits, certain[j] = evaluators[j.model].Evaluate(j.Sequence)
		j.want.tolerance = make([]float64, len(j.want.logits))
		for t, row := range j.want.logits {
			j.want.tolerance[t] = leastTolerance * largest(row)
		}
	}
	for i, part := range ties {
		stored := map[*job]Memory{}
		for n, j := range s.jobs {
			var logits [][]float64
			j.Memory = stored[j.after]
			logits, stored[j] = evaluators[j.model].Doubted(uint64(i*len(s.jobs)+n), part).Evaluate(j.Sequence)
			for t, row := range logits {
				j.want.tolerance[t] = max(j.want.tolerance[t], doubtFactor*distance(row, j.want.logits[t]))
			}
		}
	}
}

// distance is the largest difference of two rows.
func distance(x, y []float64) (d float64) {
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}
