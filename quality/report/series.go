package report

import (
	"math"
	"time"

	"chimera/store"
)

// This file owns how speed went over time, and what changed since the period before.

// Series is a model's speed over time, the oldest first, for plots.
type Series struct {
	Points  []Instant `json:"points"`
	Sources []Source  `json:"sources"`
}

// Instant is a stretch of it.
type Instant struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	QPS   float64   `json:"qps"`
	TTFT  *float64  `json:"ttft_mean_ms"` // of interactive requests; null where there were none
	P95   *float64  `json:"ttft_p95_ms"`
}

// mostPoints is what a plot has room for: a point every three pixels.
const mostPoints = 240

// seriesOf puts windows into at most mostPoints stretches of equal numbers of minutes.
func seriesOf(windows []store.Window) Series {
	s := Series{Points: []Instant{}, Sources: rowsOf(store.Windows, numbers(windows, func(w *store.Window) int64 { return w.Row }))}
	minutes := 0
	for i := range windows {
		if i == 0 || !windows[i].Until.Equal(windows[i-1].Until) {
			minutes++
		}
	}
	each := max(1, (minutes+mostPoints-1)/mostPoints)
	for len(windows) > 0 {
		n, seen := 0, 0
		for n < len(windows) {
			if n == 0 || !windows[n].Until.Equal(windows[n-1].Until) {
				if seen++; seen > each {
					break
				}
			}
			n++
		}
		s.Points = append(s.Points, instant(windows[:n]))
		windows = windows[n:]
	}
	return s
}

func instant(windows []store.Window) Instant {
	f := servingOf(windows)
	i := Instant{From: f.qps.From.UTC(), Until: f.qps.Until.UTC(), TTFT: f.ttft.Value, P95: f.p95.Value}
	if f.qps.Value != nil {
		i.QPS = *f.qps.Value
	}
	return i
}

// Change is a figure beside what it was in the period before.
type Change struct {
	Before Figure   `json:"before"`
	After  Figure   `json:"after"`
	Change *float64 `json:"change"` // in percent of what it was; null where one is missing
	Better *bool    `json:"better"` // null where nothing changed, or is known
}

// changes compares the figures of speed.
func (m *modelInput) changes(now serving) []Change {
	list := []Change{}
	if m.Earlier == nil {
		return list
	}
	before := servingOf(where(m.Earlier.Windows, func(w *store.Window) bool { return w.Model == m.name }))
	before.within(m.Earlier.From, m.Earlier.Until)
	for _, pair := range []struct {
		before, after Figure
		lower         bool // is better
	}{{before.qps, now.qps, false}, {before.peak, now.peak, false}, {before.ttft, now.ttft, true}, {before.p95, now.p95, true}, {before.p99, now.p99, true}, {before.lost, now.lost, true}} {
		c := Change{Before: pair.before, After: pair.after}
		if c.Before.Value != nil && c.After.Value != nil {
			c.compare(pair.lower)
		}
		list = append(list, c)
	}
	return list
}

func (c *Change) compare(lower bool) {
	difference := *c.After.Value - *c.Before.Value
	if difference != 0 {
		better := difference > 0 != lower
		c.Better = &better
	}
	if share := 100 * difference / *c.Before.Value; !math.IsNaN(share) && !math.IsInf(share, 0) {
		c.Change = &share
	}
}
