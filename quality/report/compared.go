package report

import (
	"cmp"
	"math"
	"slices"

	"chimera/store"
)

// This file owns what a tier is beside its source over whole suites, item by item, and by what that is judged: the guard's rule. Live answers say
// nothing here: their chrF2 is held against the source's own text, of which any tier falls short, and what clients ask is theirs to choose.

// Allowed is what a tier may lose, as the settings in [tiers] have it.
type Allowed struct {
	MaxLoss      float64 // points of a hundred
	MinAgreement float64 // with the source, 0 to 1; 0 asks nothing
}

// compared are the newest comparisons of a tier with its source, of a kind, in the order of suites and metrics.
func (m *modelInput) compared(kind store.ExperimentKind, tier string) (list []*store.Experiment) {
	for i := range m.Experiments {
		e := &m.Experiments[i]
		if e.Kind != kind || e.On != tier {
			continue
		}
		if at := slices.IndexFunc(list, func(o *store.Experiment) bool { return o.Factor == e.Factor && o.Measure == e.Measure }); at >= 0 {
			list[at] = e
		} else {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *store.Experiment) int {
		return cmp.Or(cmp.Compare(a.Factor, b.Factor), cmp.Compare(a.Measure, b.Measure))
	})
	return list
}

// gap is the overfitting gap: what the tier gained on the source on the half that it may have been chosen by, less what it gained on the sealed one.
func gap(e *store.Experiment) Figure {
	return comparison(e, "gap", "overfitting gap", "(tier − control) on the tuning half − (tier − control) on the sealed half, "+e.Method)
}

// loss is what the tier has above the source: below 0 it is worse.
func loss(e *store.Experiment) Figure {
	return comparison(e, "loss", e.On+" less the control", "tier − control, "+e.Method)
}

func comparison(e *store.Experiment, name, label, method string) Figure {
	value, low, high := gain(e)
	about := metricOf(e.Measure)
	f := Figure{Name: e.Factor + "." + e.Measure + "." + name, Label: about.label + " on " + e.Factor + ", " + label, Unit: about.unit, N: e.N, Of: "items",
		From: e.Time, Until: e.Time, Method: method, Sources: rowsOf(store.Experiments, []int64{e.Row})}
	return f.set(value, "the comparison gave no number").between(low, high)
}

// guarded are the metrics that tiers are judged by where a suite has one of them. Others of the same texts see less: BLEU's interval is wider than what
// tiers differ by.
var guarded = []string{"chrf", "exact", "acc", "properties", "rouge-l"}

// judged are the comparisons that say whether the tier holds, each with what it may lose: of each suite those by the guard's metrics, or where it has none all
// that have a scale; and agreement, where something is asked of it.
func (m *modelInput) judged(list []*store.Experiment) (of []*store.Experiment, limits []float64) {
	byGuard := map[string]bool{}
	for _, e := range list {
		byGuard[e.Factor] = byGuard[e.Factor] || slices.Contains(guarded, e.Measure)
	}
	for _, e := range list {
		limit := m.limit(e, byGuard[e.Factor])
		if value, _, _ := gain(e); limit > 0 && !math.IsNaN(value) {
			of, limits = append(of, e), append(limits, limit)
		}
	}
	return of, limits
}

// limit is how much may be lost in a comparison's metric, in its unit; 0: it is not judged by it.
func (m *modelInput) limit(e *store.Experiment, byGuard bool) float64 {
	unit := metricOf(e.Measure).unit
	switch {
	case e.Measure == agreementMeasure && m.Allowed.MinAgreement > 0:
		return 1 - m.Allowed.MinAgreement
	case e.Measure == agreementMeasure || unit == perplexity || byGuard && !slices.Contains(guarded, e.Measure):
		return 0
	case unit == points:
		return m.Allowed.MaxLoss
	}
	return m.Allowed.MaxLoss / 100
}

// agreementMeasure is the metric of tokens that are the source's: 1 of the source itself, so that any tier has less.
const agreementMeasure = "agreement"

// standing is the comparison that is nearest to what may be lost, or farthest beyond it, and how it stands: within it, perhaps, or beyond.
func standing(of []*store.Experiment, limits []float64) (worst *store.Experiment, status RiskStatus, words string) {
	most := math.Inf(-1)
	for i, e := range of {
		value, low, _ := gain(e)
		s, part := Clear, -value/limits[i]
		switch {
		case !(value >= -limits[i]):
			s = Open
		case !(low > -limits[i]):
			s = Watch
		}
		if worst == nil || s.rank() > status.rank() || s == status && part > most {
			worst, status, most = e, s, part
			words = in(limits[i], metricOf(e.Measure).unit) + " that may be lost"
		}
	}
	return worst, status, words
}
