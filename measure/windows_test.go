package measure

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"chimera/store"
)

// This file owns tests of windows and of the objectives that they are held against.

var noon = time.Date(2027, 1, 2, 12, 0, 0, 0, time.UTC)

// named stands for a tenant by its first letter.
func named(name string) (t store.Tenant) {
	copy(t[:], name)
	return t
}

func nobodyWaits(string) int { return 0 }

// near tells whether a time is another, as a sketch has it.
func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= accuracy*float64(want)
}

// A window has all that was told of its minute and nothing else, apart by key.
func TestWindows(t *testing.T) {
	w := NewWindows(noon)
	a, b := Key{"m", "a", "interactive"}, Key{"m", "b", "batch"}
	for i := range 100 {
		w.Add(Answer{Line: Line{a, "q4_k"}, Ended: noon.Add(time.Duration(i/5) * time.Second), PromptTokens: 10, AnswerTokens: 3, Placed: true, Queue: time.Second,
			TTFT: time.Duration(i+1) * time.Millisecond, ITL: []time.Duration{10 * time.Millisecond, 30 * time.Millisecond}})
	}
	w.Add(Answer{Line: Line{Key: b}, End: Refused})
	w.Add(Answer{Line: Line{Key: b}, End: Failed, AnswerTokens: 2, TTFT: time.Millisecond})
	w.Add(Answer{Line: Line{Key: b}, End: Cancelled, Placed: true})
	until := noon.Add(50 * time.Second)
	rows, used := w.Close(until, Objectives{}, Load{DeviceBusy: 0.75, CoresUsed: 1.5, CoresMost: 2, Models: map[string]ModelLoad{"m": {0.5, 0.25, Way{"q4_k", "f16"}}}}, nobodyWaits, named)
	if len(rows) != 2 || rows[0].Tenant != named("a") || rows[1].Tenant != named("b") || !rows[0].From.Equal(noon) || !rows[0].Until.Equal(until) {
		t.Fatalf("%+v", rows)
	}
	r := rows[0]
	if r.Requests != 100 || r.QPSMean != 2 || r.QPSPeak != 5 || r.PromptTokens != 1000 || r.AnswerTokens != 300 || r.Refused+r.Failed+r.Cancelled != 0 {
		t.Errorf("%+v", r)
	}
	if !near(r.TTFT.P50, 50*time.Millisecond) || !near(r.TTFT.P95, 95*time.Millisecond) || !near(r.TTFT.P99, 99*time.Millisecond) || r.TTFT.Mean != 50500*time.Microsecond ||
		r.ITL.Mean != 20*time.Millisecond || !near(r.Queue.P99, time.Second) {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Requests != 0 || r.Refused != 1 || r.Failed != 1 || r.Cancelled != 1 || r.QPSMean != 0 || r.Class != "batch" {
		t.Errorf("%+v", r)
	}
	if want := (Usage{100, 1000, 300}); used[Line{a, "q4_k"}] != want || used[Line{Key: b}] != (Usage{0, 0, 2}) || len(used) != 2 {
		t.Errorf("%+v", used)
	}
	for _, r := range rows {
		if r.DeviceBusy != 0.75 || r.DeviceShare != 0.5 || r.Crowded != 0.25 || r.CoresUsed != 1.5 || r.CoresMost != 2 || r.Tier != "q4_k" || r.KVType != "f16" {
			t.Errorf("what the minute was like: %+v", r)
		}
	}
	if rows, _ := w.Close(until.Add(time.Minute), Objectives{}, Load{}, nobodyWaits, named); len(rows) != 0 {
		t.Errorf("the next window has %+v", rows)
	}
}

func TestPeak(t *testing.T) {
	for _, c := range []struct {
		completed map[int64]int64
		length    time.Duration
		want      float64
	}{
		{map[int64]int64{0: 5, 9: 5, 10: 90}, time.Minute, 9.5}, {map[int64]int64{0: 5, 9: 5}, 10 * time.Second, 1}, {map[int64]int64{3: 1, 30: 7}, time.Minute, 0.7}, {nil, time.Minute, 0},
		{map[int64]int64{0: 5}, 9 * time.Second, math.NaN()},
	} {
		if got := peak(c.completed, c.length); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%v: %v, want %v", c.completed, got, c.want)
		}
	}
}

// An objective is the model's, over all its tenants; latency is promised to interactive requests; too few requests are no fault where
// nobody else wanted to be served.
func TestObjectives(t *testing.T) {
	slow, fast := 3*time.Second, 100*time.Millisecond
	for i, c := range []struct {
		o       Objectives
		answers map[string][]time.Duration // by class, from two tenants in turn
		refused int
		waiting int
		want    string
	}{
		{Objectives{}, map[string][]time.Duration{"interactive": {slow}}, 1, 1, ""},
		{Objectives{QPS: 1}, map[string][]time.Duration{"interactive": {fast}}, 0, 0, ""},
		{Objectives{QPS: 1}, map[string][]time.Duration{"interactive": {fast}}, 1, 0, "qps"},
		{Objectives{QPS: 1}, map[string][]time.Duration{"interactive": {fast}}, 0, 1, "qps"},
		{Objectives{QPS: 0.03}, map[string][]time.Duration{"interactive": {fast, fast}}, 1, 1, ""},
		{Objectives{TTFT: time.Second}, map[string][]time.Duration{"interactive": {slow, fast}}, 0, 0, "ttft_ms"},
		{Objectives{TTFT: time.Second}, map[string][]time.Duration{"interactive": {fast, fast}, "batch": {slow}}, 0, 0, ""},
		{Objectives{TTFT: 2 * time.Second, TTFTP95: time.Second}, map[string][]time.Duration{"interactive": slices.Repeat([]time.Duration{fast, fast, fast, fast, slow}, 4)}, 0, 0, "ttft_p95_ms"},
		{Objectives{TTFT: time.Millisecond, TTFTP95: time.Millisecond}, map[string][]time.Duration{"interactive": {slow}}, 0, 0, "ttft_ms,ttft_p95_ms"},
		{Objectives{TTFTP95: time.Second}, map[string][]time.Duration{"interactive": append(slices.Repeat([]time.Duration{fast}, 19), slow)}, 0, 0, ""},
	} {
		w := NewWindows(noon)
		for class, list := range c.answers {
			for n, d := range list {
				w.Add(Answer{Line: Line{Key: Key{"m", fmt.Sprint(n % 2), class}}, Ended: noon, TTFT: d})
			}
		}
		for range c.refused {
			w.Add(Answer{Line: Line{Key: Key{"m", "refused", "batch"}}, End: Refused})
		}
		w.Add(Answer{Line: Line{Key: Key{"other", "", "interactive"}}, Ended: noon, TTFT: time.Microsecond})
		rows, _ := w.Close(noon.Add(time.Minute), c.o, Load{}, func(model string) int { return map[string]int{"m": c.waiting}[model] }, named)
		for _, r := range rows {
			if want := map[string]string{"m": c.want}[r.Model]; r.Missed != want {
				t.Errorf("%d: model %s missed %q, want %q", i, r.Model, r.Missed, want)
			}
		}
	}
}
