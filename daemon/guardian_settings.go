package daemon

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"chimera/api"
	"chimera/quality/guard"
	"chimera/quality/suite"
	"chimera/quality/suites"
)

// This file owns what the settings ask of tiers: who chooses them, among which, and what they must keep.

// The words of tiers.mode, and of a tier that the administrator has chosen.
const (
	modeFixed  = "fixed"
	modeAdvise = "advise"
	modeGuard  = "guard"
	modeManual = "manual"
)

// TiersConfig says at which quantisation tier models are served, and who chooses.
type TiersConfig struct {
	Start        string   `toml:"start"`
	Mode         string   `toml:"mode"`
	Ladder       []string `toml:"ladder"` // none: all tiers
	MinBLEU      float64  `toml:"min_bleu"`
	MinAgreement float64  `toml:"min_agreement"`
	MaxLoss      float64  `toml:"max_loss"`
	DiskQuota    Size     `toml:"disk_quota"` // 0: none is kept
}

// QualityConfig says what models are measured by.
type QualityConfig struct {
	Suites       []string `toml:"suites"`
	Interval     Duration `toml:"interval"`
	ControlShare float64  `toml:"control_share"` // of live requests
	Window       int      `toml:"window"`        // requests
	EdgeBudget   float64  `toml:"edge_budget"`   // share of tokens
	Webhook      string   `toml:"webhook"`       // "": nobody is told
	WebhookKey   string   `toml:"webhook_key"`   // a path, or the name of a credential
	Experiments  string   `toml:"experiments"`   // onDemand or inIdle
}

// guardedStart is where a model begins that the guard keeps: it costs no quality that could be measured, and half of the memory of f16.
const guardedStart = "q8_0"

// start is the tier that models begin with.
func (c *TiersConfig) start() string {
	switch {
	case c.Start != api.AutoTier:
		return c.Start
	case c.Mode == modeFixed:
		return sourceTier // what a model loses is for its user to choose
	}
	return guardedStart
}

// ladder are the tiers that the guard may choose, the source first.
func (c *TiersConfig) ladder() []string {
	if len(c.Ladder) == 0 {
		return tierNames()
	}
	list := []string{sourceTier}
	for _, tier := range c.Ladder {
		if tier != sourceTier {
			list = append(list, tier)
		}
	}
	return list
}

// check holds the settings of tiers and suites against each other.
func (c *TiersConfig) check(q *QualityConfig) error {
	last := -1
	for i, tier := range c.Ladder {
		at := slices.Index(tierNames(), tier)
		key := fmt.Sprintf("tiers.ladder[%d]", i)
		if at < 0 {
			return wrongf(key, "there is no tier %q: use %s", tier, strings.Join(tierNames(), ", "))
		}
		if at <= last {
			return wrongf(key, "%s stands behind a tier that is no larger: from the source down, each once", tier)
		}
		last = at
	}
	switch {
	case c.Mode == modeFixed:
		return nil
	case len(q.Suites) == 0:
		return wrongf("quality.suites", "tiers.mode = %q needs a suite to measure by: name a file, or one of %s", c.Mode, strings.Join(suites.Names(), ", "))
	case !slices.Contains(c.ladder(), c.start()):
		return wrongf("tiers.start", "%s is not on tiers.ladder", c.start())
	}
	return nil
}

// agreement is the metric of tokens that are the source's; the others are package eval's.
const agreement = "agreement"

// accuracies are the metric that a kind of items is judged by, and what a point of tiers.max_loss is in its unit.
var accuracies = []struct {
	kind   suite.Kind
	metric string
	point  float64
}{{suite.Translation, "chrf", 1}, {suite.QA, "exact", 0.01}, {suite.Choice, "acc", 0.01}, {suite.Edge, "properties", 0.01}, {suite.Text, "rouge-l", 0.01}}

// criteria are what tiers must keep on these suites.
func (c *TiersConfig) criteria(list []*suite.Suite) (all guard.Criteria, err error) {
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
			return nil, wrongf("tiers.min_bleu", "quality.suites have no translations, which alone have a BLEU")
		}
		all = append(all, guard.Criterion{Metric: "bleu", MaxLoss: math.Inf(1), Floor: c.MinBLEU})
	}
	return all, all.Check()
}

// read reads the suites.
func (q *QualityConfig) read() (list []*suite.Suite, err error) {
	for i, name := range q.Suites {
		s, err := suites.Open(name)
		if err != nil {
			return nil, &wrong{fmt.Sprintf("quality.suites[%d]", i), err}
		}
		list = append(list, s)
	}
	return list, nil
}

// tuning is of each suite the half that may be chosen by.
func (q *QualityConfig) tuning(wholes []*suite.Suite) (list []*suite.Suite, err error) {
	for i, s := range wholes {
		half := halfOf(s, suite.Tuning)
		if len(half.Items) < leastItems {
			return nil, wrongf(fmt.Sprintf("quality.suites[%d]", i), "%s has %d items in its tuning half, of which nothing can be told: it needs %d", q.Suites[i], len(half.Items), leastItems)
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
