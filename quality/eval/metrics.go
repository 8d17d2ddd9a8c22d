package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"chimera/quality/score"
	"chimera/quality/stats"
	"chimera/quality/suite"
)

// This file owns which metrics an item of each kind has, as counts that are summed and resampled.

// Metric names beside those of package score.
const (
	acc        = "acc"
	accNorm    = "acc_norm"
	ece        = "ece"
	properties = "properties"
	fluency    = "fluency"
)

// ofKind are the metrics of each kind. Beside these, answers of all kinds may have fluency, consistency and relevance.
var ofKind = map[suite.Kind][]string{
	suite.Translation: {"bleu", "chrf"}, suite.QA: {"exact", "f1"}, suite.Text: {"rouge-l"}, suite.Edge: {properties}, suite.Choice: {acc, accNorm, ece},
}

// MetricNames are all metrics that a report may have, in order.
func MetricNames() []string {
	names := []string{fluency, consistency, relevance}
	for _, list := range ofKind {
		names = append(names, list...)
	}
	slices.Sort(names)
	return names
}

// metric is one figure of a suite.
type metric struct {
	name      string
	signature string
	lower     bool // less is better
	score     stats.Score
	rows      map[int][]float64             // counts by item; items of other kinds have none
	parts     func(sum []float64) []float64 // the score of each repeat; nil: items were asked once
}

// table is all figures of some outcomes, in the order of first appearance.
type table []*metric

// tabulateOnce counts. All references of an item count but for translations: see suite.Suite.References.
func tabulateOnce(s *suite.Suite, outcomes []Outcome, settings Settings) (table, error) {
	var t table
	references := s.References()
	for n := range s.Items {
		item, o := &s.Items[n], outcomes[n]
		if o.ID != item.ID {
			return nil, fmt.Errorf("outcome %d is of item %q, the suite has %q there", n, o.ID, item.ID)
		}
		var err error
		switch item.Kind {
		case suite.Translation:
			err = t.references(n, o, item.References[:references], ofKind[item.Kind]...)
		case suite.QA, suite.Text:
			err = t.references(n, o, item.References, ofKind[item.Kind]...)
		case suite.Edge:
			t.of(properties, mean).rows[n] = []float64{float64(item.Passes(o.Text)) / float64(len(item.Checks)), 1}
		case suite.Choice:
			err = t.choice(n, o, item, settings)
		}
		if err == nil && o.Control != (Reading{}) {
			err = t.fluency(n, o.Control)
		}
		if err != nil {
			return nil, fmt.Errorf("item %s: %w", item.ID, err)
		}
		t.relevance(n, o)
	}
	return t, nil
}

// of is the metric of a name.
func (t *table) of(name string, score stats.Score) *metric {
	if at := slices.IndexFunc(*t, func(m *metric) bool { return m.name == name }); at >= 0 {
		return (*t)[at]
	}
	*t = append(*t, &metric{name: name, score: score, rows: map[int][]float64{}})
	return (*t)[len(*t)-1]
}

func mean(sum []float64) float64 { return sum[0] / sum[1] }

// references adds metrics against references. An answer is taken without blanks around it.
func (t *table) references(n int, o Outcome, references []string, names ...string) error {
	for _, name := range names {
		m, err := score.New(name, "")
		if err != nil {
			return err
		}
		to := t.of(name, m.Score)
		to.rows[n] = m.Counts(strings.TrimSpace(o.Text), references)
		switch signature := m.Signature(len(references)); {
		case to.signature == "":
			to.signature = signature
		case to.signature != signature:
			_, rest, _ := strings.Cut(signature, "|")
			to.signature = "nrefs:var|" + rest
		}
	}
	return nil
}

// fluency adds what a control has made of an answer. One without a token has none.
func (t *table) fluency(n int, r Reading) (err error) {
	m := t.of(fluency, score.Fluency)
	m.lower = true
	m.rows[n], err = score.FluencyCounts(r.LogProbability, r.Tokens)
	return err
}

// choice adds accuracies, and calibration where there are likelihoods. A failure is no choice at all.
func (t *table) choice(n int, o Outcome, item *suite.Item, settings Settings) error {
	if settings.Choices == ByLetter {
		t.of(acc, mean).rows[n] = share(chosen(o.Text, item.Choices) == item.Right)
		return nil
	}
	if o.Failed != "" {
		t.of(acc, mean).rows[n], t.of(accNorm, mean).rows[n] = share(false), share(false)
		return nil
	}
	if len(o.Likelihoods) != len(item.Choices) {
		return fmt.Errorf("there are %d likelihoods of %d choices", len(o.Likelihoods), len(item.Choices))
	}
	var list []score.Choice
	for at, text := range item.Choices {
		list = append(list, score.Choice{Text: text, LogProbability: o.Likelihoods[at]})
	}
	c, err := score.Choose(list, item.Right)
	if err != nil {
		return err
	}
	counts, err := score.CalibrationCounts(confidence(o.Likelihoods), c.Acc)
	if err != nil {
		return err
	}
	t.of(acc, mean).rows[n], t.of(accNorm, mean).rows[n] = share(c.Acc), share(c.AccNorm)
	calibration := t.of(ece, score.CalibrationScore)
	calibration.lower, calibration.rows[n] = true, counts
	return nil
}

func share(right bool) []float64 {
	if right {
		return []float64{1, 1}
	}
	return []float64{0, 1}
}

// confidence is the likeliest choice's share of what all choices have.
func confidence(likelihoods []float64) float64 {
	most, sum := slices.Max(likelihoods), 0.0
	for _, l := range likelihoods {
		sum += math.Exp(l - most)
	}
	return 1 / sum
}
