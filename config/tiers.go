package config

import (
	"fmt"
	"slices"
	"strings"

	"chimera/api"
	"chimera/quality/suites"
	"chimera/webhook"
	"chimera/weights"
)

// This file owns what the settings say of tiers and of what they are measured by.

// The words of tiers.mode.
const (
	ModeFixed  = "fixed"
	ModeAdvise = "advise"
	ModeGuard  = "guard"
)

// The words of quality.experiments.
const (
	ExperimentsOnDemand = "demand"
	ExperimentsInIdle   = "idle"
)

// Tiers says at which quantisation tier models are served, and who chooses.
type Tiers struct {
	Start        string   `toml:"start"`
	Mode         string   `toml:"mode"`
	Ladder       []string `toml:"ladder"` // none: all tiers
	MinBLEU      float64  `toml:"min_bleu"`
	MinAgreement float64  `toml:"min_agreement"`
	MaxLoss      float64  `toml:"max_loss"`
	DiskQuota    Size     `toml:"disk_quota"` // 0: none is kept
}

// Quality says what models are measured by.
type Quality struct {
	Suites       []string `toml:"suites"`
	Interval     Duration `toml:"interval"`
	ControlShare float64  `toml:"control_share"` // of live requests
	Window       int      `toml:"window"`        // requests
	EdgeBudget   float64  `toml:"edge_budget"`   // share of tokens
	Webhook      string   `toml:"webhook"`       // "": nobody is told
	WebhookKey   string   `toml:"webhook_key"`   // a path, or the name of a credential
	Experiments  string   `toml:"experiments"`   // ExperimentsOnDemand or ExperimentsInIdle
}

// guardedStart is where a model begins that the guard keeps: it costs no quality that could be measured, and half of the memory of f16.
const guardedStart = "q8_0"

// First is the tier that models begin with.
func (c *Tiers) First() string {
	switch {
	case c.Start != api.AutoTier:
		return c.Start
	case c.Mode == ModeFixed:
		return api.SourceTier // what a model loses is for its user to choose
	}
	return guardedStart
}

// Rungs are the tiers that the guard may choose, the source first.
func (c *Tiers) Rungs() []string {
	if len(c.Ladder) == 0 {
		return TierNames()
	}
	list := []string{api.SourceTier}
	for _, tier := range c.Ladder {
		if tier != api.SourceTier {
			list = append(list, tier)
		}
	}
	return list
}

// check holds the settings of tiers and suites against each other.
func (c *Tiers) check(q *Quality) error {
	last := -1
	for i, tier := range c.Ladder {
		at := slices.Index(TierNames(), tier)
		key := fmt.Sprintf("tiers.ladder[%d]", i)
		if at < 0 {
			return Errorf(key, "there is no tier %q: use %s", tier, strings.Join(TierNames(), ", "))
		}
		if at <= last {
			return Errorf(key, "%s stands behind a tier that is no larger: from the source down, each once", tier)
		}
		last = at
	}
	switch {
	case c.Mode == ModeFixed:
		return nil
	case len(q.Suites) == 0:
		return Errorf("quality.suites", "tiers.mode = %q needs a suite to measure by: name a file, or one of %s", c.Mode, strings.Join(suites.Names(), ", "))
	case !slices.Contains(c.Rungs(), c.First()):
		return Errorf("tiers.start", "%s is not on tiers.ladder", c.First())
	}
	return nil
}

// checkWebhook is for what can be known of it before the start.
func (q *Quality) checkWebhook() error {
	if q.Webhook == "" && q.WebhookKey != "" {
		return Errorf("quality.webhook_key", "there is no quality.webhook to sign for")
	}
	if q.Webhook == "" {
		return nil
	}
	if _, err := webhook.ParseURL(q.Webhook); err != nil {
		return &KeyError{"quality.webhook", err}
	}
	if q.WebhookKey == "" {
		return Errorf("quality.webhook", "it needs quality.webhook_key, by which its receiver knows who sends: openssl rand -hex 32 > FILE; chmod 600 FILE")
	}
	return nil
}

// TierNames are what tiers.start may be, the finest first.
func TierNames() []string {
	names := []string{api.SourceTier}
	for _, t := range weights.Tiers() {
		names = append(names, strings.ToLower(t.String()))
	}
	return names
}
