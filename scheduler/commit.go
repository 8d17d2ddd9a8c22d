package scheduler

import (
	"slices"

	"chimera/engine"
)

// This file owns what follows a step: progress, events, ends.

// commit hands the step's results to their sequences.
func (s *Scheduler) commit() {
	for _, c := range s.planned {
		s.progress(c)
		s.deliverScores(c)
		event, ended := s.result(c)
		if event.HasToken || ended {
			c.seq.deliver(event)
		}
		if ended {
			s.letGo(c.seq)
			s.running = slices.DeleteFunc(s.running, func(other *Sequence) bool { return other == c.seq })
		}
	}
}

// progress notes what is computed and publishes the pages that became full.
func (s *Scheduler) progress(c chunk) {
	seq := c.seq
	if c.tokens == 1 && seq.generated > 0 {
		s.stats.DecodeTokens++
	} else {
		s.stats.PrefillTokens += uint64(c.tokens)
	}
	seq.computed += c.tokens
	for (seq.published+1)*engine.PageTokens <= seq.computed {
		s.pool.publish(seq.pages[seq.published], seq.key(seq.published))
		seq.published++
	}
}

func (s *Scheduler) deliverScores(c chunk) {
	for i := range c.scored {
		at := c.score + i
		r := s.batch.Results[at]
		c.seq.scored++
		c.seq.deliver(Event{
			Token: r.Token, HasToken: true, Prompt: true, Logprob: r.TargetLogit - r.LogSumExp, Rank: r.Rank,
			Top: s.alternatives(at),
		})
	}
}

// result is the event of a sampled token, and whether it is the last.
func (s *Scheduler) result(c chunk) (e Event, ended bool) {
	seq := c.seq
	if c.sample < 0 {
		if seq.sampling() || seq.pending() > 0 {
			return Event{}, false
		}
		return Event{Finish: Length}, true // max_tokens 0: the prompt was all
	}
	r := s.batch.Results[c.sample]
	seq.append(r.Token)
	e = Event{Token: r.Token, HasToken: true, Logprob: r.Logit - r.LogSumExp, Rank: r.Rank, Top: s.alternatives(c.sample)}
	e.Finish = seq.finish(r.Token, s.limits.MaxContext)
	return e, e.Finish != Running
}

// finish tells whether the token just appended ends the sequence.
func (s *Sequence) finish(token int32, context int) Finish {
	switch {
	case !s.request.IgnoreEnd && s.generated > s.request.MinTokens && slices.Contains(s.request.Ends, token):
		return EndToken
	case s.generated >= s.request.MaxTokens || len(s.tokens) >= context:
		return Length
	}
	return Running
}

func (s *Scheduler) alternatives(output int) []Alternative {
	top := s.batch.TopOf(output)
	if len(top) == 0 {
		return nil
	}
	lse := s.batch.Results[output].LogSumExp
	out := make([]Alternative, len(top))
	for i, t := range top {
		out[i] = Alternative{Token: t.Token, Logprob: t.Logit - lse}
	}
	return out
}
