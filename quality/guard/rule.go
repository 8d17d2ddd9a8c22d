package guard

import (
	"fmt"
	"slices"
	"strings"
)

// This file owns the rule: from the ladder and the situation to one step.

// Action is what is to be done.
type Action string

// Measure asks for figures of a tier without which nothing can be said; Verify for whether the weights that serve are those that the tier has when it is made
// anew; Up is towards the source.
const (
	Stay    Action = "stay"
	Measure Action = "measure"
	Verify  Action = "verify"
	Up      Action = "up"
	Down    Action = "down"
)

// Decision is what the rule says, and why.
type Decision struct {
	Action   Action
	Tier     string // where to go, or what to measure; the one that serves where it is to stay
	Reason   string
	Evidence []Evidence // that it went by
}

// Situation is what is asked of the tier that serves.
type Situation struct {
	At string // the tier that serves
	// Missed are the speed objectives that were missed two windows running: see [Pressure].
	Missed []string
	Short  bool // memory is short
	// Verified: the weights that serve are those that their tier has when it is made anew. Then it is the tier that fails.
	Verified bool
}

// Ladder are tiers, the source first and each smaller than the one before. The source is the control: nothing is above it.
type Ladder []Rung

// leastGain is how much faster a tier must have been measured to be called so: less is the machine's noise.
const leastGain = 1.02

// Decide says what is next. It goes one step at a time, and looks at the tiers between: who does what it says and asks again comes to rest,
// as a step down is made onto what holds alone, and a step up away from what fails alone.
//
// A tier that fails is not left before its weights are known to be its own: those that memory or a disk has damaged, before anything was pinned by which
// to tell, show in scores alone, and are to be made anew where they are. That costs a load, once for each time that weights are made.
//
// Rejected: to go up when there is speed to spare. The same load that a tier was left for would come back with the tier, and each
// swap costs what a load costs.
func (l Ladder) Decide(c Criteria, s Situation) (Decision, error) {
	if err := c.Check(); err != nil {
		return Decision{}, err
	}
	at := l.find(s.At)
	if at < 0 {
		return Decision{}, fmt.Errorf("tier %q is not on the ladder %s", s.At, l.names())
	}
	source := &l[0]
	if c.Judge(source.Evidence) == Unmeasured {
		return Decision{Measure, source.Tier, "nothing can be compared with the source before it is measured", nil}, nil
	}
	if e, missed := c.missedFloor(source.Evidence); e != nil {
		why := fmt.Sprintf("the source itself has %s %.4g on %s, below the floor of %.4g: no tier can be asked for more", e.Metric, e.Value, e.Suite, missed.Floor)
		if at == 0 {
			return Decision{Stay, source.Tier, why, source.Evidence}, nil
		}
		return Decision{Up, source.Tier, why, source.Evidence}, nil
	}
	switch c.Judge(l[at].Evidence) {
	case Unmeasured:
		return Decision{Measure, l[at].Tier, "it serves, and nobody knows how well", nil}, nil
	case Fails:
		if at > 0 && !s.Verified {
			return Decision{Verify, l[at].Tier, c.why(&l[at]), l[at].Evidence}, nil
		}
		return l.climb(c, at), nil
	}
	return l.descend(c, at, s), nil
}

func (l Ladder) find(tier string) int {
	return slices.IndexFunc(l, func(r Rung) bool { return r.Tier == tier })
}

func (l Ladder) names() string {
	var names []string
	for i := range l {
		names = append(names, l[i].Tier)
	}
	return strings.Join(names, ", ")
}

// climb goes to the first tier above that holds. The source does: it is the control.
func (l Ladder) climb(c Criteria, at int) Decision {
	why, to := c.why(&l[at]), at-1
	for ; to > 0; to-- {
		switch c.Judge(l[to].Evidence) {
		case Unmeasured:
			return Decision{Measure, l[to].Tier, why, l[at].Evidence}
		case Holds:
			return l.up(at, to, why)
		}
	}
	return l.up(at, to, why)
}

// why says what of a tier fails.
func (all Criteria) why(r *Rung) string {
	e, failed := all.failing(r.Evidence)
	if e.Value < failed.Floor {
		return fmt.Sprintf("%s of %s is %.4g on %s, below the floor of %.4g", e.Metric, r.Tier, e.Value, e.Suite, failed.Floor)
	}
	return fmt.Sprintf("%s of %s is %.4g on %s, %+.4g beside the source's: at most %.4g may be lost", e.Metric, r.Tier, e.Value, e.Suite, e.Difference.Estimate, failed.MaxLoss)
}

func (l Ladder) up(at, to int, why string) Decision {
	evidence := append(slices.Clone(l[at].Evidence), l[to].Evidence...)
	return Decision{Up, l[to].Tier, why + "; " + l[to].Tier + " is the first above that surely keeps it", evidence}
}

// descend goes to the next tier below that is worth it, if it holds.
func (l Ladder) descend(c Criteria, at int, s Situation) Decision {
	stay := Decision{Stay, l[at].Tier, "objectives are met", nil}
	var why string
	switch {
	case len(s.Missed) > 0:
		why = strings.Join(s.Missed, ", ") + " missed in two windows running"
	case s.Short:
		why = "memory is short"
	default:
		return stay
	}
	if len(s.Missed) > 0 && l[at].Speed == 0 {
		return Decision{Measure, l[at].Tier, why + ": nothing can be called faster before it is measured", nil}
	}
	for to := at + 1; to < len(l); to++ {
		r := &l[to]
		verdict := c.Judge(r.Evidence)
		if verdict == Unmeasured || len(s.Missed) > 0 && r.Speed == 0 {
			return Decision{Measure, r.Tier, why, nil}
		}
		if !worth(&l[at], r, s) {
			continue
		}
		if verdict == Holds {
			return Decision{Down, r.Tier, why + "; " + r.Tier + " relieves that, and surely keeps the quality", r.Evidence}
		}
		stay.Reason, stay.Evidence = why+", but "+r.Tier+" would not surely keep the quality", r.Evidence
		return stay
	}
	stay.Reason = why + ", but no lower tier relieves that"
	return stay
}

// worth tells whether a tier below is faster, where speed is asked for; else whether it is smaller.
func worth(from, to *Rung, s Situation) bool {
	if len(s.Missed) > 0 {
		return to.Speed >= from.Speed*leastGain
	}
	return to.Bytes > 0 && to.Bytes < from.Bytes
}
