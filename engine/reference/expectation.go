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

// expect evaluates all jobs, certain and in doubt.
func (s *script) expect(evaluators []*Evaluator) {
	for _, j := range s.jobs {
		j.want.logits, j.stored = evaluators[j.model].Evaluate(s.sequence(j))
		for _, row := range j.want.logits {
			j.want.tolerance = append(j.want.tolerance, leastTolerance*largest(row))
		}
	}
	doubts := make([][]*Evaluator, len(evaluators))
	for m, e := range evaluators {
		doubts[m] = e.Doubts(uint64(m))
	}
	for kind := range doubts[0] {
		for _, j := range s.jobs {
			var logits [][]float64
			logits, j.stored = doubts[j.model][kind].Evaluate(s.sequence(j))
			for t, row := range logits {
				j.want.tolerance[t] = max(j.want.tolerance[t], doubtFactor*distance(row, j.want.logits[t]))
			}
		}
	}
}

// sequence is a job's, with what its encoder stored when it was evaluated last: just before.
func (s *script) sequence(j *job) Sequence {
	if j.after != nil {
		j.Memory = j.after.stored
	}
	return j.Sequence
}

// distance is the largest difference of two rows.
func distance(x, y []float64) (d float64) {
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}
