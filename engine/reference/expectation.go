package reference

import (
	"math"

	"chimera/engine"
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
	s.tolerance, s.tapTolerance = make([]float64, len(evaluators)), make([][]float64, len(evaluators))
	for m, model := range s.models {
		s.tapTolerance[m] = make([]float64, model.Program.TapWidth())
	}
	stored := map[*job][kinds]Memory{}
	for _, j := range s.jobs {
		all, memories := evaluators[j.model][j.born-1].EvaluateInDoubt(j.Sequence, stored[j.after]), [kinds]Memory{}
		for kind, e := range all {
			memories[kind] = e.Stored
		}
		stored[j], j.want, j.taps = memories, all[certain].Logits, all[certain].Taps
		s.tolerance[j.model] = max(s.tolerance[j.model], toleranceOf(all))
		s.expectTaps(j.model, all)
	}
}

// expectTaps widens the tolerances of a model's taps. Taps differ in size by orders of magnitude, and each is as wide as its value.
func (s *script) expectTaps(model int, all [kinds]Evaluation) {
	from := 0
	for _, width := range tapWidths(s.models[model].Program) {
		var part [kinds]Evaluation
		for kind, e := range all {
			for _, row := range e.Taps {
				part[kind].Logits = append(part[kind].Logits, row[from:from+width])
			}
		}
		tolerance := toleranceOf(part)
		for i := range width {
			s.tapTolerance[model][from+i] = max(s.tapTolerance[model][from+i], tolerance)
		}
		from += width
	}
}

func tapWidths(p *engine.Program) (list []int) {
	for _, op := range p.Ops {
		if tap, is := op.(engine.Tap); is {
			list = append(list, p.Value(tap.In).Width)
		}
	}
	return list
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
