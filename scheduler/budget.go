package scheduler

import (
	"math"
	"time"
)

// This file owns the token budget: how many rows of a step prompts have beside those who decode.

// pace is what a step's length is to be.
type pace struct {
	itl     time.Duration // set; 0: as those who decode have it, stretched by Rules.LongStretch at most, for the sake of long prompts
	decodes bool          // an interactive answer is among the step's decode rows
	base    Shape         // of those rows
	others  time.Duration // the shortest decoding step of another lane with an interactive answer; 0: there is none
	seen    int           // positions that the first prompt's next row sees
}

// rows is how many rows prompts may have in the step: all of them together, and those that one full step would not finish. Where nobody
// reads along a step is full. Where somebody does, and no length is set, short prompts make it as long as ShortStep: they are over
// after a step or two, and their first token is waited for. LeastRows they have whatever that lasts.
func (p *pace) rows(c *Cost, r *Rules) (all, long int) {
	most := math.MaxInt
	switch {
	case !p.decodes && p.others == 0:
		return most, most
	case p.itl > 0:
		n := max(c.Rows(p.itl, p.base, p.seen), r.LeastRows)
		return n, n
	case p.decodes:
		limit := float64(c.Predict(p.base)) * r.LongStretch
		return p.short(c, r.ShortStep, r.ShortRows), max(c.Rows(time.Duration(limit), p.base, p.seen), r.LeastRows)
	}
	limit := float64(p.others) * (r.LongStretch - 1) // the other lane's answers wait for all of this step
	return p.short(c, r.ShortStep, r.ShortRows), max(c.Rows(time.Duration(limit), p.base, p.seen), r.LeastRows)
}

// short is how many rows prompts have together, where long ones are not concerned, in a step of some length: so many whatever that lasts.
func (p *pace) short(c *Cost, step time.Duration, rows int) int {
	return max(c.Rows(step, p.base, p.seen), rows)
}

// besideQuiet is the same where a quiet tenant is expected: all together, and those of others. Its own may make a step twice as long as short
// prompts may, which most of an ordinary length fit into, but where rows take long: others' answers wait for no more rows than without it.
func (p *pace) besideQuiet(all int, c *Cost, r *Rules) (most, others int) {
	most, others = all, min(all, p.short(c, r.ShortStep/2, r.ShortRows/2))
	if p.itl == 0 {
		most = max(all, p.short(c, 2*r.ShortStep, r.ShortRows))
	}
	return most, others
}

// SetITL changes Config.ITL, from the next step on. Any goroutine may call it.
func (s *Lane) SetITL(d time.Duration) { s.pacing.Store(int64(max(0, d))) }

func (s *Lane) itl() time.Duration { return time.Duration(s.pacing.Load()) }

// allowance is how many rows prompts may have in a step.
type allowance struct {
	all    int // together
	long   int // those that one full step would not finish
	others int // those of tenants that are not quiet
}

// rows is how many a sequence may have.
func (a *allowance) rows(seq *Sequence, long bool) int {
	n := min(seq.pending(), a.all)
	if long {
		n = min(n, a.long)
	}
	if !seq.tenant.quiet {
		n = min(n, a.others)
	}
	return n
}

// take counts rows that a prompt has had.
func (a *allowance) take(rows int, long bool) {
	a.all, a.others = a.all-rows, a.others-rows
	if long {
		a.long -= rows
	}
}

// allow is what prompts, in their order, may have of the step being planned, which has so many rows left.
func (s *Lane) allow(prompts []*Sequence, budget int) allowance {
	if len(prompts) == 0 || !s.policy.with(withBudget) || s.next.kind == givesWay {
		return allowance{budget, budget, budget}
	}
	p := pace{itl: s.itl(), decodes: s.next.decodes, others: s.loop.decoding(s), base: s.next.base, seen: prompts[0].planned}
	if own := s.decodes; s.next.kind == owed && own > 0 && (p.others == 0 || own < p.others) {
		p.others = own // its own lane's answers wait for it too
	}
	s.costs.mu.Lock()
	defer s.costs.mu.Unlock()
	c, r := s.costs.model, &s.policy.rules
	all, long := p.rows(c, r)
	others := all
	if s.expectsQuiet() {
		all, others = p.besideQuiet(all, c, r)
	}
	return allowance{min(all, budget), long, others}
}

// decoding is the shortest decoding step of another lane in which an interactive answer has a row; 0: there is none.
func (l *Loop) decoding(but *Lane) (least time.Duration) {
	for _, lane := range l.lanes {
		if d := lane.decodes; lane != but && d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// noteDecoding remembers how long an ordinary step takes by its decode rows alone.
func (s *Lane) noteDecoding() {
	switch s.next.base = s.next.shape; {
	case s.next.kind != ordinary:
	case s.next.decodes:
		s.decodes = s.predict(s.next.base)
	default:
		s.decodes = 0
	}
}

func (s *Lane) predict(shape Shape) time.Duration {
	s.costs.mu.Lock()
	defer s.costs.mu.Unlock()
	return s.costs.model.Predict(shape)
}

// isLong tells whether one full step would not have finished the sequence's prompt: its first tokens take several steps in
// any case, and the last of them is no shorter for those who decode than the first.
func (s *Lane) isLong(seq *Sequence) bool { return seq.toCompute > s.config.StepTokens }
