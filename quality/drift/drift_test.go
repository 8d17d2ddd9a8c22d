package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// This file owns tests of the rules of series, one by one.

var agreement = Key{Model: "m", Source: "s", Tier: "q4_k", Suite: "live", Digest: "d", Metric: "agreement"}

// feeds has figures of windows come one after the other, and returns the numbers of those that raised an alarm, from 1.
func feeds(w *Watch, k Key, n int, values ...float64) (alarms []int) {
	for i, v := range values {
		if w.Window(k, Point{Time: time.Unix(int64(i), 0), Value: v, Error: 0.004, N: n}) != nil {
			alarms = append(alarms, i+1)
		}
	}
	return alarms
}

func TestWindow(t *testing.T) {
	steady := []float64{0.96, 0.962, 0.958, 0.961, 0.959, 0.96}
	for name, c := range map[string]struct {
		metric string
		n      int
		more   []float64
		want   []int
	}{
		"the same":                         {"agreement", 200, []float64{0.96, 0.957, 0.963}, nil},
		"two points less":                  {"agreement", 200, []float64{0.94, 0.94, 0.94, 0.94}, []int{8}},
		"no window alone":                  {"agreement", 200, []float64{0.5, 0.96, 0.96}, nil},
		"better is none, and is learnt":    {"agreement", 200, []float64{0.99, 0.99, 0.99, 0.99, 0.99, 0.97, 0.97}, []int{13}},
		"less divergence is better":        {"kl", 200, []float64{0.90, 0.90, 0.90}, nil},
		"more divergence is worse":         {"kl", 200, []float64{1.2, 1.2, 1.2}, []int{8}},
		"a lower perplexity is better":     {"fluency", 200, []float64{0.90, 0.90, 0.90}, nil},
		"a higher perplexity is worse":     {"fluency", 200, []float64{1.2, 1.2, 1.2}, []int{8}},
		"one alarm, and then it is learnt": {"agreement", 200, []float64{0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9}, []int{8}},
		"again worse":                      {"agreement", 200, []float64{0.9, 0.9, 0.9, 0.9, 0.9, 0.85, 0.85, 0.85}, []int{8, 13}},
		"of a few requests, put together":  {"agreement", 50, []float64{0.9, 0.9, 0.9, 0.9}, []int{10}},
	} {
		k := agreement
		k.Metric = c.metric
		var w Watch
		got := feeds(&w, k, c.n, append(append([]float64(nil), steady...), c.more...)...)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: alarms at %v, want %v", name, got, c.want)
		}
	}
}

// Windows in which nothing differs have no scatter, and one request in which something does is no alarm.
func TestNoScatter(t *testing.T) {
	var w Watch
	for range 10 {
		w.Window(agreement, Point{Value: 1, N: 200})
	}
	for i := range 5 {
		if f := w.Window(agreement, Point{Value: 0.9995, Error: 0.00005, N: 200}); f != nil {
			t.Errorf("window %d: %+v", i, f)
		}
	}
}

func TestRun(t *testing.T) {
	chrf := Key{Model: "m", Source: "s", Tier: "q4_k", Suite: "edge", Metric: "chrf"}
	run := func(value, err float64, numerics string) Point {
		return Point{Value: value, Error: err, N: 500, Numerics: numerics}
	}
	for name, c := range map[string]struct {
		before, now Point
		want        string
	}{
		"the same weights, the same":         {run(52, 1, "a"), run(52, 1, "a"), ""},
		"the last digit of a sum":            {run(52, 1, "a"), run(52*(1+1e-12), 1, "a"), ""},
		"the same weights, any change":       {run(52, 1, "a"), run(51.9, 1, "a"), Exact},
		"the same weights, though better":    {run(52, 1, "a"), run(52.1, 1, "a"), Exact},
		"other weights, surely worse":        {run(52, 1, "a"), run(50, 0.4, "b"), Paired},
		"other weights, not surely":          {run(52, 1, "a"), run(50, 1, "b"), ""},
		"other weights, better":              {run(52, 1, "a"), run(58, 0.4, "b"), ""},
		"other weights, nobody knows by how": {run(52, 1, "a"), run(40, math.NaN(), "b"), ""},
		"no number":                          {run(52, 1, "a"), run(math.NaN(), 1, "a"), ""},
	} {
		var w Watch
		first, got := w.Run(chrf, c.before), ""
		if f := w.Run(chrf, c.now); f != nil {
			got = f.Detector
		}
		if first != nil || got != c.want {
			t.Errorf("%s: %q, want %q; the first %v", name, got, c.want, first)
		}
	}
}

// Runs are held against the one that their series began with, until a change is sure.
func TestReference(t *testing.T) {
	chrf := Key{Model: "m", Source: "s", Tier: "q4_k", Suite: "edge", Metric: "chrf"}
	type run struct {
		numerics string
		value    float64
		want     string
	}
	for name, runs := range map[string][]run{
		"small steps add up, and are told once": {{"a", 52, ""}, {"b", 51.3, ""}, {"c", 50.6, ""}, {"d", 49.9, Paired}, {"e", 49.2, ""}},
		"what is mended is none":                {{"a", 52, ""}, {"a", 51, Exact}, {"a", 51, ""}, {"a", 52, ""}, {"a", 51, Exact}},
		"back at the first, and changed":        {{"a", 52, ""}, {"b", 51.9, ""}, {"a", 51.9, Exact}},
		"what is surely better is held to":      {{"a", 52, ""}, {"b", 56, ""}, {"c", 53, Paired}},
	} {
		var w Watch
		for i, r := range runs {
			got := ""
			if f := w.Run(chrf, Point{Value: r.value, Error: 0.5, N: 500, Numerics: r.numerics}); f != nil {
				got = f.Detector
			}
			if got != r.want {
				t.Errorf("%s: run %d: %q, want %q", name, i, got, r.want)
			}
		}
		of := chrf
		of.Metric = ""
		if list := w.References(of); len(list) != 1 || list["chrf"].N != 500 {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

// Windows and runs have a budget each.
func TestBudgetOfRuns(t *testing.T) {
	var w, alone Watch
	chrf := Key{Model: "m", Source: "s", Tier: "q4_k", Suite: "edge", Metric: "chrf"}
	feeds(&alone, agreement, 200, 0.96)
	for range 2 {
		w.Run(chrf, Point{Value: 52, Error: 1, N: 500, Numerics: "a"})
		feeds(&w, agreement, 200, 0.96)
	}
	all := w.States()
	if len(all) != 2 || all[1].Threshold != alone.States()[0].Threshold || math.Abs(all[0].Threshold-quantile(runBudget*4/7)) > 1e-12 {
		t.Errorf("%+v", all)
	}
	others := []string{"exact", "f1", "fluency", "relevance", "acc", "properties"}
	for range 2 {
		for _, metric := range append([]string{"agreement", "bleu", "ece"}, others...) {
			k := chrf
			k.Metric = metric
			w.Run(k, Point{Value: 1, Error: 1, N: 500, Numerics: "a"})
		}
	}
	w.Run(chrf, Point{Value: 52, Error: 1, N: 500, Numerics: "a"})
	sum, limits := 0.0, map[string]float64{}
	for _, s := range w.States() {
		if s.Suite == "edge" {
			limits[s.Metric] = s.Threshold
			sum += 0.5 * math.Erfc(s.Threshold/math.Sqrt2)
		}
	}
	for metric, rate := range map[string]float64{"agreement": runBudget / 7, "chrf": runBudget * 4 / 7, "f1": runBudget * 2 / 7 / float64(len(others)), "acc": runBudget * 2 / 7 / float64(len(others))} {
		if !(math.Abs(limits[metric]-quantile(rate)) <= 1e-12) {
			t.Errorf("%s: %v, want %v", metric, limits[metric], quantile(rate))
		}
	}
	if len(limits) != 2+len(others) || !(math.Abs(sum-runBudget) <= 1e-3*runBudget) {
		t.Errorf("%v, in all %v of %v", limits, sum, runBudget)
	}
}

// What is no figure changes nothing.
func TestNoFigure(t *testing.T) {
	var w Watch
	feeds(&w, agreement, 200, 0.96, 0.96)
	before := w.States()
	for _, p := range []Point{{Value: math.NaN(), Error: 1, N: 200}, {Value: 1, Error: math.NaN(), N: 200}, {Value: math.Inf(1), N: 200}, {Value: 1, Error: -1, N: 200}, {Value: 1, Error: 1}} {
		if w.Window(agreement, p) != nil || !reflect.DeepEqual(w.States(), before) {
			t.Errorf("%+v: %+v", p, w.States())
		}
	}
}

// A tier has a series of its own, which waits while another serves; another source is another series. Only what serves shares the budget.
func TestTiers(t *testing.T) {
	var w Watch
	other := agreement
	other.Tier = "q2_k"
	feeds(&w, agreement, 200, 0.96, 0.96, 0.96)
	if alarms := feeds(&w, other, 200, 0.86, 0.86, 0.86); alarms != nil {
		t.Errorf("another tier is an alarm: %v", alarms)
	}
	if s := w.States(); len(s) != 1 || s[0].Tier != "q2_k" {
		t.Errorf("%+v", s)
	}
	if alarms := feeds(&w, agreement, 200, 0.94, 0.94); len(alarms) != 1 {
		t.Errorf("back at the first tier, which is worse: %v", alarms)
	}
	feeds(&w, agreement, 200, 0.94, 0.94, 0.94)
	replaced := agreement
	replaced.Source = "t"
	if alarms := feeds(&w, replaced, 200, 0.5, 0.5, 0.5); alarms != nil {
		t.Errorf("another file is an alarm: %v", alarms)
	}
}

// The budget is shared: half by what is of all requests, half by their parts, whatever their number.
func TestBudget(t *testing.T) {
	for _, n := range []int{1, 3, 20} {
		if sum := float64(n) * (rate("", n) + rate("load:idle", n)); math.Abs(sum-Budget) > 1e-12 {
			t.Errorf("%d series and as many of parts have %g of %g", n, sum, Budget)
		}
	}
	var w Watch
	feeds(&w, agreement, 200, 0.96)
	alone := w.States()[0].Threshold
	for i := range 50 {
		k := agreement
		k.Metric = fmt.Sprint("metric ", i)
		feeds(&w, k, 200, 0.5)
	}
	feeds(&w, agreement, 200, 0.96)
	if among := w.States()[0].Threshold; !(among > alone+0.5) {
		t.Errorf("alone the threshold is %g, among 51 %g", alone, among)
	}
	// At Siegmund's thresholds CUSUM has about the mean run length that is asked for, of normal figures: here one in 20,000.
	r, rate, alarms, sum := rand.New(rand.NewPCG(1, 1)), 1.0/20_000, 0, 0.0
	for range 1_000_000 {
		if sum = max(0, sum+r.NormFloat64()-slack); sum > threshold(rate) {
			alarms, sum = alarms+1, 0
		}
	}
	if !(alarms >= 20 && alarms <= 90) {
		t.Errorf("%d alarms in 1,000,000 figures, want about 50", alarms)
	}
	if q := quantile(0.025); math.Abs(q-1.959964) > 1e-6 {
		t.Errorf("the quantile is %g", q)
	}
}

// However many series come, so many are held.
func TestMostSeries(t *testing.T) {
	var w Watch
	for i := range mostSeries + 100 {
		k := agreement
		k.Digest = fmt.Sprint(i)
		w.Window(k, Point{Time: time.Unix(int64(i), 0), Value: 1, N: 200})
	}
	if n := len(w.all); n != mostSeries {
		t.Errorf("%d series", n)
	}
	first, last := agreement, agreement
	first.Digest, last.Digest = "0", fmt.Sprint(mostSeries+99)
	if w.all[first] != nil || w.all[last] == nil {
		t.Error("the newest are forgotten first")
	}
}
