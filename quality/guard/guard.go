// Package guard decides which quantisation tier a model is served at: as far down the ladder as speed or memory asks for, and no further than
// the quality that was measured allows. It is the rule alone, without clock, files or goroutines; who measures and who swaps weights
// is the daemon's.
//
// This file owns the ladder: its tiers, what was measured of each, and how that is judged.
package guard

import (
	"errors"
	"fmt"
	"math"

	"chimera/quality/stats"
)

// Criterion is what is asked of a tier in one metric. More must be better in it.
type Criterion struct {
	Metric string
	// MaxLoss is how far a tier may lie below the control, in the metric's unit, above 0; infinite where only the floor counts.
	MaxLoss float64
	// Floor is the least that tier and control may have, in the metric's unit; -infinite for none. It is held against the estimate and not against
	// its interval, which for a score such as BLEU is wider than what tiers differ by.
	Floor float64
}

// Evidence is one metric of a tier beside the control's, on the same items.
type Evidence struct {
	Suite      string         `json:"suite"`
	Metric     string         `json:"metric"`
	Items      int            `json:"items"`
	Value      float64        `json:"value"`      // the tier's
	Control    float64        `json:"control"`    // the control's
	Difference stats.Interval `json:"difference"` // Value - Control, paired by item
}

// Paired is the evidence of two runs over the same items: row i is what item i adds to the sums that score is made of, see [stats.Score].
// Its error is that of [stats.PairedBootstrap]: too few items, or rows that do not match.
func Paired(suite, metric string, tier, control [][]float64, score stats.Score, r stats.Resampling) (Evidence, error) {
	items := make([]int, len(tier))
	for i := range items {
		items[i] = i
	}
	difference, err := stats.PairedBootstrap(tier, control, items, score, r)
	if err != nil {
		return Evidence{}, fmt.Errorf("%s, %s: %w", suite, metric, err)
	}
	return Evidence{suite, metric, len(items), score(stats.Sum(tier)), score(stats.Sum(control)), difference}, nil
}

// Rung is a tier of the ladder, and what is known of it.
type Rung struct {
	Tier     string
	Bytes    int64      // of its weights as they are served; 0: not known
	Speed    float64    // tokens a second on the suites; 0: not measured
	Evidence []Evidence // nil: not measured. The source's is the control's own, with differences of 0
}

// Verdict is what evidence says of a tier.
type Verdict string

// A tier holds if it is surely good enough, and fails if it seems not to be. Between these lies what is not sure: no reason to go there, nor to
// leave. That gap keeps a model from going to and fro on the same figures.
const (
	Unmeasured Verdict = "unmeasured" // of one criterion at least there is no evidence
	Holds      Verdict = "holds"      // each lower bound lies above -MaxLoss, no value below its floor
	Unsure     Verdict = "unsure"
	Fails      Verdict = "fails" // a difference lies below -MaxLoss, or a value below its floor
)

// Criteria are all that is asked of a tier: all must hold, in each suite that has the metric.
type Criteria []Criterion

// Check refuses criteria that would let anything pass or nothing.
func (all Criteria) Check() error {
	if len(all) == 0 {
		return errors.New("a guard needs a criterion: a tier would be good enough whatever it answers")
	}
	for _, c := range all {
		if !(c.MaxLoss > 0) {
			return fmt.Errorf("%s: a loss of %g at most can't be held, as no interval excludes 0 surely: allow more than 0", c.Metric, c.MaxLoss)
		}
		if math.IsNaN(c.Floor) {
			return fmt.Errorf("%s: the floor is no number", c.Metric)
		}
	}
	return nil
}

// Judge says what evidence says. A figure that is no number fails: it was measured, and is not good enough.
func (all Criteria) Judge(evidence []Evidence) Verdict {
	worst := Holds
	for _, c := range all {
		known := false
		for i := range evidence {
			if evidence[i].Metric != c.Metric {
				continue
			}
			known = true
			switch c.judge(&evidence[i]) {
			case Fails:
				worst = Fails
			case Unsure:
				if worst == Holds {
					worst = Unsure
				}
			}
		}
		if !known {
			return Unmeasured
		}
	}
	return worst
}

func (c *Criterion) judge(e *Evidence) Verdict {
	switch {
	case !(e.Value >= c.Floor), !(e.Difference.Estimate >= -c.MaxLoss):
		return Fails
	case e.Difference.Low > -c.MaxLoss:
		return Holds
	}
	return Unsure
}

// missedFloor is the first evidence of a value below its floor; nil: there is none.
func (all Criteria) missedFloor(evidence []Evidence) (*Evidence, *Criterion) {
	for n := range all {
		for i := range evidence {
			if evidence[i].Metric == all[n].Metric && !(evidence[i].Value >= all[n].Floor) {
				return &evidence[i], &all[n]
			}
		}
	}
	return nil, nil
}

// failing is the first evidence that fails; nil: there is none.
func (all Criteria) failing(evidence []Evidence) (*Evidence, *Criterion) {
	for n := range all {
		for i := range evidence {
			if evidence[i].Metric == all[n].Metric && all[n].judge(&evidence[i]) == Fails {
				return &evidence[i], &all[n]
			}
		}
	}
	return nil, nil
}
