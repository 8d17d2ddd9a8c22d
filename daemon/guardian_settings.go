package daemon

import (
	"fmt"
	"math"
	"slices"

	"chimera/config"
	"chimera/quality/guard"
	"chimera/quality/suite"
	"chimera/quality/suites"
)

// This file owns what the settings ask of tiers: what they must keep, and by which suites that is measured.

// agreement is the metric of tokens that are the source's; the others are package eval's.
const agreement = "agreement"

// accuracies are the metric that a kind of items is judged by, and what a point of tiers.max_loss is in its unit.
var accuracies = []struct {
	kind   suite.Kind
	metric string
	point  float64
}{{suite.Translation, "chrf", 1}, {suite.QA, "exact", 0.01}, {suite.Choice, "acc", 0.01}, {suite.Edge, "properties", 0.01}, {suite.Text, "rouge-l", 0.01}}

// criteria are what tiers must keep on these suites.
func criteria(c *config.Tiers, list []*suite.Suite) (all guard.Criteria, err error) {
	has := func(k suite.Kind) bool {
		return slices.ContainsFunc(list, func(s *suite.Suite) bool { return s.Has(k) })
	}
	for _, a := range accuracies {
		if has(a.kind) {
			all = append(all, guard.Criterion{Metric: a.metric, MaxLoss: c.MaxLoss * a.point, Floor: math.Inf(-1)})
		}
	}
	if c.MinAgreement > 0 {
		all = append(all, guard.Criterion{Metric: agreement, MaxLoss: 1 - c.MinAgreement, Floor: c.MinAgreement})
	}
	if c.MinBLEU > 0 {
		if !has(suite.Translation) {
			return nil, config.Errorf("tiers.min_bleu", "quality.suites have no translations, which alone have a BLEU")
		}
		all = append(all, guard.Criterion{Metric: "bleu", MaxLoss: math.Inf(1), Floor: c.MinBLEU})
	}
	return all, all.Check()
}

// readSuites reads the suites.
func readSuites(q *config.Quality) (list []*suite.Suite, err error) {
	for i, name := range q.Suites {
		s, err := suites.Open(name)
		if err != nil {
			return nil, &config.KeyError{Key: fmt.Sprintf("quality.suites[%d]", i), Err: err}
		}
		list = append(list, s)
	}
	return list, nil
}

// tuningHalves are of each suite the half that may be chosen by.
func tuningHalves(q *config.Quality, wholes []*suite.Suite) (list []*suite.Suite, err error) {
	for i, s := range wholes {
		half := halfOf(s, suite.Tuning)
		if len(half.Items) < leastItems {
			return nil, config.Errorf(fmt.Sprintf("quality.suites[%d]", i), "%s has %d items in its tuning half, of which nothing can be told: it needs %d", q.Suites[i], len(half.Items), leastItems)
		}
		list = append(list, half)
	}
	return list, nil
}

// halfOf is a half under the suite's own name.
func halfOf(s *suite.Suite, h suite.Half) *suite.Suite {
	half := s.Of(h)
	half.Name = s.Name
	return half
}

// leastItems are what an interval means anything of.
const leastItems = 30
