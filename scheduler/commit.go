package scheduler

import (
	"slices"

	"chimera/engine"
)

// This file owns what follows a step: progress, events, ends.

// commit hands a step's results to their sequences. Those of a sequence that has ended, was stopped or
// preempted since the step was planned are nobody's: its pages are no longer its own.
func (s *Lane) commit(done *step) {
	ended, asking := 0, 0 // of whom may ask again
	for i := range done.chunks {
		c := &done.chunks[i]
		if c.releases != c.seq.releases {
			s.stats.DiscardedTokens += uint64(c.tokens)
			continue
		}
		event := Event{At: s.stats.Progress} // a clock for each token takes a tenth of the loop's time
		switch isLast := s.outcome(done.batch, c, &event); {
		case isLast:
			c.seq.ended = true
			s.part(c.seq, event)
			ended++
			if c.seq.request.Class == Interactive {
				asking++
			}
		case event.HasToken:
			c.seq.deliver(&event)
		}
	}
	if ended > 0 {
		s.running = slices.DeleteFunc(s.running, func(seq *Sequence) bool { return seq.ended })
		s.noteEnds(ended, s.stats.Progress)
	}
	if asking > 0 {
		s.arrivals() // these did not come after this end
		s.door.end(asking, s.stats.Progress, s.stats.Progress.Sub(done.submitted))
	}
}

// outcome is what a chunk's sequence hears last of the step, and whether that is its end. Pages behind logits that are no
// numbers are not published.
func (s *Lane) outcome(b *engine.Batch, c *chunk, e *Event) (ended bool) {
	if err := c.failed(b); err != nil {
		e.Finish, e.Err = Failed, err
		return true
	}
	s.progress(c)
	if c.seq.request.Pool {
		c.pool(b)
	} else {
		deliverScores(b, c)
	}
	s.result(b, c, e)
	return e.Finish != Running
}

// failed is why the chunk's outputs can't be used, or nil. Logits that are no numbers end their sequence alone, and never the lane, however many of
// a step they are: what a sequence computes is its own and its prefix's, so others' are right; and where a model's values leave their type for some
// prompt, whoever sent that prompt could end the lane for all. A device at fault says so itself (engine.ErrPoisoned).
func (c *chunk) failed(b *engine.Batch) error {
	for i := range c.scored {
		if err := b.OutputError(c.score + i); err != nil {
			return err
		}
	}
	if c.sample < 0 {
		return nil
	}
	return b.OutputError(c.sample)
}

// undo takes back a background step that gave way: it is as if it had not been planned. It was the only one under way,
// so nobody in it has left since, unless the lane ends.
func (s *Lane) undo(aborted *step) {
	for _, c := range aborted.chunks {
		if c.releases != c.seq.releases {
			continue
		}
		s.moveOn(c.seq, -c.tokens)
		c.seq.tokens = c.seq.tokens[:c.seq.known()]
	}
	s.stats.Aborts++
	s.budget = min(s.budget, max(s.budget/2, leastBudget))
}

// progress notes what is computed and publishes the pages that became full. Their tokens are known: those
// that this step computed were sampled by earlier ones.
func (s *Lane) progress(c *chunk) {
	seq := c.seq
	if c.tokens == 1 && seq.generated > 0 {
		s.stats.DecodeTokens++
	} else {
		s.stats.PrefillTokens += uint64(c.tokens)
	}
	seq.computed += c.tokens
	seq.most = max(seq.most, seq.computed)
	for g := range s.groups {
		s.groups[g].publish(&seq.tables[g], seq)
		if c.sample >= 0 && seq.generated == 0 {
			s.groups[g].announceTail(&seq.tables[g], seq)
		}
	}
}

func deliverScores(b *engine.Batch, c *chunk) {
	for i := range c.scored {
		at := c.score + i
		r := &b.Results[at]
		c.seq.scored++
		c.seq.deliver(&Event{
			Token: r.Token, HasToken: true, Prompt: true, Logprob: r.TargetLogit - r.LogSumExp, Rank: r.Rank,
			Top: alternatives(b, at),
		})
	}
}

// result is the event of a sampled token.
func (s *Lane) result(b *engine.Batch, c *chunk, e *Event) {
	seq := c.seq
	if c.sample < 0 {
		if !seq.sampling() && seq.computed == len(seq.tokens) {
			e.Finish = Length // max_tokens 0: the prompt was all
			if seq.request.Pool {
				e.Pooled = seq.pooled.mean()
			}
		}
		return
	}
	r := &b.Results[c.sample]
	seq.append(r.Token)
	seq.chargeAnswer(&s.policy.rules)
	e.Token, e.HasToken, e.Rank, e.Top = r.Token, true, r.Rank, alternatives(b, c.sample)
	if seq.request.reportsLogprobs() || seq.request.FirstLogprob && seq.generated == 1 {
		e.Logprob = r.Logit - r.LogSumExp
	}
	e.Finish = seq.finish(r.Token, s.limits.MaxContext)
}

// finish tells whether the token just appended ends the sequence.
func (s *Sequence) finish(token int32, context int) Finish {
	switch {
	case !s.request.IgnoreEnd && s.generated > s.request.MinTokens && slices.Contains(s.request.Ends, token):
		return EndToken
	case s.full(s.known(), context):
		return Length
	}
	return Running
}

func alternatives(b *engine.Batch, output int) []Alternative {
	top := b.TopOf(output)
	if len(top) == 0 {
		return nil
	}
	lse := b.Results[output].LogSumExp
	out := make([]Alternative, len(top))
	for i, t := range top {
		out[i] = Alternative{Token: t.Token, Logprob: t.Logit - lse}
	}
	return out
}
