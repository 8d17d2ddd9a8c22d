package report

import (
	"context"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/store"
)

// This file owns tests of risks and of what is read for a report.

// halves are what a tier has above the source on both.
func halves(tuning, sealed float64) []store.Experiment {
	return []store.Experiment{halved("m", "s", "bleu", "q4_k", tuning, sealed, 1, 1000)}
}

// pair is a tier's run and the control's.
func pair(tier, source float64) []store.Score {
	return []store.Score{scoreOf("m", "s", "bleu", "", "q4_k", tier, 0.5, 500), scoreOf("m", "s", "bleu", "", "source", source, 0.5, 500)}
}

// losses are a tier's metrics beside the source's, all known as well.
func losses(by map[string]float64) (list []store.Experiment) {
	for metric, x := range by {
		list = append(list, beside("m", "s", metric, "q4_k", 30-x, 30, 0.5, 500))
	}
	return list
}

// agreeing is a tier's agreement with the source.
func agreeing(x float64) []store.Experiment {
	return []store.Experiment{beside("m", "s", "agreement", "q4_k", x, 1, 0.005, 500)}
}

// A perplexity is told as it is, and as a loss where it is more than the control's.
func TestFluency(t *testing.T) {
	f := fixture{models: []string{"m"}, scores: append(pair(28, 30), scoreOf("m", "s", "fluency", "", "q4_k", 4, 0.5, 500)), decisions: decided(store.Applied), experiments: losses(map[string]float64{"bleu": 2, "fluency": -2})}
	r := Make(f.input(t))
	if text := render(t, &r, "json"); !strings.Contains(text, "perplexity under the control is 4 (95 % interval 3.5 to 4.5, 500 items)") {
		t.Errorf("%s", text)
	}
	for _, risk := range r.Risks {
		for _, f := range risk.Figures {
			if f.Name == "s.fluency.loss" && *f.Value == -2 && f.Unit == "perplexity" {
				return
			}
		}
	}
	t.Errorf("no loss of fluency: %+v", r.Risks)
}

// at are experiments on what serves at a tier.
func at(tier string, list []store.Experiment) []store.Experiment {
	for i := range list {
		list[i].Tier, list[i].KVType = tier, "f16"
	}
	return list
}

// older are the same, of the day before.
func older(list []store.Experiment) []store.Experiment {
	for i := range list {
		list[i].Time = list[i].Time.Add(-24 * time.Hour)
	}
	return list
}

func decided(state store.DecisionState) []store.Decision {
	return []store.Decision{{Time: noon.Add(-time.Hour), Model: "m", From: "source", To: "q4_k", Reason: "it is faster.", State: state}}
}

func costPair(first, second float64) []store.Cost {
	return []store.Cost{costsOf("m", noon.Add(-20*time.Hour), first), costsOf("m", noon.Add(-time.Hour), second)}
}

// loaded are an hour of minutes of so many requests, and as many behind it as there are numbers, in which requests waited.
func loaded(quiet int64, crowded ...int64) (list []store.Window) {
	list = minutes("m", 60, noon.Add(-time.Hour), store.Window{Requests: quiet, DeviceBusy: 0.5, DeviceShare: 0.5, Tier: "q4_k", KVType: "f16"})
	for i, n := range crowded {
		list = append(list, minutes("m", 1, noon.Add(-time.Duration(len(crowded)-i)*time.Minute), store.Window{Requests: n, DeviceBusy: 1, DeviceShare: 1, Crowded: 0.9, Tier: "q4_k", KVType: "f16"})...)
	}
	return list
}

func TestRisks(t *testing.T) {
	applied := decided(store.Applied)
	old := pair(30, 30)
	for i := range old {
		old[i].Time = noon.Add(-8 * 24 * time.Hour)
	}
	for name, c := range map[string]struct {
		risk     string
		f        fixture
		priority Priority
		status   RiskStatus
		want     string
	}{
		"a gap":               {"overfitting", fixture{experiments: halves(2, 0), decisions: applied}, High, Open, "gap is 2.0 (95 % interval 1.0 to 3.0, 1,000 items)"},
		"a gap within chance": {"overfitting", fixture{experiments: halves(0.5, 0), decisions: applied}, Medium, Watch, "gap is 0.5 "},
		"no gap":              {"overfitting", fixture{experiments: halves(-1, 0), decisions: applied}, Low, Clear, "gap is −1.0"},
		"a perplexity's gap":  {"overfitting", fixture{experiments: append(halves(-1, 0), halved("m", "s", "fluency", "q4_k", -2, 0, 1, 1000)), decisions: applied}, Low, Clear, "gap is −1.0"},
		"no halves":           {"overfitting", fixture{scores: pair(30, 30), experiments: losses(map[string]float64{"bleu": 1}), decisions: applied}, Medium, Unwatched, "missing"},
		"nothing to fit":      {"overfitting", fixture{scores: pair(30, 30)[1:]}, Low, Clear, "source precision answers"},
		"a loss":              {"degradation by quantisation", fixture{experiments: losses(map[string]float64{"bleu": 2}), decisions: applied}, High, Open, "BLEU on s, q4_k less the control, is −2.0 (95 % interval −2.5 to −1.5, 500 items): more than the 1.0 that may be lost"},
		"perhaps a loss":      {"degradation by quantisation", fixture{experiments: losses(map[string]float64{"bleu": 0.8}), decisions: applied}, Medium, Watch, "not surely within the 1.0"},
		"no loss":             {"degradation by quantisation", fixture{experiments: losses(map[string]float64{"bleu": 0.2}), decisions: applied}, Low, Clear, "surely within the 1.0"},
		"a loss that matters": {"degradation by quantisation", fixture{scores: pair(28, 30), experiments: []store.Experiment{beside("m", "s", "bleu", "q4_k", 28, 28.4, 0.3, 500)}, decisions: applied, objectives: Objectives{BLEU: 29}}, Medium, Watch, "surely within the 1.0"},
		"what sees more":      {"degradation by quantisation", fixture{experiments: losses(map[string]float64{"bleu": 2, "chrf": 0.2, "fluency": -2}), decisions: applied}, Low, Clear, "ChrF2 on s, q4_k less the control, is −0.2"},
		"the worst of two":    {"degradation by quantisation", fixture{experiments: append(losses(map[string]float64{"chrf": 0.2}), beside("m", "t", "chrf", "q4_k", 50, 50.8, 0.5, 500)), decisions: applied}, Medium, Watch, "ChrF2 on t, "},
		"too little agrees":   {"degradation by quantisation", fixture{experiments: agreeing(0.94), decisions: applied, agreement: 0.95}, High, Open, "is −0.060 (95 % interval −0.065 to −0.055, 500 items): more than the 0.050 that may be lost"},
		"enough agrees":       {"degradation by quantisation", fixture{experiments: agreeing(0.96), decisions: applied, agreement: 0.95}, Low, Clear, "surely within the 0.050"},
		"none need agree":     {"degradation by quantisation", fixture{experiments: agreeing(0.96), decisions: applied}, Medium, Unwatched, "missing"},
		"live answers alone":  {"degradation by quantisation", fixture{scores: []store.Score{scoreOf("m", "live", "chrf", "", "q4_k", 60, 2, 200), scoreOf("m", "live", "chrf", "", "source", 100, 0, 200)}, decisions: applied}, Medium, Unwatched, "missing"},
		"another tier's loss": {"degradation by quantisation", fixture{experiments: []store.Experiment{beside("m", "s", "bleu", "q2_k", 20, 30, 0.5, 500)}, decisions: applied}, Medium, Unwatched, "missing"},
		"the newest run":      {"degradation by quantisation", fixture{experiments: append(older(losses(map[string]float64{"bleu": 9})), losses(map[string]float64{"bleu": 0.1})...), decisions: applied}, Low, Clear, "is −0.1"},
		"the source":          {"degradation by quantisation", fixture{scores: pair(28, 30), decisions: decided(store.Reverted)}, Low, Clear, "1 step between tiers was decided (0 applied, 1 reverted"},
		"a step under way":    {"degradation by quantisation", fixture{scores: pair(28, 30), decisions: decided(store.Begun)}, Medium, Watch, "1 under way), the last from source to q4_k 60 minutes ago: it is faster."},
		"dearer by far":       {"compute cost", fixture{costs: costPair(10, 13)}, High, Open, "changed by +30 %, from 1.1 to 1.43"},
		"dearer":              {"compute cost", fixture{costs: costPair(10, 12)}, Medium, Watch, "+20 %"},
		"as dear":             {"compute cost", fixture{costs: costPair(10, 10.5)}, Low, Clear, "1,000 tokens cost 1.13 core-seconds, of 20,000 tokens counted"},
		"half of it":          {"compute cost", fixture{costs: costPair(10, 10)[:1]}, Low, Watch, "half of the period has too few of them"},
		"an idle half":        {"compute cost", fixture{costs: append(costPair(10, 13)[:1], costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13), costsOf("m", noon.Add(-time.Hour), 13))}, Low, Watch, "too few"},
		"no cost":             {"compute cost", fixture{costs: []store.Cost{costsOf("m", noon, math.NaN())}}, Medium, Unwatched, "missing"},
		"covered":             {"coverage", fixture{scores: pair(30, 30), decisions: applied}, Low, Clear, "500 items of 1 suite, last 3 hours ago"},
		"covered long ago":    {"coverage", fixture{scores: old, decisions: applied}, Medium, Watch, "8 days ago"},
		"a part that is lacking": {"coverage", fixture{scores: pair(30, 30), decisions: applied, alarms: []store.Alarm{{Time: noon.Add(-time.Hour), Model: "m", Series: "language french, 12% of requests (8% to 17%), 0 of 500 items", Detector: "coverage"}}}, Medium, Watch,
			"last 3 hours ago. Suites lack: language french, 12% of requests (8% to 17%), 0 of 500 items."},
		"what lacks is no drift": {"drift", fixture{scores: pair(30, 30), alarms: []store.Alarm{{Time: noon.Add(-time.Hour), Model: "m", Series: "language french", Detector: "coverage"}}}, Low, Clear, "No alarm"},
		"another tier's":         {"coverage", fixture{scores: pair(30, 30)[1:], decisions: applied}, High, Unwatched, "on tier q4_k"},
		"an alarm":               {"drift", fixture{alarms: []store.Alarm{{Time: noon.Add(-time.Hour), Model: "m", Series: "agreement", Detector: "cusum"}}}, High, Open, "1 alarm was raised, the last 60 minutes ago: agreement, by cusum."},
		"no alarm":               {"drift", fixture{scores: pair(30, 30)}, Low, Clear, "No alarm"},
		"at the knee":            {"headroom", fixture{windows: loaded(5700, 6000, 6000, 6000)}, High, Open, "The load of 95.2 queries/s leaves 4.8 % of the knee of 100 queries/s, and the busiest minute's of 100 queries/s leaves 0 % (3 minutes, median of"},
		"at the knee for once":   {"headroom", fixture{windows: loaded(3000, 6000, 6600, 7200)}, Medium, Watch, "leaves 51.9 % of the knee of 110 queries/s, and the busiest minute's of 120 queries/s leaves −9.1 %"},
		"far from the knee":      {"headroom", fixture{windows: loaded(3000), experiments: at("q4_k", tried("m", "x", "off", "on", map[string][3]float64{"qps": {200, 220, 5}}))}, Low, Clear, "leaves 75 % of the knee of 200 queries/s, and the busiest minute's of 50 queries/s leaves 75 % (20 pairs, an experiment: "},
		"no knee":                {"headroom", fixture{windows: loaded(3000, 6000, 6000)}, Medium, Unwatched, "missing: no three minutes on tier q4_k"},
		"another tier's knee":    {"headroom", fixture{windows: loaded(3000, 6000, 6000, 6000), decisions: []store.Decision{{Time: noon.Add(-time.Second), Model: "m", From: "q4_k", To: "q2_k", Reason: "r", State: store.Applied}}}, Medium, Unwatched, "missing: no three minutes on tier q2_k"},
		"measured at a tier":     {"headroom", fixture{windows: loaded(3000, 6000, 6000, 6000)}, Medium, Watch, "measured at tier q4_k"},
		"unwatched":              {"drift", fixture{}, Medium, Unwatched, "not watched"},
		"no damage":              {"damage of the history", fixture{}, Low, Clear, "0 damaged rows"},
		"damage":                 {"damage of the history", fixture{health: Health{Damaged: 1}}, High, Open, "1 damaged row was"},
		"a full disk":            {"damage of the history", fixture{health: Health{Problem: "disk full", Since: noon}}, High, Open, "since 2027-03-02 12:00: disk full"},
		"dropped":                {"dropped samples", fixture{health: Health{Dropped: 3}}, Medium, Watch, "3 measurements were dropped and 0 refused"},
		"refused":                {"dropped samples", fixture{health: Health{Refused: 3}}, Medium, Watch, "0 measurements were dropped and 3 refused"},
		"none dropped":           {"dropped samples", fixture{}, Low, Clear, "0 measurements"},
	} {
		f := c.f
		f.models = []string{"m"}
		r := Make(f.input(t))
		risk := r.Risks[slices.IndexFunc(r.Risks, func(r Risk) bool { return r.Name == c.risk })]
		if risk.Priority != c.priority || risk.Status != c.status || !strings.Contains(risk.Text, c.want) || risk.Mitigation == "" || len(risk.Figures) == 0 {
			t.Errorf("%s: %s, %s: %s", name, risk.Priority, risk.Status, risk.Text)
		}
		if !slices.IsSortedFunc(r.Risks, func(a, b Risk) int { return b.Priority.rank() - a.Priority.rank() }) {
			t.Errorf("%s: the highest are not first", name)
		}
	}
}

// What serves is what the last minute or the last step says, whichever is later.
func TestServed(t *testing.T) {
	step := func(ago time.Duration, to string, state store.DecisionState) store.Decision {
		return store.Decision{Time: noon.Add(-ago), Model: "m", From: "x", To: to, Reason: "r", State: state}
	}
	minute := minutes("m", 1, noon.Add(-time.Hour), store.Window{Requests: 1, Tier: "q8_0"})
	for name, c := range map[string]struct {
		f    fixture
		want string
	}{
		"nobody knows":       {fixture{}, ""},
		"a score":            {fixture{scores: pair(1, 2)[:1]}, "q4_k"},
		"a step":             {fixture{scores: pair(1, 2)[:1], decisions: []store.Decision{step(2*time.Hour, "q2_k", store.Applied), step(time.Hour, "q3_k", store.Reverted)}}, "q2_k"},
		"a minute behind it": {fixture{windows: minute, decisions: []store.Decision{step(2*time.Hour, "q2_k", store.Applied)}}, "q8_0"},
		"a step behind that": {fixture{windows: minute, decisions: []store.Decision{step(time.Minute, "q2_k", store.Applied)}}, "q2_k"},
	} {
		c.f.models = []string{"m"}
		in := c.f.input(t)
		if got := in.of("m").served(); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A tenant's report has its own requests alone; damaged rows are left out and named; a model that is not configured any more is there.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h", "history.db")
	s, err := store.Open(path, store.Options{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer s.Close()
	day, night := s.Tenant("day"), s.Tenant("night")
	for i, who := range []store.Tenant{day, night, day} {
		w := minutes("gone", 1, noon.Add(-time.Duration(3-i)*time.Hour), store.Window{Requests: int64(10 + i), QPSMean: 1})[0]
		w.Tenant = who
		must(t, s.AddWindow(w))
		c := costsOf("gone", w.Until, 1)
		c.Tenant = who
		must(t, s.AddCost(c))
	}
	must(t, s.Flush(context.Background()))
	read := func(who *store.Tenant) Input {
		in := Input{Made: noon, From: noon.Add(-24 * time.Hour), Until: noon}
		must(t, in.Read(context.Background(), s, who, 0))
		return in
	}
	if in := read(nil); len(in.Windows) != 3 || len(in.Costs) != 3 || in.Earlier != nil {
		t.Errorf("all: %d windows, %d costs", len(in.Windows), len(in.Costs))
	}
	in := read(&day)
	if len(in.Windows) != 2 || len(in.Costs) != 2 || in.Windows[1].Requests != 12 {
		t.Errorf("day's: %+v", in.Windows)
	}
	if r := Make(in); len(r.Summaries) != 1 || r.Summaries[0].Model != "gone" {
		t.Errorf("%+v", r.Summaries)
	}
	none := Input{Made: noon, From: noon.Add(-2 * time.Hour), Until: noon}
	must(t, none.Read(context.Background(), s, nil, 90*time.Minute))
	if len(none.Windows) != 2 || len(none.Earlier.Windows) != 1 || none.Earlier.Windows[0].Requests != 10 {
		t.Errorf("two periods: %d and %d", len(none.Windows), len(none.Earlier.Windows))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := in.Read(ctx, s, nil, 0); err == nil {
		t.Error("it was read for nobody")
	}
	damaged := func(yield func(store.Window, error) bool) {
		_ = yield(store.Window{}, &store.DamagedRowError{Table: store.Windows, Row: 7, Why: "its checksum is another's"}) && yield(store.Window{Requests: 1}, nil)
	}
	rows, err := readWindows(&in, damaged)
	if err != nil || len(rows) != 1 || len(in.Problems) != 1 || !strings.Contains(in.Problems[0], "row 7 of windows") {
		t.Errorf("%v %v %v", rows, err, in.Problems)
	}
	r := Make(in)
	if risk := r.Risks[slices.IndexFunc(r.Risks, func(r Risk) bool { return r.Name == "damage of the history" })]; risk.Priority != High {
		t.Errorf("%+v", risk)
	}
	endless := func(yield func(store.Window, error) bool) {
		for yield(store.Window{}, nil) {
		}
	}
	if _, err := readWindows(&in, endless); err == nil || !strings.Contains(err.Error(), "250000 rows of windows: choose a later since") {
		t.Error(err)
	}
}

// readWindows reads windows from any iterator.
func readWindows(in *Input, rows func(func(store.Window, error) bool)) ([]store.Window, error) {
	return read(in, store.Windows, rows, nil)
}
