package scheduler

import (
	"cmp"
	"math"
	"time"
)

// This file owns the order: who is before whom, among those that wait for a place as among prompts that want rows of a step.
//
// Class comes first; within it the tenant that had the least, whatever others say of their requests, or who asks much could have all by asking
// it with priority; only prompts of a quiet one beside a flood go first whatever it had (quiet.go). Of a tenant's own come age, priority,
// those that were sent back to the queue, the shortest remaining prompt, and of equals the one that finds the longest prefix, then the one
// that came first. Where nobody is named a tenant all are one.
//
// Of prompts that are about as long the one goes first whose deadline is the next that can still be met. Deadlines do not come before length: a long
// prompt that is saved by going before several short ones costs more deadlines than it keeps.
//
// Nobody starves. A sequence that was passed by AgePassings of its tenant's that came later (or, running, in AgeSteps steps in a row)
// is passed only by older ones from then on; a tenant waits until it is the one that had the least; a class waits for its share (shares.go).

// standing is all that the order depends on. What is left out of the policy is zero for all.
type standing struct {
	class     int  // rank: -1 where it is the turn of a class that had too little
	quiet     bool // its tenant is
	aged      bool
	priority  int
	returned  bool          // it was sent back to the queue
	slack     time.Duration // before its prompt must begin
	counter   float64
	places    int // of the tenant: one that was just lifted to the least counter has none
	length    int // its prompt's order of magnitude: see Rules.LengthRatio
	remaining int // pages of the prompt
	prefix    int // pages
	number    uint64
}

// far is the slack of those that have no deadline, or can't keep it any more.
const far = time.Duration(math.MaxInt64)

// compare is below zero if a goes before b. No two are equal.
func (a *standing) compare(b *standing) int {
	switch {
	case a.class != b.class:
		return a.class - b.class
	case a.quiet != b.quiet:
		return goesFirst(a.quiet)
	case a.counter != b.counter:
		return cmp.Compare(a.counter, b.counter)
	case a.places != b.places:
		return a.places - b.places
	case a.aged != b.aged:
		return goesFirst(a.aged)
	case a.aged:
		return cmp.Compare(a.number, b.number) // the order in which they came, and nothing else, or they would pass one another again
	case a.priority != b.priority:
		return b.priority - a.priority
	case a.returned != b.returned:
		return goesFirst(a.returned)
	case a.length != b.length:
		return a.length - b.length
	case a.slack != b.slack:
		return cmp.Compare(a.slack, b.slack)
	case a.remaining != b.remaining:
		return a.remaining - b.remaining
	case a.prefix != b.prefix:
		return b.prefix - a.prefix
	}
	return cmp.Compare(a.number, b.number)
}

// goesFirst is the order of two of which one is, and the other is not: before, if it is a.
func goesFirst(first bool) int {
	if first {
		return -1
	}
	return 1
}

// policy tells standings. It is a pure object: what it needs to know it is told.
type policy struct {
	rules     Rules
	without   CharacteristicSet
	perOctave float64 // lengths that are told apart in a doubling of the prompt's
}

func newPolicy(c *Config) policy {
	p := policy{rules: DefaultRules, without: c.Without}
	if c.Rules != nil {
		p.rules = *c.Rules
	}
	p.perOctave = 1 / math.Log2(p.rules.LengthRatio)
	return p
}

// candidate is what is known of one that wants a place, or rows.
type candidate struct {
	class    Class
	priority int
	deadline time.Time
	tokens   int // of the prompt, that are not computed
	prefix   int // pages of it that the cache has
	passed   int // by how many of its tenant's that came later
	skipped  int // steps in a row that had rows of other prompts
	returned bool
	number   uint64
	takes    time.Duration // to compute the prompt, alone
	quiet    bool          // its tenant is
	counter  float64       // of its tenant
	places   int           // that it has
}

// standing is a candidate's. due tells whether it is the turn of its class, which had too little.
func (p *policy) standing(c *candidate, now time.Time, due bool) (s standing) {
	s = standing{number: c.number, returned: c.returned, slack: far}
	if p.with(byClass) {
		if s.class = int(c.class); due {
			s.class = -1
		}
	}
	if p.with(byTenant) {
		s.quiet, s.counter, s.places = c.quiet, c.counter, c.places
	}
	if p.with(byAge) {
		s.aged = c.passed >= p.rules.AgePassings || c.skipped >= p.rules.AgeSteps
	}
	if p.with(byPriority) {
		s.priority = c.priority
	}
	if p.with(byDeadline) && !c.deadline.IsZero() {
		if slack := c.deadline.Sub(now) - c.takes; slack >= 0 {
			s.slack = slack
		}
	}
	if p.with(byLength) {
		s.remaining = pagesTo(c.tokens)
		s.length = int(math.Log2(float64(max(1, s.remaining))) * p.perOctave)
	}
	if p.with(byPrefix) {
		s.prefix = c.prefix
	}
	return s
}

func (p *policy) with(c CharacteristicSet) bool { return !p.without.has(c) }

// privilege is what keeps a running sequence from being sent back when others need its pages: class, then the
// tenant that had less, then priority, then age. It is below zero if a is more privileged than b.
func (p *policy) privilege(a, b *Sequence) int {
	if p.with(byClass) && a.class() != b.class() {
		return int(a.class()) - int(b.class())
	}
	if p.with(byTenant) && a.tenant != b.tenant && a.tenant.counter != b.tenant.counter {
		return cmp.Compare(a.tenant.counter, b.tenant.counter)
	}
	if p.with(byPriority) && a.priority() != b.priority() {
		return b.priority() - a.priority()
	}
	return cmp.Compare(a.number, b.number)
}
