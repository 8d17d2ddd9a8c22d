package report

import (
	"math"

	"chimera/quality/stats"
	"chimera/store"
)

// This file owns when a change is said to make something better, worse, or neither: how sure that must be, and how large.
//
// Better is what chance would not do in any of the changes that are looked at together, and what somebody would notice. That nothing is worse is a claim as well: an
// interval that is wide enough to hold 0 does not prove it, one whose worse end lies within a margin does (a test of non-inferiority: each measure is held against
// its own, and all must hold, so that no correction is due; Berger and Hsu 1996, https://doi.org/10.1214/ss/1032280304).

// Of what there is, as a part of it.
const (
	leastEffect = 0.01 // less is not worth a change of settings
	// speedMargin is what the blocks of an experiment tell for certain when they end with intervals of 2 % to either side.
	speedMargin = 0.05
	// qualityMargin is as much as the change must be worth.
	qualityMargin = 0.01
)

// significance is the chance that anything is called better of changes that do nothing.
const significance = 0.05

// effect is what a trial says of one measure, as a part of what there is, above 0 where it is better.
type effect struct {
	edge
	label    string
	adjusted float64 // p-value
	margin   float64
}

// measured are the measures of a trial that verdicts go by, in their order.
func (t *trial) measured(quality string) (list []*store.Experiment) {
	for _, name := range []string{qpsMeasure, ttftMeasure, quality} {
		if e := t.measures[name]; e != nil {
			list = append(list, e)
		}
	}
	return list
}

// adjust computes the p-values of all effects that a report looks at, as of hypotheses that are tested together.
func adjust(trials []*trial, quality string) {
	var p []float64
	for _, t := range trials {
		for _, e := range t.measured(quality) {
			p = append(p, stats.Interval{Estimate: e.After - e.Before, Low: e.Low, High: e.High}.P(int(e.N)))
		}
	}
	adjusted := stats.Holm(p)
	for _, t := range trials {
		t.adjusted, t.compared = map[string]float64{}, len(p)
		for _, e := range t.measured(quality) {
			t.adjusted[e.Measure], adjusted = adjusted[0], adjusted[1:]
		}
	}
}

// effects are those of a trial. Of what there is nothing of, no part is known.
func (t *trial) effects(quality string) (list []effect) {
	for _, e := range t.measured(quality) {
		f := effect{edge: edgeOf(e, true), label: change(e).Label, adjusted: t.adjusted[e.Measure], margin: speedMargin}
		if e.Measure == quality {
			f.margin = qualityMargin
		}
		if !(e.Before > 0) {
			f.edge = edge{math.NaN(), math.NaN(), math.NaN()}
		}
		list = append(list, f)
	}
	return list
}

// isBetter tells whether it is surely better, and worth it.
func (e *effect) isBetter() bool {
	return e.adjusted <= significance && e.low > 0 && e.value >= leastEffect
}

// isWorse tells whether it is surely worse, and by as much as somebody would notice.
func (e *effect) isWorse() bool { return e.high < 0 && e.value <= -leastEffect }

// isDoubtful tells whether it is worse, or not known to be no worse than its margin.
func (e *effect) isDoubtful() bool { return e.isWorse() || !(e.low > -e.margin) }

// labels name the effects of which something holds.
func labels(list []effect, holds func(*effect) bool) (names []string) {
	for i := range list {
		if holds(&list[i]) {
			names = append(names, list[i].label)
		}
	}
	return names
}

// mayLose tells of each doubtful effect how much its interval leaves room for.
func mayLose(list []effect) string {
	var parts []string
	for i := range list {
		switch e := &list[i]; {
		case !e.isDoubtful():
		case math.IsNaN(e.low) || math.IsInf(e.low, 0):
			parts = append(parts, e.label+" has no interval")
		default:
			parts = append(parts, e.label+" may lose "+in(-100*e.low, percent))
		}
	}
	return listed(parts)
}
