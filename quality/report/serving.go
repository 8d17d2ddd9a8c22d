package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"chimera/store"
)

// This file owns the figures of speed: what the minutes of a model add up to.

// serving are the figures of a model's speed and its requests.
type serving struct {
	qps, peak           Figure
	ttft, p50, p95, p99 Figure
	completed, lost     Figure // lost: refused and failed
	refused, failed     int64
	cancelled           int64
	nameless            *Figure // refused or failed before their model was known; nil: none
}

// interactive is the class that latency is promised to: nobody reads along with the others.
const interactive = "interactive"

const (
	noWindows     = "no minute of the period had a request"
	noInteractive = "no interactive request of the period had a token"
	noTime        = "the rows have no length"
)

// serving computes them.
func (m *modelInput) serving() serving {
	s := servingOf(m.Windows)
	s.qps, s.peak = s.qps.against("qps", m.Objectives.QPS, false), s.peak.against("qps", m.Objectives.QPS, false)
	s.peak.Objective = softened(s.peak.Objective)
	if o := s.qps.Objective; o != nil && o.Status == Missed && !missedQPS(m.Windows) && !(m.alone && len(m.nameless) > 0) {
		o.Status = Unasked
	}
	s.ttft = s.ttft.against("ttft_ms", m.Objectives.TTFT, true)
	s.p95 = s.p95.against("ttft_p95_ms", m.Objectives.TTFTP95, true)
	if len(m.nameless) > 0 {
		f := servingOf(m.nameless).lost
		f.Name, f.Label = "lost_nameless", "requests refused or failed before their model was known"
		s.nameless = &f
	}
	s.within(m.From, m.Until)
	return s
}

// within gives the figures that no row has a time for the period that they were looked for in.
func (s *serving) within(from, until time.Time) {
	for _, f := range []*Figure{&s.qps, &s.peak, &s.ttft, &s.p50, &s.p95, &s.p99, &s.completed, &s.lost} {
		if f.From.IsZero() {
			f.From, f.Until = from, until
		}
		f.From, f.Until = f.From.UTC(), f.Until.UTC()
	}
}

// missedQPS tells whether a minute had more requests than could be served: fewer than are wanted are a fault only then.
func missedQPS(windows []store.Window) bool {
	return slices.ContainsFunc(windows, func(w store.Window) bool { return slices.Contains(strings.Split(w.Missed, ","), "qps") })
}

// softened keeps the distance from a target, which a peak below it does not miss: the mean does.
func softened(o *Objective) *Objective {
	if o != nil {
		o.Status = NoTarget
	}
	return o
}

// servingOf computes figures of windows, without objectives.
func servingOf(windows []store.Window) (s serving) {
	number := func(w *store.Window) int64 { return w.Row }
	sources := rowsOf(store.Windows, numbers(windows, number))
	all := Figure{Sources: sources, Unit: perSecond, Of: requests}
	all.From, all.Until = stretch(windows)
	for i := range windows {
		w := &windows[i]
		all.N += w.Requests
		s.refused, s.failed, s.cancelled = s.refused+w.Refused, s.failed+w.Failed, s.cancelled+w.Cancelled
	}
	s.qps, s.peak, s.completed, s.lost = all, all, all, all
	mean, peak := rates(windows)
	s.qps.Name, s.qps.Label, s.qps.Method = "qps_mean", "queries a second, mean", "completed requests over the length of the minutes that had requests"
	s.qps = s.qps.set(mean, noWindows)
	s.peak.Name, s.peak.Label = "qps_peak", "queries a second, peak"
	s.peak.Method = "the best ten seconds of any tenant and class, or the best minute of all together, whichever is more: a lower bound where several shared a minute"
	s.peak = s.peak.set(peak, noWindows)
	s.completed.Name, s.completed.Label, s.completed.Unit, s.completed.Method = "completed", "requests completed", requests, "sum"
	s.completed = s.completed.set(float64(all.N), noWindows)
	s.lost.Name, s.lost.Label, s.lost.Unit, s.lost.Method = "lost", "requests refused or failed", requests, "sum"
	s.lost.N += s.refused + s.failed
	s.lost = s.lost.set(float64(s.refused+s.failed), noWindows)
	if len(windows) == 0 {
		s.completed, s.lost = s.completed.missing(noWindows), s.lost.missing(noWindows)
	}
	s.latency(where(windows, func(w *store.Window) bool { return w.Class == interactive && w.Requests > 0 && w.TTFT.Mean > 0 }))
	return s
}

// latency computes the times to the first token.
func (s *serving) latency(windows []store.Window) {
	base := Figure{Unit: millis, Of: "interactive requests", Sources: rowsOf(store.Windows, numbers(windows, func(w *store.Window) int64 { return w.Row }))}
	base.From, base.Until = stretch(windows)
	sum := 0.0
	for i := range windows {
		base.N += windows[i].Requests
		sum += float64(windows[i].Requests) * float64(windows[i].TTFT.Mean)
	}
	s.ttft = base
	s.ttft.Name, s.ttft.Label, s.ttft.Method = "ttft_mean_ms", "time to the first token, mean", "mean of the minutes' means, weighted by requests"
	s.ttft = s.ttft.set(sum/float64(base.N)/1e6, noInteractive)
	for _, q := range []struct {
		to          *Figure
		name, label string
		q           float64
	}{{&s.p50, "ttft_p50_ms", "50th percentile", 0.5}, {&s.p95, "ttft_p95_ms", "95th percentile", 0.95}, {&s.p99, "ttft_p99_ms", "99th percentile", 0.99}} {
		f := base
		f.Name, f.Label = q.name, "time to the first token, "+q.label
		f.Method = "quantile of the minutes together, each taken as linear between its 0, p50, p95 and p99, weighted by requests"
		*q.to = f.set(quantile(windows, q.q), noInteractive)
	}
}

// stretch is from the beginning of the first window to the end of the last.
func stretch(windows []store.Window) (from, until time.Time) {
	for i := range windows {
		if w := &windows[i]; i == 0 || w.From.Before(from) {
			from = w.From
		}
		if w := &windows[i]; w.Until.After(until) {
			until = w.Until
		}
	}
	return from, until
}

// minute is a stretch that windows of several tenants and classes may share.
type minute struct{ from, until time.Time }

// rates are the mean and peak of requests completed a second; NaN where there are no windows. A tenant's and a class's peak need not be at
// the same time as another's, so they are not added up.
func rates(windows []store.Window) (mean, peak float64) {
	means, completed, length := map[minute]float64{}, 0.0, 0.0
	peak = math.NaN()
	for i := range windows {
		w := &windows[i]
		completed += float64(w.Requests)
		means[minute{w.From, w.Until}] += w.QPSMean
		if !math.IsNaN(w.QPSPeak) && !(peak >= w.QPSPeak) {
			peak = w.QPSPeak
		}
	}
	for at, qps := range means {
		length += at.until.Sub(at.from).Seconds()
		if !(peak >= qps) {
			peak = qps
		}
	}
	return completed / length, peak
}

// quantile is the time within which a share q of all windows' requests had their first token, in ms; NaN of no windows. A window tells three
// quantiles, and between them its requests are taken as spread evenly. The result lies between the least and the largest of the windows'
// quantiles, and is that of a single one.
//
// Rejected: the mean of the windows' percentiles, which a slow minute with many requests is not seen in.
func quantile(windows []store.Window, q float64) float64 {
	if len(windows) == 0 {
		return math.NaN()
	}
	low, high, all := math.Inf(1), math.Inf(-1), 0.0
	at := make([]curve, len(windows)) // once: there may be hundreds of thousands
	for i := range windows {
		at[i] = curveOf(&windows[i])
		x := at[i][slices.Index(marks[:], q)]
		low, high, all = min(low, x), max(high, x), all+float64(windows[i].Requests)
	}
	for range 60 { // halvings: to less than a picosecond
		middle, within := (low+high)/2, 0.0
		for i := range windows {
			within += float64(windows[i].Requests) * at[i].share(middle)
		}
		if within >= q*all {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// marks are the shares whose times a window tells; beyond the last it goes on as between the two before it.
var marks = [...]float64{0, 0.5, 0.95, 0.99}

// curve is the times of a window at the marks, in ms.
type curve [len(marks)]float64

func curveOf(w *store.Window) curve {
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	c := curve{0, ms(w.TTFT.P50), ms(w.TTFT.P95), ms(w.TTFT.P99)}
	for i := 1; i < len(c); i++ {
		c[i] = max(c[i], c[i-1])
	}
	return c
}

// share is the part of the window's requests that had their first token within so many ms.
func (c *curve) share(ms float64) float64 {
	for i := 1; i < len(c); i++ {
		if ms < c[i] {
			return marks[i-1] + (marks[i]-marks[i-1])*(ms-c[i-1])/(c[i]-c[i-1])
		}
	}
	last := len(c) - 1
	if tail := c[last] - c[last-1]; tail > 0 {
		return min(1, marks[last]+(marks[last]-marks[last-1])*(ms-c[last])/tail)
	}
	return 1
}
