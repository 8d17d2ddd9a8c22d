package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"chimera/store"
)

// This file owns the Optimisation Recommendations: what each change was measured to do, and whether it is worth it.

// Advice is what a model's serving could gain.
type Advice struct {
	Model string           `json:"model"`
	Items []Recommendation `json:"recommendations"` // those to follow first
	Front []Point          `json:"pareto"`          // what is served, and each change
	Cause Cause            `json:"root_cause"`
}

// Verdict is what is said of a change.
type Verdict string

// The verdicts.
const (
	Recommended Verdict = "recommended"
	Traded      Verdict = "a trade" // it is better and worse, and the objectives do not ask for that
	Dominated   Verdict = "dominated"
	NoEffect    Verdict = "no effect seen" // that is worth it and that chance would not have
	Unproven    Verdict = "not known to be harmless"
	Harmful     Verdict = "harmful"
	Incomplete  Verdict = "incomplete" // not all three of throughput, latency and quality were measured
	NotTried    Verdict = "not measured yet"
)

// The measures of experiments that are no scores.
const (
	qpsMeasure  = "qps"
	ttftMeasure = "ttft_ms"
)

// verdicts are all, in the order in which people want to read them.
var verdicts = []Verdict{Recommended, Traded, Unproven, NoEffect, Dominated, Harmful, Incomplete, NotTried}

// Recommendation is one change with what it was measured to do on this machine.
type Recommendation struct {
	Factor  string    `json:"factor"`
	Off     string    `json:"off"` // as it is
	On      string    `json:"on"`  // as it could be
	Verdict Verdict   `json:"verdict"`
	Text    string    `json:"text"`
	Effects []Figure  `json:"effects"`
	Time    time.Time `json:"time"` // of the experiment; zero where there was none
}

// trial is the newest experiment on one change.
type trial struct {
	factor, off, on string
	tier            string // that served
	time            time.Time
	method          string
	n               int64
	measures        map[string]*store.Experiment
	adjusted        map[string]float64 // p-values, see adjust
	compared        int                // effects that were looked at together
}

// advice makes a model's recommendations, and the table that they are judged by.
func (m *modelInput) advice(s serving, c Cause, missed []string) Advice {
	a := Advice{Model: m.name, Items: []Recommendation{}, Cause: c}
	trials := m.trials()
	quality := m.qualityMeasure(trials)
	a.Front = m.front(s, trials, quality)
	adjust(trials, quality)
	for i, t := range trials {
		a.Items = append(a.Items, m.judge(t, quality, a.Front[i+1], missed))
	}
	for _, known := range changes {
		tried := func(t *trial) bool { return t.factor == known.factor }
		if !slices.ContainsFunc(trials, tried) {
			a.Items = append(a.Items, Recommendation{Factor: known.factor, Verdict: NotTried, Effects: []Figure{},
				Text: fmt.Sprintf("What %s would change is not measured yet: %s.", known.factor, known.how)})
		}
	}
	rank := func(r Recommendation) int { return slices.Index(verdicts, r.Verdict) }
	slices.SortStableFunc(a.Items, func(x, y Recommendation) int { return rank(x) - rank(y) })
	return a
}

// changes are those that a daemon can make, and how to find out what one does.
var changes = []struct{ factor, how string }{
	{"batching", "run chimera experiment run --factor batching"},
	{"cache hotness", "run chimera experiment run --factor hotness"},
	{"shared prefixes", "run chimera experiment run --factor prefixes"},
	{"door", "run chimera experiment run --factor door"},
	{"tier", "run chimera experiment run --factor tier"},
	{"KV type", "run chimera experiment run --factor kv_type"},
	{"huge or pinned memory", "run chimera experiment run --factor huge_pages, or chimera bench memory"},
	{"escalation", "run chimera experiment run --factor escalation where a tier below the source serves"},
}

// trials are the newest experiment on each change, in the order of their factors.
func (m *modelInput) trials() (list []*trial) {
	for i := range m.Experiments {
		e := &m.Experiments[i]
		if e.Kind != store.SettingTried {
			continue
		}
		at := slices.IndexFunc(list, func(t *trial) bool { return t.factor == e.Factor && t.on == e.On })
		if at < 0 {
			list = append(list, &trial{factor: e.Factor, on: e.On})
			at = len(list) - 1
		}
		t := list[at]
		if !t.time.Equal(e.Time) {
			t.measures = map[string]*store.Experiment{}
		}
		t.off, t.tier, t.time, t.method, t.n = e.Off, e.Tier, e.Time, e.Method, e.N
		t.measures[e.Measure] = e
	}
	slices.SortStableFunc(list, func(a, b *trial) int { return strings.Compare(a.factor+"\x00"+a.on, b.factor+"\x00"+b.on) })
	return list
}

// qualityMeasure is the metric that changes are compared by: the first of those that people know that a trial has, else any; where no trial has
// one, what is served is shown by one that a suite has.
func (m *modelInput) qualityMeasure(trials []*trial) string {
	var names []string
	for _, t := range trials {
		for name := range t.measures {
			if name != qpsMeasure && name != ttftMeasure {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		for i := range m.Scores {
			names = append(names, m.Scores[i].Metric)
		}
	}
	slices.Sort(names)
	for _, name := range []string{"bleu", "chrf", "agreement", "acc"} {
		if slices.Contains(names, name) {
			return name
		}
	}
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// change is what an experiment changed as a figure: of throughput in percent, of all else in its unit.
func change(e *store.Experiment) Figure {
	f := Figure{Name: e.Factor + "." + e.Measure, Unit: metricOf(e.Measure).unit, N: e.N, Of: "pairs", From: e.Time, Until: e.Time, Method: e.Method,
		Label: metricOf(e.Measure).label, Sources: rowsOf(store.Experiments, []int64{e.Row})}
	by := 1.0
	switch e.Measure {
	case qpsMeasure:
		f.Label, f.Unit, by = "throughput", percent, 100/e.Before
	case ttftMeasure:
		f.Label, f.Unit = "time to the first token", millis
	}
	return f.set((e.After-e.Before)*by, "the experiment gave no number").between(e.Low*by, e.High*by)
}

// words of a change: "throughput +8 % (95 % interval 6 % to 10 %)". A change of quality also says how much that is of what there was.
func changeInWords(e *store.Experiment, f Figure) string {
	if f.Value == nil {
		return f.Label + " missing"
	}
	text := f.Label + " " + signed(*f.Value, f.Unit)
	if e.Measure != qpsMeasure && e.Measure != ttftMeasure && e.Before > 0 && e.After != e.Before {
		text += ", " + signed(100*(e.After-e.Before)/e.Before, percent)
	}
	if f.Low != nil {
		text += " (95 % interval " + f.Interval() + ")"
	}
	return text
}

// judge says whether a change is worth it.
func (m *modelInput) judge(t *trial, quality string, at Point, missed []string) Recommendation {
	r := Recommendation{Factor: t.factor, Off: t.off, On: t.on, Effects: []Figure{}, Time: t.time}
	var effects []string
	for _, e := range t.measured(quality) {
		f := change(e)
		r.Effects = append(r.Effects, f)
		effects = append(effects, changeInWords(e, f))
	}
	var why string
	r.Verdict, why = m.verdict(t, quality, at, missed)
	begin := fmt.Sprintf("Leave %s at %s, and not %s", t.factor, t.off, t.on)
	if r.Verdict == Recommended {
		begin = fmt.Sprintf("Change %s from %s to %s", t.factor, t.off, t.on)
	}
	r.Text = fmt.Sprintf("%s (%s). Measured %s%s over %s by %s: %s.", begin, why, age(t.time, m.Made), ofTier(t.tier), counted(t.n, "pair", "pairs"), t.method, strings.Join(effects, "; "))
	return r
}

// verdict is the rule. A change that makes something worse, or that may, is recommended only where the objectives ask for it: what gets better is missed now,
// and what gets worse is wanted to some degree that it still has.
func (m *modelInput) verdict(t *trial, quality string, at Point, missed []string) (Verdict, string) {
	effects := t.effects(quality)
	better, worse, doubtful := labels(effects, (*effect).isBetter), labels(effects, (*effect).isWorse), labels(effects, (*effect).isDoubtful)
	switch {
	case at.Unplaced != "":
		return Incomplete, at.Unplaced
	case len(worse) > 0 && len(better) == 0:
		return Harmful, listed(worse) + " would be worse"
	case !at.OnFront:
		return Dominated, at.DominatedBy + " is surely as good in each respect and better in one"
	case len(better) == 0:
		return NoEffect, fmt.Sprintf("no effect seen of %s or more that %s would not have by chance: %s", in(100*leastEffect, percent), counted(int64(t.compared), "comparison", "comparisons"), t.intervals(quality))
	case len(doubtful) == 0:
		return Recommended, fmt.Sprintf("%s better, nothing worse by %s of speed or %s of quality", listed(better), in(100*speedMargin, percent), in(100*qualityMargin, percent))
	case m.wanted(better, missed) && m.affordable(doubtful, at):
		how := " worse but within its objective"
		if len(worse) == 0 {
			how = ", if it is worse, within its objective"
		}
		return Recommended, listed(better) + " better, which an objective misses, and " + listed(doubtful) + how
	case len(worse) > 0:
		return Traded, listed(better) + " better, " + listed(worse) + " worse: the objectives do not ask for that"
	}
	return Unproven, listed(better) + " better, and it is not known to be harmless: " + mayLose(effects)
}

// intervals are what the measures may have changed by, in words: "throughput −1 % to 4 %, BLEU not known".
func (t *trial) intervals(quality string) string {
	var list []string
	for _, e := range t.measured(quality) {
		f, within := change(e), "without an interval"
		if f.Low != nil {
			within = f.Interval()
		}
		list = append(list, f.Label+" "+within)
	}
	return strings.Join(list, ", ")
}
