package drift

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// This file owns all series together: which there are, and how they share the budget.

// mostSeries bounds what is held: of each model and tier some metrics, by a dozen tags. What has no room costs the series that has had no figure for the
// longest time its place.
const mostSeries = 2048

// Watch is all that is watched. Its zero value watches nothing yet. It is for one goroutine at a time.
type Watch struct {
	all map[Key]*series
	now map[string]standing // by model
}

// standing is what a model's series are of that are watched now.
type standing struct{ source, tier string }

// Window takes in a figure of a window of requests; nil: it is no worse than before, as far as can be told.
func (w *Watch) Window(k Key, p Point) *Finding {
	if !p.valid() {
		return nil
	}
	s := w.series(k)
	return s.window(p, threshold(rate(k.Tag, w.alike(s))))
}

// Run takes in a figure of a suite's run.
func (w *Watch) Run(k Key, p Point) *Finding {
	if math.IsNaN(p.Error) { // of a row of the history, before which there was none
		p.Error = math.Inf(1)
	}
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) || p.N < 1 || !isWatchedOfRuns(k.Metric) {
		return nil
	}
	s := w.series(k)
	s.isRun = true
	return s.run(p, quantile(runRate(k.Metric, w.alike(s))))
}

// References are, by metric, the runs that the next run of a suite is held against. of has no metric.
func (w *Watch) References(of Key) map[string]Point {
	list := map[string]Point{}
	for k, s := range w.all {
		metric := k.Metric
		if k.Metric = ""; s.isRun && k == of {
			list[metric] = s.reference
		}
	}
	return list
}

// valid tells whether a figure can be judged.
func (p *Point) valid() bool {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	return finite(p.Value) && finite(p.Error) && p.Error >= 0 && p.N > 0
}

// series is one of its name, which is watched from here on.
func (w *Watch) series(k Key) *series {
	if w.all == nil {
		w.all, w.now = map[Key]*series{}, map[string]standing{}
	}
	w.now[k.Model] = standing{k.Source, k.Tier}
	s := w.all[k]
	if s == nil {
		if len(w.all) >= mostSeries {
			w.dropOldest()
		}
		s = &series{key: k}
		w.all[k] = s
	}
	return s
}

func (w *Watch) dropOldest() {
	var oldest *series
	for _, s := range w.all {
		if oldest == nil || s.last.Time.Before(oldest.last.Time) {
			oldest = s
		}
	}
	delete(w.all, oldest.key)
}

// isWatched tells whether figures of a series still come: its model serves at that tier.
func (w *Watch) isWatched(k Key) bool { return w.now[k.Model] == standing{k.Source, k.Tier} }

// alike is how many series share a part of a budget with one: of windows those of all requests, or those of parts; of runs those of agreement, of chrF, or the others.
func (w *Watch) alike(of *series) (n int) {
	for k, s := range w.all {
		if w.isWatched(k) && s.shares(of) {
			n++
		}
	}
	return n
}

func (s *series) shares(of *series) bool {
	if s.isRun || of.isRun {
		return s.isRun == of.isRun && partOf(s.key.Metric) == partOf(of.key.Metric)
	}
	return (s.key.Tag == "") == (of.key.Tag == "")
}

// States are how the series stand of what serves now, in the order of their names.
func (w *Watch) States() (list []State) {
	for k, s := range w.all {
		if !w.isWatched(k) {
			continue
		}
		state := State{Key: k, Phase: Learning, Last: s.last, Deviation: s.deviation, Windows: s.base.windows, Sum: s.worse, Threshold: s.lastLimit, Alarms: s.alarms}
		if s.base.windows > 0 {
			state.Phase, state.Baseline = Watching, s.base.mean()
		}
		list = append(list, state)
	}
	slices.SortFunc(list, func(a, b State) int {
		return cmp.Or(strings.Compare(a.Model, b.Model), strings.Compare(a.Suite, b.Suite), strings.Compare(a.Tag, b.Tag), strings.Compare(a.Metric, b.Metric), strings.Compare(a.Digest, b.Digest))
	})
	return list
}
