package eval

import (
	"fmt"
	"math"
	"slices"

	"chimera/quality/stats"
	"chimera/quality/suite"
)

// This file owns the report: figures with their intervals, over all items, by tag and by half.

// seed is that of all resampling, so that the same outcomes give the same report.
const seed = 1

// Score is a figure and its 95 % interval, for which items are drawn anew.
type Score struct {
	Value     float64  `json:"value"`
	Low       *float64 `json:"low"` // nil where fewer than two items count
	High      *float64 `json:"high"`
	Spread    *float64 `json:"spread,omitempty"`    // standard deviation of the repeats' scores, of which the value is the mean; nil without repeats
	N         int      `json:"n"`                   // items that count
	Signature string   `json:"signature,omitempty"` // what the figure depends on, of scores against references
}

// Scores are figures by the metric's name.
type Scores map[string]Score

// Report is what an evaluation found. Its JSON is what a baseline is read from.
type Report struct {
	Suite   string   `json:"suite"`
	Digest  string   `json:"digest"`
	N       int      `json:"n"`
	Who     Identity `json:"model"`
	Control string   `json:"control,omitempty"` // who has read the answers, by its numerics id
	// RelevanceBy is whose states relevance is measured by: a numerics id, or of a server that has none its model's name. Of others it does not compare.
	RelevanceBy string                `json:"relevance_by,omitempty"`
	Settings    Settings              `json:"settings"`
	Scores      Scores                `json:"scores"`
	ByTag       map[string]Scores     `json:"by_tag"`
	ByHalf      map[suite.Half]Scores `json:"by_half"`
	Truncated   int                   `json:"truncated"` // answers that were cut off at max_tokens, or at the context's end
	Failed      int                   `json:"failed"`    // items without an answer; they score as an empty one
	// RelevanceMissing are items whose relevance could not be measured, unlike that of others.
	RelevanceMissing int         `json:"relevance_missing,omitempty"`
	Baseline         *Comparison `json:"baseline,omitempty"`
	// Consistency is by item how alike its answers are, see score.Consistency.
	Consistency map[string]float64 `json:"consistency,omitempty"`
	Items       []Outcome          `json:"items"` // see Run.Outcomes
}

// Report makes the report of a run's outcomes.
func (r *Run) Report(outcomes []Outcome) (*Report, error) {
	t, err := r.tabulate(outcomes, r.Settings)
	if err != nil {
		return nil, err
	}
	report := &Report{
		Suite: r.Suite.Name, Digest: r.Suite.Digest(), N: len(r.Suite.Items), Who: r.Who, Control: r.ControlBy, RelevanceBy: r.RelevanceBy, Settings: r.Settings, Items: outcomes,
		ByTag: map[string]Scores{}, ByHalf: map[suite.Half]Scores{}, Consistency: t.consistencies(r.Suite),
	}
	failed, unrelated := map[string]bool{}, map[string]bool{}
	for _, o := range outcomes {
		if o.Finish == "length" {
			report.Truncated++
		}
		if o.Failed != "" {
			failed[o.ID] = true
		}
		if o.RelevanceMissing != "" {
			unrelated[o.ID] = true
		}
	}
	report.Failed, report.RelevanceMissing = len(failed), len(unrelated)
	if report.Scores, err = t.scores(everyItem(r.Suite)); err != nil {
		return nil, err
	}
	tags, halves := groups(r.Suite)
	for tag, items := range tags {
		if report.ByTag[tag], err = t.scores(items); err != nil {
			return nil, err
		}
	}
	for half, items := range halves {
		if report.ByHalf[half], err = t.scores(items); err != nil {
			return nil, err
		}
	}
	return report, nil
}

func everyItem(s *suite.Suite) []int {
	items := make([]int, len(s.Items))
	for n := range items {
		items[n] = n
	}
	return items
}

// groups are the numbers of items by tag and by half.
func groups(s *suite.Suite) (tags map[string][]int, halves map[suite.Half][]int) {
	tags, halves = map[string][]int{}, map[suite.Half][]int{}
	for n, item := range s.Items {
		for _, tag := range item.Tags {
			tags[tag] = append(tags[tag], n)
		}
		halves[item.Half] = append(halves[item.Half], n)
	}
	return tags, halves
}

// scores are all figures of some items.
func (t table) scores(items []int) (Scores, error) {
	all := Scores{}
	for _, m := range t {
		rows, of := m.pick(items)
		if len(rows) == 0 {
			continue
		}
		s, err := m.interval(rows, of)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		all[m.name] = s
	}
	return all, nil
}

// pick are the rows of those items that have any, and the items.
func (m *metric) pick(items []int) (rows [][]float64, of []int) {
	for _, n := range items {
		if row, has := m.rows[n]; has {
			rows, of = append(rows, row), append(of, n)
		}
	}
	return rows, of
}

func (m *metric) interval(rows [][]float64, of []int) (Score, error) {
	s := Score{N: len(rows), Signature: m.signature, Spread: m.spreadOf(rows)}
	if len(rows) == 1 {
		s.Value = m.score(rows[0])
		return s, nil
	}
	i, err := stats.Bootstrap(rows, of, m.score, stats.Resampling{Seed: seed})
	if err != nil {
		return s, err
	}
	if math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return s, fmt.Errorf("its interval is %v to %v", i.Low, i.High)
	}
	s.Value, s.Low, s.High = i.Estimate, &i.Low, &i.High
	return s, nil
}

// Names are the metrics of scores, in order.
func (s Scores) Names() (names []string) {
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
