package eval

import (
	"fmt"
	"math"
	"slices"

	"chimera/quality/score"
	"chimera/quality/stats"
	"chimera/quality/suite"
)

// This file owns what repeats say together: a metric is the mean of the repeats' scores, and has their spread; consistency is how alike an item's answers are.
//
// Items are what is resampled, each with all its answers: one item's are no more evidence than one item.

// consistency is its metric's name.
const consistency = "consistency"

// tabulate counts all outcomes, as Run.Outcomes has them, of a run of those settings, and leaves out the metrics that nobody wants.
func (r *Run) tabulate(outcomes []Outcome, settings Settings) (table, error) {
	t, err := tabulateAll(r.Suite, outcomes, settings)
	return slices.DeleteFunc(t, func(m *metric) bool { return !r.wants(m.name) }), err
}

func tabulateAll(s *suite.Suite, outcomes []Outcome, settings Settings) (table, error) {
	items, times := len(s.Items), settings.times()
	if len(outcomes) != items*times {
		return nil, fmt.Errorf("there are %d outcomes of %d items, each asked %d times", len(outcomes), items, times)
	}
	var tables []table
	for repeat := range times {
		part := outcomes[repeat*items:][:items]
		for i := range part {
			if part[i].Repeat != repeat {
				return nil, fmt.Errorf("item %s: its outcome is of repeat %d, that of %d stands there", part[i].ID, part[i].Repeat, repeat)
			}
		}
		t, err := tabulateOnce(s, part, settings)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	if times == 1 {
		return tables[0], nil
	}
	t := together(tables)
	err := t.consistency(s, outcomes, settings)
	return t, err
}

// together is one table of several: an item's row is those of all repeats, one behind the other. What one repeat lacks of an item, as the likelihoods of
// choices that were refused, it lacks altogether.
func together(tables []table) (all table) {
	for _, first := range tables[0] {
		m := &metric{name: first.name, signature: first.signature, lower: first.lower, rows: map[int][]float64{}}
		for n := range first.rows {
			if row := rowOf(tables, first.name, n); row != nil {
				m.rows[n] = row
			}
		}
		m.parts = func(sum []float64) (scores []float64) {
			for part := range slices.Chunk(sum, len(sum)/len(tables)) {
				scores = append(scores, first.score(part))
			}
			return scores
		}
		m.score = func(sum []float64) float64 { return meanOf(m.parts(sum)) }
		all = append(all, m)
	}
	return all
}

// rowOf is an item's row of a metric in all tables; nil where one has none.
func rowOf(tables []table, name string, item int) (row []float64) {
	for _, t := range tables {
		at := slices.IndexFunc(t, func(m *metric) bool { return m.name == name })
		if at < 0 || t[at].rows[item] == nil {
			return nil
		}
		row = append(row, t[at].rows[item]...)
	}
	return row
}

func meanOf(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum / float64(len(list))
}

// spreadOf is the standard deviation of the repeats' scores, with one degree of freedom less; nil without repeats.
func (m *metric) spreadOf(rows [][]float64) *float64 {
	if m.parts == nil {
		return nil
	}
	scores := m.parts(stats.Sum(rows))
	mean, squares := meanOf(scores), 0.0
	for _, x := range scores {
		squares += (x - mean) * (x - mean)
	}
	spread := math.Sqrt(squares / float64(len(scores)-1))
	return &spread
}

// consistency adds how alike the answers of each item are. Likelihoods are no answers, and what was refused has none.
func (t *table) consistency(s *suite.Suite, outcomes []Outcome, settings Settings) error {
	for n := range s.Items {
		var texts []string
		for at := n; at < len(outcomes) && outcomes[at].Failed == ""; at += len(s.Items) {
			texts = append(texts, outcomes[at].Text)
		}
		if len(texts) < settings.times() || settings.likens(&s.Items[n]) {
			continue
		}
		alike, err := score.Consistency(texts)
		if err != nil {
			return fmt.Errorf("item %s: %w", s.Items[n].ID, err)
		}
		t.of(consistency, mean).rows[n] = []float64{alike, 1}
	}
	return nil
}

// consistencies are those of all items by their ids; nil without repeats.
func (t table) consistencies(s *suite.Suite) map[string]float64 {
	at := slices.IndexFunc(t, func(m *metric) bool { return m.name == consistency })
	if at < 0 {
		return nil
	}
	list := map[string]float64{}
	for n, row := range t[at].rows {
		list[s.Items[n].ID] = row[0]
	}
	return list
}
