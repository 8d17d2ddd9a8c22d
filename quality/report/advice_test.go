package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/store"
)

// This file owns tests of recommendations and root causes.

// bench is a server that objectives are held against, with one change tried on it.
func bench(o Objectives, effect map[string][3]float64) *fixture {
	return &fixture{
		models: []string{"m"}, objectives: o,
		windows:     minutes("m", 3, noon, store.Window{Requests: 6000, QPSMean: 100, QPSPeak: 110, TTFT: latencyOf(50, 45, 80, 90), Missed: "ttft_ms,qps"}),
		scores:      []store.Score{scoreOf("m", "s", "bleu", "", "source", 30, 1, 500)},
		experiments: tried("m", "x", "off", "on", effect),
	}
}

func TestVerdicts(t *testing.T) {
	none := [3]float64{30, 30, 0.1}
	for name, c := range map[string]struct {
		o      Objectives
		effect map[string][3]float64
		want   Verdict
		why    string
	}{
		"faster":                       {Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": none}, Recommended, "throughput better, nothing worse by 5 % of speed or 1 % of quality"},
		"within chance":                {Objectives{}, map[string][3]float64{"qps": {200, 203, 5}, "ttft_ms": {70, 70, 1}, "bleu": none}, NoEffect, "no effect seen of 1 % or more that 3 comparisons would not have by chance: throughput −1 % to 4 %"},
		"too little":                   {Objectives{}, map[string][3]float64{"qps": {200, 201, 0.1}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30.2, 0.1}}, NoEffect, "BLEU 0.1 to 0.3"},
		"hardly slower":                {Objectives{}, map[string][3]float64{"qps": {200, 199, 0.1}, "ttft_ms": {70, 65, 1}, "bleu": none}, Recommended, "time to the first token better, nothing worse"},
		"perhaps much slower":          {Objectives{}, map[string][3]float64{"qps": {200, 199, 10}, "ttft_ms": {70, 65, 1}, "bleu": none}, Unproven, "time to the first token better, and it is not known to be harmless: throughput may lose 5.5 %"},
		"perhaps worse answers":        {Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, 0.5}}, Unproven, "BLEU may lose 1.67 %"},
		"answers without an interval":  {Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, math.NaN()}}, Unproven, "BLEU has no interval"},
		"perhaps worse but affordable": {Objectives{QPS: 105, BLEU: 28}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, 0.5}}, Recommended, "BLEU, if it is worse, within its objective"},
		"slower":                       {Objectives{}, map[string][3]float64{"qps": {200, 190, 5}, "ttft_ms": {70, 70, 1}, "bleu": none}, Harmful, "throughput would be worse"},
		"a later first token":          {Objectives{}, map[string][3]float64{"qps": {200, 200, 5}, "ttft_ms": {70, 75, 1}, "bleu": none}, Harmful, "time to the first token would be worse"},
		"sooner":                       {Objectives{}, map[string][3]float64{"qps": {200, 200, 5}, "ttft_ms": {70, 65, 1}, "bleu": none}, Recommended, "time to the first token better"},
		"no quality":                   {Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}}, Incomplete, "quality was not measured"},
		"a trade":                      {Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, 0.5}}, Traded, "the objectives do not ask"},
		"a trade that is wanted":       {Objectives{QPS: 105, BLEU: 28}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, 0.5}}, Recommended, "within its objective"},
		"quality that is not spare":    {Objectives{QPS: 105, BLEU: 29.5}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, 0.5}}, Traded, "BLEU worse"},
		"nothing missed":               {Objectives{QPS: 90, BLEU: 28}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, 0.5}}, Traded, "BLEU worse"},
		"better answers, later":        {Objectives{TTFT: 60, BLEU: 31}, map[string][3]float64{"qps": {200, 200, 5}, "ttft_ms": {70, 75, 1}, "bleu": {30, 32, 0.5}}, Recommended, "time to the first token worse but within"},
		"better answers, much later":   {Objectives{TTFT: 52, BLEU: 31}, map[string][3]float64{"qps": {200, 200, 5}, "ttft_ms": {70, 75, 1}, "bleu": {30, 32, 0.5}}, Traded, "time to the first token worse"},
		"worse without an objective":   {Objectives{QPS: 105}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, 0.5}}, Traded, "BLEU worse"},
		"no interval was computed":     {Objectives{}, map[string][3]float64{"qps": {200, 220, math.NaN()}, "ttft_ms": {70, 70, 1}, "bleu": none}, NoEffect, "throughput without an interval"},
		"an experiment without a load": {Objectives{}, map[string][3]float64{"qps": {0, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": none}, Incomplete, "gave no number"},
	} {
		r := Make(bench(c.o, c.effect).input(t))
		item := r.Suggestions[0].Items[slices.IndexFunc(r.Suggestions[0].Items, func(i Recommendation) bool { return i.Factor == "x" })]
		if item.Verdict != c.want || !strings.Contains(item.Text, c.why) {
			t.Errorf("%s: %s: %s", name, item.Verdict, item.Text)
		}
		if begins := strings.HasPrefix(item.Text, "Change x from off to on"); begins != (c.want == Recommended) {
			t.Errorf("%s: %s", name, item.Text)
		}
	}
}

// Of many changes that are tried one seems to be good by chance: what is recommended alone is not beside twenty others.
func TestManyComparisons(t *testing.T) {
	f := bench(Objectives{}, map[string][3]float64{"qps": {200, 210, 6}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, 0.1}})
	verdict := func() (Verdict, string) {
		items := Make(f.input(t)).Suggestions[0].Items
		item := items[slices.IndexFunc(items, func(i Recommendation) bool { return i.Factor == "x" })]
		return item.Verdict, item.Text
	}
	if v, text := verdict(); v != Recommended {
		t.Errorf("alone: %s", text)
	}
	for i := range 20 {
		f.experiments = append(f.experiments, tried("m", fmt.Sprint("y", i), "off", "on", map[string][3]float64{"qps": {200, 200, 8}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, 0.1}})...)
	}
	if v, text := verdict(); v != NoEffect || !strings.Contains(text, "63 comparisons") {
		t.Errorf("of many: %s: %s", v, text)
	}
}

// The newest experiment on a change counts alone, and what was tried is not asked for again.
func TestNewestExperiment(t *testing.T) {
	f := bench(Objectives{}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 30, 0.1}})
	old := tried("m", "x", "off", "on", map[string][3]float64{"qps": {200, 100, 5}, "ttft_ms": {70, 170, 1}, "bleu": {30, 10, 0.1}})
	for i := range old {
		old[i].Time = noon.Add(-80 * 24 * time.Hour)
	}
	f.experiments = append(f.experiments, old...)
	f.experiments = append(f.experiments, tried("m", "batching", "8", "32", map[string][3]float64{"qps": {200, 200, 5}})...)
	items := Make(f.input(t)).Suggestions[0].Items
	if items[0].Factor != "x" || items[0].Verdict != Recommended || len(items[0].Effects) != 3 || !strings.Contains(items[0].Text, "2 days ago") {
		t.Errorf("%+v", items[0])
	}
	asked := 0
	for _, item := range items {
		if item.Verdict == NotTried {
			asked++
		}
		if item.Verdict == NotTried && item.Factor == "batching" {
			t.Error("what was tried is asked for again")
		}
	}
	if asked != len(changes)-1 {
		t.Errorf("%d changes are asked for", asked)
	}
}

// surely tells whether one point is better than another in a figure by the whole interval of their difference. What is served has none of an experiment.
func surely(q, p Point, of func(Point) Figure, sign float64) bool {
	ends := func(x Point) (value, low, high float64) {
		f := of(x)
		if value, low, high = sign**f.Value, sign**f.Value, sign**f.Value; x.Name != AsServed {
			low, high = min(sign**f.Low, sign**f.High), max(sign**f.Low, sign**f.High)
		}
		return value, low, high
	}
	a, low, _ := ends(q)
	b, _, high := ends(p)
	return a-b > math.Sqrt((a-low)*(a-low)+(high-b)*(high-b))
}

// Nothing beats what is on the front, something beats each that is not, and nothing is recommended beside it.
func TestFront(t *testing.T) {
	folder := t
	rapid.Check(t, func(t *rapid.T) {
		f := bench(Objectives{QPS: rapid.SampledFrom([]float64{0, 90, 120}).Draw(t, "qps"), BLEU: rapid.SampledFrom([]float64{0, 25, 35}).Draw(t, "bleu")}, nil)
		for i := range rapid.IntRange(1, 5).Draw(t, "trials") {
			step := func(name string) float64 { return float64(rapid.IntRange(-3, 3).Draw(t, name)) }
			f.experiments = append(f.experiments, tried("m", fmt.Sprint("x", i), "off", "on", map[string][3]float64{"qps": {100, 100 + 10*step("a"), 5}, "ttft_ms": {50, 50 + 5*step("b"), 2}, "bleu": {30, 30 + step("c"), 0.5}})...)
		}
		in := Input{Made: noon, From: noon.Add(-24 * time.Hour), Until: noon, Models: f.models, Objectives: f.objectives, Windows: f.windows, Scores: f.scores, Experiments: f.experiments}
		a := Make(in).Suggestions[0]
		for _, p := range a.Front {
			beaten := slices.ContainsFunc(a.Front, func(q Point) bool {
				return surely(q, p, func(x Point) Figure { return x.QPS }, 1) && surely(q, p, func(x Point) Figure { return x.TTFT }, -1) && surely(q, p, func(x Point) Figure { return x.Quality }, 1)
			})
			if beaten == p.OnFront || p.OnFront != (p.DominatedBy == "") {
				folder.Logf("%+v", a.Front)
				t.Fatalf("%s: on the front %v, beaten %v", p.Name, p.OnFront, beaten)
			}
		}
		for _, item := range a.Items {
			at := slices.IndexFunc(a.Front, func(p Point) bool { return p.Name == item.Factor+": "+item.On })
			if item.Verdict == Recommended && !a.Front[at].OnFront {
				t.Fatalf("%s is recommended beside the front", item.Factor)
			}
		}
	})
}

// A point is behind another only where intervals say that it is no better in any respect, and worse in one.
func TestDominatedByIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		one, other map[string][3]float64
		want       Verdict // of the other
	}{
		"surely":                  {map[string][3]float64{"qps": {100, 130, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, map[string][3]float64{"qps": {100, 115, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Dominated},
		"by estimates alone":      {map[string][3]float64{"qps": {100, 120, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, map[string][3]float64{"qps": {100, 114, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Recommended},
		"perhaps worse in one":    {map[string][3]float64{"qps": {100, 130, 5}, "ttft_ms": {50, 50, 1}, "bleu": {30, 30, 0}}, map[string][3]float64{"qps": {100, 115, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Recommended},
		"where it is not known":   {map[string][3]float64{"qps": {100, 130, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, math.NaN()}}, map[string][3]float64{"qps": {100, 115, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Recommended},
		"alike in all, surely":    {map[string][3]float64{"qps": {100, 115, 0}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, map[string][3]float64{"qps": {100, 115, 0}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Recommended},
		"by the square of both":   {map[string][3]float64{"qps": {100, 122.2, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, map[string][3]float64{"qps": {100, 115, 5}, "ttft_ms": {50, 50, 0}, "bleu": {30, 30, 0}}, Dominated},
		"what is served is worse": {map[string][3]float64{"qps": {100, 130, 5}, "ttft_ms": {50, 40, 1}, "bleu": {30, 31, 0.5}}, map[string][3]float64{"qps": {100, 99, 2}, "ttft_ms": {50, 50, 1}, "bleu": {30, 30, 0.1}}, Dominated},
	} {
		f := bench(Objectives{}, nil)
		f.experiments = append(tried("m", "one", "off", "on", c.one), tried("m", "other", "off", "on", c.other)...)
		a := Make(f.input(t)).Suggestions[0]
		item := a.Items[slices.IndexFunc(a.Items, func(i Recommendation) bool { return i.Factor == "other" })]
		if item.Verdict != c.want {
			t.Errorf("%s: %s: %s", name, item.Verdict, item.Text)
		}
	}
}

// What gets worse is affordable if it is within its objective by its whole interval.
func TestAffordableByIntervals(t *testing.T) {
	for width, want := range map[float64]Verdict{0.3: Recommended, 0.8: Traded} {
		f := bench(Objectives{QPS: 105, BLEU: 28.5}, map[string][3]float64{"qps": {200, 220, 5}, "ttft_ms": {70, 70, 1}, "bleu": {30, 29, width}})
		if item := Make(f.input(t)).Suggestions[0].Items[0]; item.Factor != "x" || item.Verdict != want {
			t.Errorf("%v: %s: %s", width, item.Verdict, item.Text)
		}
	}
}

// Each factor planted in turn is named the largest, with its share.
func TestRootCauses(t *testing.T) {
	factors := []string{"tier", "KV type", "cache", "escalation", "cut answers", "tag law"}
	for i, planted := range factors {
		f := bench(Objectives{}, nil)
		f.experiments = append(f.experiments, restored("m", allFactors, 30, 34, 0.5))
		for j, factor := range factors {
			back := 0.2
			if i == j {
				back = 2
			}
			f.experiments = append(f.experiments, restored("m", factor, 30, 30+back, 0.3))
		}
		c := Make(f.input(t)).Suggestions[0].Cause
		if !strings.Contains(c.Text, "largest cause is "+planted+": alone it gives back 50 % of it") || c.Shares[0].Factor != planted || !strings.Contains(c.Text, "25 % is interaction") || !strings.HasPrefix(c.Text, "BLEU lost is 4.0 (95 % interval 3.5 to 4.5, 500 pairs)") {
			t.Errorf("%s: %s", planted, c.Text)
		}
		if s := c.Shares[0]; !(math.Abs(*s.Share.Value-50) <= 1e-9) || !(math.Abs(*s.Share.Low-42.5) <= 1e-9) || !(math.Abs(*c.Rest.Value-25) <= 1e-9) {
			t.Errorf("%s: %v from %v, the rest %v", planted, *s.Share.Value, *s.Share.Low, *c.Rest.Value)
		}
	}
}

// What an experiment did under another load moves what is served by as large a share, so that no time is below 0.
func TestPlacedByShare(t *testing.T) {
	f := bench(Objectives{}, map[string][3]float64{"qps": {400, 200, 5}, "ttft_ms": {2000, 200, 20}, "bleu": {30, 30, 1}})
	front := Make(f.input(t)).Suggestions[0].Front
	if now, then := *front[0].TTFT.Value, *front[1].TTFT.Value; !(math.Abs(then-now/10) <= 1e-9) || !(math.Abs(*front[1].QPS.Value-*front[0].QPS.Value/2) <= 1e-9) {
		t.Errorf("%v ms became %v", now, then)
	}
}

// A tag's questions are a part of the loss beside the factors: they change neither shares nor the rest, and are named where they bear most of it.
func TestRootCauseOfTags(t *testing.T) {
	f := bench(Objectives{}, nil)
	f.experiments = append(f.experiments, restored("m", allFactors, 30, 34, 0.5), restored("m", "tier", 30, 33, 0.5), restored("m", "tag:rare", 30, 30.4, 0.3), restored("m", "tag:law", 30, 33.6, 0.3))
	c := Make(f.input(t)).Suggestions[0].Cause
	if len(c.Shares) != 1 || !(math.Abs(*c.Rest.Value-25) <= 1e-9) || len(c.Tags) != 2 || c.Tags[0].Factor != "law" || !strings.Contains(c.Text, "largest cause is tier: alone it gives back 75 %") || !strings.Contains(c.Text, "Most of it is lost on questions of the tag law: 90 %") {
		t.Errorf("%+v", c)
	}
	for i := range f.experiments {
		f.experiments[i].Low = -1 // no more than chance
	}
	f.experiments[0].Low = 3
	if c := Make(f.input(t)).Suggestions[0].Cause; strings.Contains(c.Text, "tag law") {
		t.Errorf("%s", c.Text)
	}
}

func TestNoRootCause(t *testing.T) {
	for name, c := range map[string]struct {
		rows   []store.Experiment
		status Status
		want   string
	}{
		"not measured":          {nil, NotThere, "is missing: a paired replay"},
		"no gap":                {[]store.Experiment{restored("m", allFactors, 30, 30.2, 0.5), restored("m", "tier", 30, 31, 0.5)}, Fine, "No quality is seen to be lost"},
		"no factor":             {[]store.Experiment{restored("m", allFactors, 30, 34, 0.5)}, Attention, "No factor was restored alone"},
		"the largest is chance": {[]store.Experiment{restored("m", allFactors, 30, 34, 0.5), restored("m", "tier", 30, 32, 3), restored("m", "cache", 30, 31, 0.5)}, Attention, "The largest cause is cache: alone it gives back 25 % of it, tier 50 %"},
		"chance":                {[]store.Experiment{restored("m", allFactors, 30, 34, 0.5), restored("m", "tier", 30, 30.2, 0.5)}, Attention, "No factor alone gives back more than chance"},
		"another comparison's":  {[]store.Experiment{restored("m", allFactors, 30, 34, 0.5), {Time: noon.Add(-9 * time.Hour), Model: "m", Kind: store.CauseRestored, Factor: "tier", Measure: "bleu", Before: 30, After: 33, Low: 2, High: 4, N: 5}}, Attention, "No factor was restored alone"},
	} {
		f := bench(Objectives{}, nil)
		f.experiments = c.rows
		if got := Make(f.input(t)).Suggestions[0].Cause; got.Status != c.status || !strings.Contains(got.Text, c.want) {
			t.Errorf("%s: %s: %s", name, got.Status, got.Text)
		}
	}
}
