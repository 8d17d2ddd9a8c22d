package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"chimera/store"
)

// This file owns quality: which scores are the present ones.

// metric is how a metric is shown, and which objective is about it.
type metric struct {
	label     string
	unit      string
	lower     bool // less is better
	objective string
	target    func(*Objectives) float64
}

// known are the metrics whose names and scales people know; any other is shown under its own name as a ratio.
var known = map[string]metric{
	"bleu":      {label: "BLEU", unit: points, objective: "bleu", target: func(o *Objectives) float64 { return o.BLEU }},
	"chrf":      {label: "chrF2", unit: points},
	"rouge-l":   {label: "ROUGE-L", unit: ratio},
	"exact":     {label: "exact match", unit: ratio},
	"f1":        {label: "token F1", unit: ratio},
	"acc":       {label: "accuracy", unit: ratio, objective: "accuracy", target: func(o *Objectives) float64 { return o.Accuracy }},
	"acc_norm":  {label: "accuracy by length", unit: ratio},
	"agreement": {label: "agreement with the control", unit: ratio, objective: "agreement", target: func(o *Objectives) float64 { return o.Agreement }},
	"ece":       {label: "calibration error", unit: ratio, lower: true},
	"fluency":   {label: "perplexity under the control", unit: perplexity, lower: true},
	"kl":        {label: "divergence from the control", unit: ratio, lower: true},
}

func metricOf(name string) metric {
	if m, ok := known[name]; ok {
		return m
	}
	return metric{label: name, unit: ratio}
}

// The tags that halves of a suite are scored under, and the tier that is the control.
const (
	tuningTag = "tuning"
	sealedTag = "sealed"
	control   = "source"
)

// served is the tier that answers: where the last decision that was applied led, or that of the last minute where one is later; else what costs were last counted
// for, else that of the last score; "" where nobody knows.
func (m *modelInput) served() string {
	tier, since := "", time.Time{}
	for _, s := range m.Scores {
		tier = s.Tier
	}
	for _, c := range m.Costs {
		tier = cmp.Or(c.Tier, tier)
	}
	for _, w := range m.Windows {
		if w.Tier != "" {
			tier, since = w.Tier, w.Until
		}
	}
	for _, d := range m.Decisions {
		if d.State == store.Applied && d.Time.After(since) {
			tier = d.To
		}
	}
	return tier
}

// suites names those that have scores, in the order of their names.
func (m *modelInput) suites() []string {
	var list []string
	for i := range m.Scores {
		list = append(list, m.Scores[i].Suite)
	}
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// metrics names those that a suite has scores of, with BLEU before what it is read beside.
func (m *modelInput) metrics(suite string) []string {
	var list []string
	for i := range m.Scores {
		if s := &m.Scores[i]; s.Suite == suite {
			list = append(list, s.Metric)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// latest is the newest score of a tier; nil: there is none.
func (m *modelInput) latest(suite, metric, tag, tier string) (found *store.Score) {
	for i := range m.Scores {
		if s := &m.Scores[i]; s.Suite == suite && s.Metric == metric && s.Tag == tag && s.Tier == tier {
			found = s
		}
	}
	return found
}

// scored is a score as a figure.
func scored(s *store.Score) Figure {
	m := metricOf(s.Metric)
	f := Figure{
		Name: s.Suite + "." + s.Metric, Label: m.label + " on " + s.Suite, Unit: m.unit, N: s.N, Of: "items", From: s.Time, Until: s.Time,
		Method: "run of the suite" + ofTier(s.Tier), Sources: rowsOf(store.Scores, []int64{s.Row}),
	}
	if s.Tag != "" {
		f.Name, f.Label = f.Name+"."+s.Tag, f.Label+", "+s.Tag
	}
	return f.set(s.Value, "the run gave no number").between(s.Low, s.High)
}

func ofTier(tier string) string {
	if tier == "" {
		return ""
	}
	return " on tier " + tier
}

// quality is a statement for each suite; one that says what is missing where there is none.
func (m *modelInput) quality() (list []Statement) {
	tier := m.served()
	for _, suite := range m.suites() {
		list = append(list, m.qualityOn(suite, tier))
	}
	if len(list) > 0 {
		return list
	}
	why := "no suite's score is in the history"
	f := Figure{Name: "quality", Label: "quality", Unit: ratio, Of: "items", From: m.From, Until: m.Until, Method: "run of a suite"}.missing(why)
	return []Statement{{Topic: "Quality", Status: NotThere, Text: "Quality is missing: " + why + ".", Figures: []Figure{f}}}
}

// qualityOn is what a suite says of the tier that answers.
func (m *modelInput) qualityOn(suite, tier string) Statement {
	s := Statement{Topic: "Quality on " + suite}
	var parts []string
	last := m.From
	for _, name := range m.metrics(suite) {
		row := m.latest(suite, name, "", tier)
		if row == nil {
			continue
		}
		f, about := scored(row), metricOf(name)
		last = row.Time
		if about.target != nil {
			f = f.against(about.objective, about.target(&m.Objectives), false)
		}
		text := f.Label[:len(about.label)] + " is " + f.withInterval()
		if f.Objective != nil {
			text += ", " + f.Objective.distance(f.Unit)
		}
		parts, s.Figures = append(parts, text), append(s.Figures, f)
	}
	s.Status = status(s.Figures...)
	if len(parts) == 0 {
		why := "the suite was run, and not" + ofTier(tier)
		s.Figures = []Figure{{Name: suite, Label: "quality on " + suite, Unit: ratio, Of: "items", From: m.From, Until: m.Until, Method: "run of the suite"}}
		s.Figures[0] = s.Figures[0].missing(why)
		s.Text = "Quality on " + suite + " is missing: " + why + "."
		return s
	}
	s.Text = fmt.Sprintf("On %s %s; measured%s %s.", suite, strings.Join(parts, "; "), ofTier(tier), age(last, m.Made))
	return s
}

// leastOfTag is how many items a tag must bear to be called weak: of hundreds of tags with a few items each some are, whatever is served.
const leastOfTag = 20

// weakness names the tags that are worse than their whole suite: the tag's whole interval lies below the suite's.
func (m *modelInput) weakness() (s Statement, any bool) {
	tier := m.served()
	var weak []string
	compared := false
	for i := range m.Scores {
		row := &m.Scores[i]
		whole := m.latest(row.Suite, row.Metric, "", row.Tier)
		if row.N < leastOfTag || row.Tag == "" || row.Tag == tuningTag || row.Tag == sealedTag || whole == nil || whole.Digest != row.Digest || row.Tier != tier ||
			row != m.latest(row.Suite, row.Metric, row.Tag, tier) || metricOf(row.Metric).lower || math.IsNaN(row.High) || math.IsNaN(whole.Low) {
			continue
		}
		compared = true
		if row.High < whole.Low {
			f, all := scored(row), scored(whole)
			weak = append(weak, fmt.Sprintf("%s (%s %s, the whole suite %s)", row.Tag, metricOf(row.Metric).label, f.Text(), all.Text()))
			s.Figures = append(s.Figures, f, all)
		}
	}
	s.Topic, s.Status, s.Text = "Weak spots", Attention, "It is weak on "+listed(weak)+"."
	if len(weak) == 0 {
		s.Status, s.Text, s.Figures = Fine, "No tag of a suite is worse than its whole beyond what chance does.", []Figure{}
	}
	return s, compared
}
