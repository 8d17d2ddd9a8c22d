package report

import (
	"context"
	"log/slog"
	"math"
	"path/filepath"
	"testing"
	"time"

	"chimera/store"
)

// This file owns the fixtures: two servers with the figures of reports that people have written by hand, as rows of a history.

// noon is when reports are made: of the day before.
var noon = time.Date(2027, 3, 2, 12, 0, 0, 0, time.UTC)

// fixture is what a history is filled with, and what the daemon knows besides.
type fixture struct {
	models       []string
	objectives   Objectives
	agreement    float64 // that is asked of tiers
	windows      []store.Window
	earlier      []store.Window // of the day before that
	scores       []store.Score
	experiments  []store.Experiment
	costs        []store.Cost
	alarms       []store.Alarm
	decisions    []store.Decision // those that are Applied or Reverted are settled so
	ratings      []store.Rating
	correlations []Correlation
	health       Health
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// input has the fixture written to a history and read again.
func (f *fixture) input(t testing.TB) Input {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "h", "history.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	f.fill(t, s)
	in := Input{Made: noon, From: noon.Add(-24 * time.Hour), Until: noon, Scope: AllTenants, Models: f.models, Objectives: f.objectives, Allowed: Allowed{1, f.agreement}, KVType: "f16", Correlations: f.correlations, Health: f.health}
	must(t, in.Read(context.Background(), s, nil, 24*time.Hour*time.Duration(min(1, len(f.earlier)))))
	return in
}

func (f *fixture) fill(t testing.TB, s *store.Store) {
	t.Helper()
	for _, w := range append(f.earlier, f.windows...) {
		must(t, s.AddWindow(w))
	}
	for _, r := range f.scores {
		must(t, s.AddScore(r))
	}
	for _, r := range f.experiments {
		must(t, s.AddExperiment(r))
	}
	for _, r := range f.costs {
		must(t, s.AddCost(r))
	}
	for _, r := range f.alarms {
		must(t, s.AddAlarm(r))
	}
	for _, r := range f.ratings {
		must(t, s.AddRating(r))
	}
	for _, r := range f.decisions {
		row, err := s.Decide(context.Background(), r)
		must(t, err)
		if r.State != store.Begun {
			must(t, s.Settle(context.Background(), row, r.State))
		}
	}
	must(t, s.Flush(context.Background()))
}

// minutes are windows of one minute each that end at a time, all alike.
func minutes(model string, n int, until time.Time, w store.Window) (list []store.Window) {
	for i := range n {
		w.Model, w.Class, w.Until = model, "interactive", until.Add(-time.Duration(n-1-i)*time.Minute)
		w.From = w.Until.Add(-time.Minute)
		list = append(list, w)
	}
	return list
}

func latencyOf(mean, p50, p95, p99 float64) store.Latency {
	d := func(ms float64) time.Duration { return time.Duration(ms * 1e6) }
	return store.Latency{Mean: d(mean), P50: d(p50), P95: d(p95), P99: d(p99)}
}

// scoreOf is a score with an interval of a width to either side.
func scoreOf(model, suite, metric, tag, tier string, value, width float64, n int64) store.Score {
	return store.Score{Time: noon.Add(-3 * time.Hour), Model: model, Suite: suite, Digest: "d", Metric: metric, Tag: tag, Tier: tier, Value: value, Low: value - width, High: value + width, N: n}
}

// tried are the measures of a change that was tried, each as before, after and half the width of its interval.
func tried(model, factor, off, on string, measures map[string][3]float64) (list []store.Experiment) {
	for _, name := range []string{"qps", "ttft_ms", "acc", "bleu"} {
		if m, ok := measures[name]; ok {
			list = append(list, store.Experiment{Time: noon.Add(-50 * time.Hour), Model: model, Kind: store.SettingTried, Factor: factor, Off: off, On: on, Measure: name,
				Before: m[0], After: m[1], Low: m[1] - m[0] - m[2], High: m[1] - m[0] + m[2], N: 20, Method: "replay of recorded load in ABBA order"})
		}
	}
	return list
}

// restored is a cause's share of a loss of BLEU.
func restored(model, factor string, before, after, width float64) store.Experiment {
	return store.Experiment{Time: noon.Add(-5 * time.Hour), Model: model, Kind: store.CauseRestored, Factor: factor, Off: "as served", On: "as for the control", Measure: "bleu",
		Before: before, After: after, Low: after - before - width, High: after - before + width, N: 500, Method: "paired replay"}
}

// beside is a tier's score of a whole suite beside the source's, item by item.
func beside(model, suite, metric, tier string, score, source, width float64, n int64) store.Experiment {
	return store.Experiment{Time: noon.Add(-3 * time.Hour), Model: model, Kind: store.TierCompared, Factor: suite, Off: "source", On: tier, Measure: metric,
		Before: source, After: score, Low: score - source - width, High: score - source + width, N: n, Method: "paired by item"}
}

// halved is what a tier has above the source on both halves of a suite.
func halved(model, suite, metric, tier string, tuning, sealed, width float64, n int64) store.Experiment {
	e := beside(model, suite, metric, tier, tuning, sealed, width, n)
	e.Kind = store.HalvesCompared
	return e
}

func costsOf(model string, at time.Time, seconds float64) store.Cost {
	return store.Cost{From: at.Add(-time.Minute), Until: at, Model: model, Class: "interactive", Requests: 100, PromptTokens: 4000, AnswerTokens: 6000, CoreSeconds: seconds, OverheadSeconds: seconds / 10, GPUSeconds: math.NaN(), CPUJoules: math.NaN(), GPUJoules: math.NaN()}
}

func ratingsOf(n int) (list []store.Rating) {
	for i := range n {
		list = append(list, store.Rating{Time: noon.Add(-time.Hour), Answer: store.ID{byte(i), 1}, Rating: int64(1 + i%5)})
	}
	return list
}

func upTo(n int64) (rows []int64) {
	for row := int64(1); row <= n; row++ {
		rows = append(rows, row)
	}
	return rows
}

// fast is the server of the first report: 1,500 queries a second and 45 ms, weak on edge cases and nuance.
func fast() *fixture {
	const m = "chat"
	f := &fixture{models: []string{m}, objectives: Objectives{QPS: 1500 / 1.12, TTFT: 50, TTFTP95: 80, Accuracy: 0.8}}
	f.windows = minutes(m, 60, noon.Add(-time.Hour), store.Window{Requests: 90_000, QPSMean: 1500, QPSPeak: 1620, TTFT: latencyOf(45, 42, 71, 88), PromptTokens: 10, AnswerTokens: 10, Cancelled: 2,
		DeviceBusy: 0.875, DeviceShare: 0.75, Crowded: 0.1, CoresUsed: 12, CoresMost: 16, Tier: "q8_0", KVType: "f16"})
	for i := range 3 { // in which it had all that it could do, and those before
		before, w := &f.windows[20+i], &f.windows[23+i]
		before.Requests, before.QPSMean = before.Requests-7_200, before.QPSMean-120
		w.Requests, w.QPSMean, w.DeviceBusy, w.DeviceShare, w.Crowded = w.Requests+7_200, w.QPSMean+120, 1, 0.98, 0.8
	}
	f.earlier = minutes(m, 30, noon.Add(-30*time.Hour), store.Window{Requests: 84_000, QPSMean: 1400, QPSPeak: 1500, TTFT: latencyOf(48, 46, 75, 90), Failed: 1})
	f.scores = []store.Score{
		scoreOf(m, "questions", "acc", "", "q8_0", 0.87, 0.01, 2000),
		scoreOf(m, "questions", "acc", "edge cases", "q8_0", 0.62, 0.04, 240), scoreOf(m, "questions", "acc", "nuance", "q8_0", 0.71, 0.04, 160),
	}
	f.experiments = []store.Experiment{beside(m, "questions", "acc", "q8_0", 0.87, 0.875, 0.004, 2000), halved(m, "questions", "acc", "q8_0", 0.015, -0.025, 0.02, 2000)}
	f.experiments = append(f.experiments, at("q8_0", tried(m, "cache hotness", "recency", "hotness", map[string][3]float64{"qps": {1500, 1620, 30}, "ttft_ms": {45, 42, 1}, "acc": {0.87, 0.87, 0.002}}))...)
	f.experiments = append(f.experiments, at("q8_0", tried(m, "edge cases", "off", "answered by the control", map[string][3]float64{"qps": {1500, 1485, 16}, "ttft_ms": {45, 45.1, 0.4}, "acc": {0.75, 0.84, 0.03}}))...)
	f.experiments = append(f.experiments, at("q8_0", tried(m, "huge or pinned memory", "4 KiB pages", "huge pages", map[string][3]float64{"qps": {1500, 1530, 12}, "ttft_ms": {45, 40, 1.5}, "acc": {0.87, 0.87, 0.002}}))...)
	f.costs = []store.Cost{costsOf(m, noon.Add(-20*time.Hour), 5), costsOf(m, noon.Add(-2*time.Hour), 6.5)}
	for i, tier := range []string{"source", "q8_0"} {
		f.costs[i].Tier, f.costs[i].CPUJoules = tier, float64(150-30*i)
	}
	f.decisions = []store.Decision{{Time: noon.Add(-10 * time.Hour), Model: m, From: "source", To: "q8_0", Reason: "the objective qps was missed in two windows", State: store.Applied}}
	f.ratings = ratingsOf(200)
	for _, c := range []Correlation{
		{Measure: "accuracy", Pearson: Coefficient{0.63, 0.53, 0.71}, Spearman: Coefficient{0.61, 0.5, 0.7}, Kendall: Coefficient{0.48, 0.39, 0.56}},
		{Measure: "relevance", Pearson: Coefficient{0.55, 0.44, 0.64}, Spearman: Coefficient{0.54, 0.43, 0.64}, Kendall: Coefficient{0.42, 0.33, 0.51}},
		{Measure: "ttft_ms", Pearson: Coefficient{-0.04, -0.18, 0.1}, Spearman: Coefficient{-0.05, -0.19, 0.09}, Kendall: Coefficient{-0.04, -0.15, 0.07}},
	} {
		c.N, c.Ratings, c.Since = 200, upTo(200), noon.Add(-30*24*time.Hour)
		f.correlations = append(f.correlations, c)
	}
	return f
}

// slow is the server of the second report: 1.8 s, 85 queries a second with a peak of 92, and a BLEU of 0.68 that nobody knows the loss of.
func slow() *fixture {
	const m = "translate"
	f := &fixture{models: []string{m}, objectives: Objectives{QPS: 80, TTFT: 1500, BLEU: 70}}
	f.windows = minutes(m, 40, noon.Add(-2*time.Hour), store.Window{Requests: 5100, QPSMean: 85, QPSPeak: 92, TTFT: latencyOf(1800, 1700, 2600, 3100), PromptTokens: 10, AnswerTokens: 10, Refused: 3, Failed: 1,
		DeviceBusy: 1, DeviceShare: 0.6, Crowded: 0.6, CoresUsed: 2, CoresMost: 2, Tier: "q4_k", KVType: "f16"}) // beside another model
	f.windows = append(f.windows, store.Window{From: noon.Add(-3 * time.Hour), Until: noon.Add(-3*time.Hour + time.Minute), Refused: 9}) // before their model was known
	f.scores = []store.Score{scoreOf(m, "news", "bleu", "", "q4_k", 68, 1.1, 1000)}
	f.experiments = []store.Experiment{beside(m, "news", "bleu", "q4_k", 68, 71, 0.9, 1000)}
	f.experiments = append(f.experiments, at("q4_k", tried(m, "batching", "8 sequences", "32 sequences", map[string][3]float64{"qps": {85, 97, 2}, "ttft_ms": {1800, 1650, 60}, "bleu": {68, 68, 0.2}}))...)
	f.experiments = append(f.experiments, at("q4_k", tried(m, "phrase cache", "off", "on", map[string][3]float64{"qps": {85, 101, 3}, "ttft_ms": {1800, 1500, 80}, "bleu": {68, 68.6, 0.2}}))...)
	f.experiments = append(f.experiments, at("q4_k", tried(m, "tier", "q4_k", "q8_0", map[string][3]float64{"qps": {85, 81, 1}, "ttft_ms": {1800, 1900, 40}, "bleu": {68, 70.6, 0.7}}))...)
	f.alarms = []store.Alarm{{Time: noon.Add(-4 * time.Hour), Model: m, Series: "chrf, tier q4_k", Detector: "page-hinkley"}}
	f.costs = []store.Cost{costsOf(m, noon.Add(-20*time.Hour), 7), costsOf(m, noon.Add(-2*time.Hour), 7.1)}
	f.decisions = []store.Decision{{Time: noon.Add(-9 * time.Hour), Model: m, From: "q8_0", To: "q4_k", Reason: "the objective ttft_ms was missed in two windows", State: store.Applied}}
	none := Coefficient{math.NaN(), math.NaN(), math.NaN()}
	for _, measure := range []string{"agreement", "chrf", "relevance"} {
		f.correlations = append(f.correlations, Correlation{Measure: measure, N: 12, Pearson: none, Spearman: none, Kendall: none, Since: noon.Add(-30 * 24 * time.Hour), Problem: "12 rated answers, it takes 30"})
	}
	f.health = Health{Dropped: 7}
	return f
}
