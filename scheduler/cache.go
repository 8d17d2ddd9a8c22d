package scheduler

import (
	"time"

	"chimera/engine"
)

// This file owns what a lane knows of its cache beside the pools: the clock of hotness, the named prefixes that stay, and counts.

// cache is the loop's own.
type cache struct {
	heat    *heat
	start   time.Time
	lookups uint64 // sequences with a page of prompt that looked for a prefix, each once
	hits    uint64 // those that found one
	pins    []*pin
	shadows *shadows // nil: no group has whole prefixes
}

func newCache(halfLife time.Duration) cache {
	return cache{heat: &heat{halfLife: halfLife.Seconds(), turns: usesToHalf, cooling: 1, again: &recompute{}}}
}

// tick sets the clock that uses are counted by where a half-life is set.
func (c *cache) tick(now time.Time) {
	if c.start.IsZero() {
		c.start = now
	}
	if c.heat.halfLife > 0 {
		c.heat.now = now.Sub(c.start).Seconds() / c.heat.halfLife
	}
}

// watch begins to compare rules. Where hotness does not count, what was used last stays.
func (c *cache) watch(groups []group, hotness bool) {
	if !hotness {
		c.heat.cooling = fastCooling
		return
	}
	for g := range groups {
		if groups[g].keyed && groups[g].pool.chained {
			c.shadows = newShadows(len(groups[g].pool.pages), c.heat)
			return
		}
	}
}

// lookUp takes note of a sequence that is given a place.
func (s *Lane) lookUp(seq *Sequence) {
	c := &s.cache
	if seq.releases > 0 || len(seq.request.Prompt) < engine.PageTokens { // such as the probe of readiness: it has no full page
		return
	}
	c.lookups++
	if seq.computed > 0 {
		c.hits++
	}
	if c.shadows == nil || !seq.isUse() {
		return
	}
	if cooling := c.shadows.ask(seq, c.heat); cooling != c.heat.cooling {
		c.heat.cooling = cooling
		for g := range s.groups {
			s.groups[g].pool.rerate()
		}
	}
}

// observe notes how long a step took, for what computing a page again would: one whose rows are prompts', mostly, since a row that
// decodes waits for weights.
func (c *cache) observe(done *step, took time.Duration) {
	rows := done.shape.Decode + done.shape.Prefill
	if done.shape.Decode*4 > rows {
		return
	}
	seen := 0
	for i := range done.chunks {
		k := &done.chunks[i]
		seen += k.tokens * (k.from + k.tokens/2)
	}
	c.heat.again.observe(rows, seen, took)
}
