package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/store"
)

// This file owns tests of how minutes add up.

// Minutes of several tenants and classes: requests add up over the time that was, peaks do not, and a minute without a request is none.
func TestRates(t *testing.T) {
	at := func(minute int, class string, requests int64, peak float64) store.Window {
		from := noon.Add(time.Duration(minute) * time.Minute)
		return store.Window{From: from, Until: from.Add(time.Minute), Class: class, Requests: requests, QPSMean: float64(requests) / 60, QPSPeak: peak}
	}
	for name, c := range map[string]struct {
		windows    []store.Window
		mean, peak float64
	}{
		"one":                  {[]store.Window{at(0, "interactive", 120, 5)}, 2, 5},
		"two minutes":          {[]store.Window{at(0, "interactive", 120, 5), at(1, "interactive", 60, 3)}, 1.5, 5},
		"a gap":                {[]store.Window{at(0, "interactive", 120, 5), at(9, "interactive", 60, 3)}, 1.5, 5},
		"two classes":          {[]store.Window{at(0, "interactive", 120, 5), at(0, "batch", 60, 3)}, 3, 5},
		"two steady classes":   {[]store.Window{at(0, "interactive", 120, 2), at(0, "batch", 60, 1)}, 3, 3},
		"a peak nobody knows":  {[]store.Window{at(0, "interactive", 120, math.NaN())}, 2, 2},
		"unknown, then a peak": {[]store.Window{at(0, "interactive", 60, math.NaN()), at(1, "interactive", 60, 4)}, 1, 4},
	} {
		mean, peak := rates(c.windows)
		if !(math.Abs(mean-c.mean) <= 1e-12) || !(math.Abs(peak-c.peak) <= 1e-12) {
			t.Errorf("%s: %v and %v, want %v and %v", name, mean, peak, c.mean, c.peak)
		}
	}
	s := servingOf(nil)
	if s.qps.Value != nil || s.peak.Value != nil || s.ttft.Value != nil || s.p95.Value != nil || s.completed.Value != nil || s.qps.Missing == "" {
		t.Errorf("of nothing: %+v", s)
	}
}

// Latency is of interactive requests alone: nobody reads along with the others.
func TestLatencyIsInteractive(t *testing.T) {
	w := store.Window{From: noon.Add(-time.Minute), Until: noon, Class: "interactive", Requests: 3, TTFT: latencyOf(10, 8, 20, 30)}
	x := w
	x.Class, x.Requests, x.TTFT = "batch", 300, latencyOf(1000, 800, 2000, 3000)
	none := w
	none.Requests, none.TTFT = 0, latencyOf(0, 0, 0, 0)
	s := servingOf([]store.Window{w, x, none})
	if !(math.Abs(*s.ttft.Value-10) <= 1e-9) || s.ttft.N != 3 || !(math.Abs(*s.p99.Value-30) <= 1e-6) || *s.completed.Value != 303 {
		t.Errorf("%v of %d, p99 %v, %v requests", *s.ttft.Value, s.ttft.N, *s.p99.Value, *s.completed.Value)
	}
	slowMinute := w
	slowMinute.Requests, slowMinute.TTFT = 1, latencyOf(50, 40, 60, 70)
	if s := servingOf([]store.Window{w, slowMinute}); !(math.Abs(*s.ttft.Value-20) <= 1e-9) {
		t.Errorf("the mean is %v, want that of all four requests", *s.ttft.Value)
	}
}

// A quantile of several minutes lies between theirs, grows with the share, and is that of requests which are spread as each minute says.
func TestQuantiles(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) store.Window {
		p50 := rapid.Float64Range(0.1, 100).Draw(t, "p50")
		p95 := p50 + rapid.Float64Range(0, 100).Draw(t, "p95")
		return store.Window{Requests: rapid.Int64Range(1, 1000).Draw(t, "n"), TTFT: latencyOf(p50, p50, p95, p95+rapid.Float64Range(0, 100).Draw(t, "p99"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		windows := rapid.SliceOfN(draw, 1, 6).Draw(t, "windows")
		last := 0.0
		for i, q := range marks[1:] {
			var own []float64
			for j := range windows {
				own = append(own, curveOf(&windows[j])[i+1])
			}
			x := quantile(windows, q)
			if !(x >= slices.Min(own)-1e-9 && x <= slices.Max(own)+1e-9 && x >= last-1e-9) {
				t.Fatalf("the quantile %v is %v, those of the minutes %v, that before %v", q, x, own, last)
			}
			last = x
		}
	})
	// 900 requests of which half take up to 10 ms and the others up to 20, and 100 that take 10 times that: the 95th percentile is the 50th of those.
	fast, slow := store.Window{Requests: 900, TTFT: latencyOf(10, 10, 20, 21)}, store.Window{Requests: 100, TTFT: latencyOf(100, 100, 200, 210)}
	if x := quantile([]store.Window{fast, slow}, 0.95); !(math.Abs(x-100) <= 1e-6) {
		t.Errorf("the 95th percentile is %v, want 100", x)
	}
	if !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("nothing has a median")
	}
}

// Fewer requests than are wanted are a fault only where there were more.
func TestDemand(t *testing.T) {
	turnedAway := slow()
	turnedAway.objectives.QPS = 100
	r := Make(turnedAway.input(t))
	if s := r.Summaries[0].Statements[0]; s.Status != Missed {
		t.Errorf("with requests turned away: %s: %s", s.Status, s.Text)
	}
	turnedAway.models = append(turnedAway.models, "other")
	r = Make(turnedAway.input(t))
	if s := r.Summaries[0].Statements; s[0].Status != Unasked || !strings.Contains(s[2].Text, "9 more were refused or failed before their model was known, of whichever model") {
		t.Errorf("of whichever model: %s: %s %s", s[0].Status, s[0].Text, s[2].Text)
	}
	for missed, want := range map[string]Status{"": Unasked, "ttft_ms": Unasked, "ttft_ms,qps": Missed} {
		f := slow()
		f.objectives.QPS, f.windows = 100, f.windows[:len(f.windows)-1]
		f.windows[7].Missed = missed
		r := Make(f.input(t))
		s := r.Summaries[0].Statements[0]
		if s.Status != want || slices.Contains(r.Summaries[0].Missed, "qps") != (want == Missed) || strings.Contains(s.Text, "nobody asked for more") != (want == Unasked) {
			t.Errorf("%q: %s: %s", missed, s.Status, s.Text)
		}
	}
}

// A series has all requests, in at most so many points, and minutes without a request are gaps.
func TestSeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1500).Draw(t, "minutes")
		windows := minutes("m", n, noon, store.Window{Requests: 60, QPSMean: 1, QPSPeak: 1, TTFT: latencyOf(5, 5, 6, 7)})
		s := seriesOf(windows)
		sum := 0.0
		for i, p := range s.Points {
			sum += p.QPS * p.Until.Sub(p.From).Seconds()
			if i > 0 && !p.From.Equal(s.Points[i-1].Until) {
				t.Fatalf("a gap before %v", p.From)
			}
		}
		if len(s.Points) > mostPoints || !(math.Abs(sum-float64(60*n)) <= 1e-6) || *s.Points[0].TTFT != 5 {
			t.Fatalf("%d points of %d minutes with %v requests", len(s.Points), n, sum)
		}
	})
	p := newPlot("x")
	windows := append(minutes("m", 3, noon.Add(-time.Hour), store.Window{Requests: 1, QPSMean: 1}), minutes("m", 1, noon, store.Window{Requests: 1, QPSMean: 1})...)
	points := seriesOf(windows).Points
	p.line("one", points, p.timeAxis(points[0].From, noon), p.valueAxis(0, 1, "y"), func(i *Instant) *float64 { return &i.QPS })
	if len(p.Lines) != 1 || len(p.Marks) != 1 {
		t.Errorf("%d lines and %d marks, want one of three minutes and one of a minute alone", len(p.Lines), len(p.Marks))
	}
}

func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e6, 1e6).Draw(t, "low")
		high := low + rapid.Float64Range(0, 1e6).Draw(t, "more")
		list, from, to := ticksOf(low, high)
		if len(list) < 2 || len(list) > 11 || from > low+1e-6 || to < high-1e-6 || !slices.IsSorted(list) {
			t.Fatalf("%v to %v: %v, from %v to %v", low, high, list, from, to)
		}
	})
}

func TestChanges(t *testing.T) {
	f := fast()
	in := f.input(t)
	r := Make(in)
	changes := r.Summaries[0].Changes
	if len(changes) != 6 {
		t.Fatalf("%d changes", len(changes))
	}
	for i, want := range []struct {
		before, after, change float64
		better                bool
	}{{1400, 1500, 100 * 100.0 / 1400, true}, {1500, 1620, 8, true}, {48, 45, -6.25, true}, {75, 71, -100 * 4.0 / 75, true}, {90, 88, -100 * 2.0 / 90, true}, {30, 0, -100, true}} {
		c := changes[i]
		if !(math.Abs(*c.Before.Value-want.before) <= 1e-6) || !(math.Abs(*c.After.Value-want.after) <= 1e-6) || !(math.Abs(*c.Change-want.change) <= 1e-6) || *c.Better != want.better {
			t.Errorf("%s: %v to %v by %v", c.After.Label, *c.Before.Value, *c.After.Value, *c.Change)
		}
	}
	f.windows, f.earlier = f.earlier, f.windows
	for i := range f.windows {
		f.windows[i].From, f.windows[i].Until = f.windows[i].From.Add(24*time.Hour), f.windows[i].Until.Add(24*time.Hour)
	}
	for i := range f.earlier {
		f.earlier[i].From, f.earlier[i].Until = f.earlier[i].From.Add(-24*time.Hour), f.earlier[i].Until.Add(-24*time.Hour)
	}
	r = Make(f.input(t))
	for _, c := range r.Summaries[0].Changes {
		if *c.Better {
			t.Errorf("%s is better the other way round, too", c.After.Label)
		}
	}
	f.earlier = nil
	in = f.input(t)
	in.Earlier = &Period{From: in.From.Add(-time.Hour), Until: in.From}
	if r = Make(in); r.Summaries[0].Changes[0].Change != nil || r.Summaries[0].Changes[0].Before.Missing == "" {
		t.Errorf("against nothing: %+v", r.Summaries[0].Changes[0])
	}
}
