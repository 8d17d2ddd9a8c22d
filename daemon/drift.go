package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/drift"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns drift at work: each score of what serves, of a window of live requests or of a suite's run, is held against those before it. What is
// surely worse raises an alarm. Live scores have the suites asked by that, and nothing else: these decide.
//
// Detectors have no file of their own. After a start they read the history's scores as they read them when they were new, and stand where they stood.

// drifts watches scores. It has a lock of its own, which is held while the history is read.
type drifts struct {
	mu       sync.Mutex
	watch    drift.Watch
	sources  map[string]string // by model and suite, the numerics id of the control
	recalled bool
}

// drifted is a series that is surely worse.
type drifted struct {
	drift.Key
	*drift.Finding
}

// recalledFor is how far back scores are read at the start: those of a day, and of a month where a day has few. A busy server's month is millions of rows, and
// its detectors learn anew in less than a day.
var recalledFor = []time.Duration{24 * time.Hour, 30 * 24 * time.Hour}

// fewScores are so many that a longer span is read in their place, and mostScores what is read of any.
const (
	fewScores  = 5_000
	mostScores = 500_000
)

// see holds a score against those before it; deviation is its standard error beside the run that it is held against, where that is known.
func (d *drifts) see(h *history, row store.Score, deviation float64) *drifted {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recall(h)
	return d.add(row, deviation)
}

// references are, by metric, the numerics ids of the runs that the next run of a suite's tuning half is held against.
func (d *drifts) references(h *history, model, name, digest, tier string) map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recall(h)
	list := map[string]string{}
	for metric, p := range d.watch.References(drift.Key{Model: model, Source: d.sources[model+"\x00"+name], Tier: tier, Suite: name, Digest: digest}) {
		list[metric] = p.Numerics
	}
	return list
}

// add is see behind the lock.
func (d *drifts) add(row store.Score, deviation float64) *drifted {
	of := row.Model + "\x00" + row.Suite
	if row.Tier == api.SourceTier { // it is what is compared with: it has no drift, and its goldens are pinned
		if row.Numerics != "" {
			d.sources[of] = row.Numerics
		}
		return nil
	}
	k := drift.Key{Model: row.Model, Source: d.sources[of], Tier: row.Tier, Suite: row.Suite, Digest: row.Digest, Metric: row.Metric, Tag: row.Tag}
	p := drift.Point{Time: row.Time, Value: row.Value, Error: deviation, N: int(row.N), Numerics: row.Numerics}
	var f *drift.Finding
	switch {
	case row.Suite == liveSuite && row.Metric == group.Fluency:
		// How fluent answers are follows what clients ask: other questions would be called drift.
	case row.Suite == liveSuite:
		f = d.watch.Window(k, p)
	case row.Tag == string(suite.Tuning):
		k.Tag = "" // it is all that tiers are chosen by
		f = d.watch.Run(k, p)
	}
	if f == nil {
		return nil
	}
	return &drifted{k, f}
}

// standardError is that of a score's interval of 95 %.
func standardError(row store.Score) float64 { return (row.High - row.Low) / (2 * 1.959964) }

// unpairedError is a score's standard error beside those before it where nothing is known item by item: of a run and its reference, of which each is as
// uncertain, that is more than it is, so that what is found by it is there. Windows' series know the error of what they have learnt themselves.
func unpairedError(row store.Score) float64 {
	if row.Suite == liveSuite {
		return standardError(row)
	}
	return standardError(row) * math.Sqrt2
}

// recall reads what the history has, once.
func (d *drifts) recall(h *history) {
	if d.recalled {
		return
	}
	d.recalled = true
	d.watch, d.sources = drift.Watch{}, map[string]string{}
	if h.keepsNothing() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	var rows []store.Score
	for _, back := range recalledFor {
		if len(rows) >= fewScores {
			break
		}
		rows = nil
		for row, err := range h.store.Scores(ctx, store.Span{From: time.Now().Add(-back)}) {
			if err != nil {
				slog.Warn("drift: earlier scores can't be read, what serves is learnt anew", "cause", err)
				return
			}
			if rows = append(rows, row); len(rows) == mostScores {
				break
			}
		}
	}
	for _, row := range rows {
		d.add(row, unpairedError(row))
	}
}

// states are how the series stand.
func (d *drifts) states(h *history) []drift.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.recall(h)
	return d.watch.States()
}

// tellDrift raises one alarm of all that has drifted at a time, by what is of all requests if any is: a change shows in most series, and it is one. It tells
// whether there was something to tell.
func (all *runtimes) tellDrift(list []*drifted) bool {
	if len(list) == 0 {
		return false
	}
	first, names := list[0], make([]string, 0, len(list))
	for _, d := range list {
		if first.Tag != "" && d.Tag == "" {
			first = d
		}
		names = append(names, seriesName(d.Key))
	}
	all.raise(alarm{model: first.Model, series: seriesName(first.Key), detector: first.Detector, evidence: map[string]any{"finding": first.Finding, "series": names}})
	return true
}

// tellWorseRun is tellDrift for scores of a suite's run, some of which are nil. The guard looks at once: it has the same figures.
func (all *runtimes) tellWorseRun(list []*drifted) {
	list = slices.DeleteFunc(list, func(d *drifted) bool { return d == nil })
	if all.tellDrift(list) {
		all.guardian.look()
	}
}

// seriesName is what people call a series.
func seriesName(k drift.Key) string {
	of := "suite " + k.Suite
	if k.Suite == liveSuite {
		of = "live answers"
	}
	if k.Tag != "" {
		of += ", " + k.Tag
	}
	return fmt.Sprintf("%s of %s, tier %s", k.Metric, of, k.Tier)
}

// qualityDrift is how the series stand, as GET /v1/quality shows them.
func (all *runtimes) qualityDrift() []api.QualityDrift {
	list := []api.QualityDrift{}
	for _, s := range all.drifts.states(all.history) {
		d := api.QualityDrift{
			Model: s.Model, Suite: s.Suite, Metric: s.Metric, Tag: s.Tag, Tier: s.Tier, State: s.Phase, Value: s.Last.Value, At: s.Last.Time, Baseline: s.Baseline,
			Windows: s.Windows, Sum: s.Sum, Threshold: s.Threshold, Alarms: s.Alarms,
		}
		if s.Deviation > 0 && !math.IsInf(s.Deviation, 0) {
			d.Deviation = &s.Deviation
		}
		list = append(list, d)
	}
	return list
}
