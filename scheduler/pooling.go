package scheduler

import (
	"errors"

	"chimera/engine"
)

// This file owns pooling: the mean of a prompt's states, which a request asks for instead of an answer.

// ErrNoStates refuses Request.Pool where the instance has no taps.
var ErrNoStates = errors.New("the model's states can't be had")

// pooling is the sum of the states so far. It lasts when the sequence is sent back: what was added is not added again.
type pooling struct {
	sum  []float64 // (Limits.TapWidth)
	next int       // the first position that is not in it
	n    int       // states
}

// poolable refuses what pooling can't be beside, and prompts of which no state is wanted.
func (s *Lane) poolable(r *Request) error {
	switch {
	case !r.Pool:
		return nil
	case s.limits.TapWidth == 0:
		return ErrNoStates
	case r.MaxTokens > 0 || r.ScorePrompt:
		return &engine.BatchError{Field: "outputs", Reason: "states are pooled of a prompt alone, without an answer or scores"}
	case r.PoolFrom < 0 || r.PoolFrom >= len(r.Prompt):
		return &engine.BatchError{Field: "prompt", Reason: "it has no token whose state counts"}
	}
	return nil
}

// outputsLeft is how many of its tokens the sequence may have in the step being planned, if it wants outputs of each.
func (s *Lane) outputsLeft(r *Request) int {
	b := s.next.batch
	left := s.limits.MaxOutputs - len(b.Outputs)
	if r.Pool {
		left = min(left, s.limits.MaxTaps-len(b.Taps)/s.limits.TapWidth)
	}
	return left
}

// tapPrompt asks for the states of a chunk's tokens.
func (s *Lane) tapPrompt(c *chunk, row int) {
	for i := range c.tokens {
		if c.seq.planned+i < c.seq.pooled.next {
			continue
		}
		at, err := s.next.batch.AddOutput(engine.Output{Row: int32(row + i), Mode: engine.Tapped}, nil, nil)
		if err != nil {
			return
		}
		if c.score < 0 {
			c.score = at
		}
		c.scored++
	}
}

// pool adds the states of a chunk that was computed.
func (c *chunk) pool(b *engine.Batch) {
	p := &c.seq.pooled
	for i := range c.scored {
		state := b.TapsOf(c.score + i)
		if p.sum == nil {
			p.sum = make([]float64, len(state))
		}
		for k, x := range state {
			p.sum[k] += float64(x)
		}
		p.next, p.n = p.next+1, p.n+1
	}
}

// mean is that of all states.
func (p *pooling) mean() []float32 {
	list := make([]float32, len(p.sum))
	for k, x := range p.sum {
		list[k] = float32(x / float64(p.n))
	}
	return list
}
