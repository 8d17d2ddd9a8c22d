package escalate

import (
	"maps"
	"math"
)

// This file owns what is told of a rule.

// State is how a rule stands.
type State struct {
	Budget    float64
	Tokens    int64 // that clients were answered for, prompts and answers
	Extra     int64 // that were computed besides
	Saved     float64
	Escalated int64
	FellBack  map[Reason]int64
	// Whole and Opening are the thresholds of a tier; NaN as long as they are not known.
	Whole, Opening float64
}

// Of is the rule's state, with the thresholds of the tier that serves.
func (r *Rule) Of(tier string) State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{
		Budget: r.purse.budget, Tokens: r.total, Extra: r.extraTotal, Saved: r.purse.saved,
		Escalated: r.escalated, FellBack: maps.Clone(r.fellBack), Whole: math.NaN(), Opening: math.NaN(),
	}
	if c := r.tiers[tier]; c != nil {
		s.Whole, s.Opening = known(c.threshold(Whole)), known(c.threshold(Opening))
	}
	return s
}

// known is NaN for a threshold below which nothing can lie; no log-probability lies above 0.
func known(threshold float64) float64 {
	if math.IsInf(threshold, -1) {
		return math.NaN()
	}
	return min(threshold, 0)
}
