package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"chimera/engine"
)

// This file owns admission to the queue: a group of requests is taken whole or refused whole, in one go.

// Submit queues a request: a group of one.
func (s *Lane) Submit(ctx context.Context, r Request) (*Sequence, error) {
	all, err := s.SubmitGroup(ctx, []Request{r})
	if it := (*RequestError)(nil); errors.As(err, &it) {
		return nil, it.Err
	}
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// SubmitGroup queues the requests of one client together, or none of them: a group that is refused holds no place, and
// what others ask meanwhile is not refused for its sake. It never waits. What could never be taken is *GroupTooLargeError, or *RequestError with
// *engine.TooLongError, *engine.BatchError or ErrNoStates; what can't be taken now is *OverloadError, ErrDraining, or what ended the loop.
// The sequences stop when ctx is done.
func (s *Lane) SubmitGroup(ctx context.Context, requests []Request) ([]*Sequence, error) {
	if len(requests) > s.config.QueueLength {
		return nil, &GroupTooLargeError{Requests: len(requests), QueueLength: s.config.QueueLength}
	}
	all := make([]*Sequence, len(requests))
	for i, r := range requests {
		if err := s.admissible(r); err != nil {
			return nil, &RequestError{i, err}
		}
		all[i] = newSequence(r, s.noteStop, s.loop.config.Now)
	}
	s.hash(all)
	for i, seq := range all {
		rows := s.expectedRows(seq)
		if i > 0 && seq.request.Choice > 0 { // it follows the first, and computes what is in no full page
			rows = min(rows, 1+(len(seq.tokens)-1)%engine.PageTokens)
		}
		s.asks(seq, rows)
	}
	if err := s.enqueue(ctx, all); err != nil {
		return nil, err
	}
	s.wake()
	return all, nil
}

// asks notes what the sequence, which waits, asks of the lane: so many rows, and pages for them and for what it will add before others end.
func (s *Lane) asks(seq *Sequence, rows int) {
	r := &seq.request
	seq.demand = demand{class: r.Class, own: r.Own, tenant: r.Tenant, deadline: r.Deadline, rows: rows, pages: pagesTo(rows + s.comingTokens(seq))}
}

// hash computes the keys of pages here, since the loop has others to serve. It computes them again where other weights have
// come meanwhile.
func (s *Lane) hash(group []*Sequence) {
	g, pinned := s.latest.Load(), s.offers.Load()
	var before *Sequence
	for _, seq := range group {
		if g != nil && s.groups[0].keyed { // nil: the loop has not begun
			seq.hash(*g, pinned, before)
		}
		before = seq
	}
}

// enqueue hands the group to the loop.
func (s *Lane) enqueue(ctx context.Context, group []*Sequence) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(group) == 0 {
		return nil
	}
	r := &group[0].request
	s.learnDensity(r)
	if err := s.taken(len(group), r.Class, r.Tenant); err != nil {
		return err
	}
	together := make([]*demand, len(group))
	for i, seq := range group {
		together[i] = &seq.demand
	}
	if err := s.promiseAll(together); err != nil {
		return err
	}
	s.incoming = append(s.incoming, group...)
	for _, seq := range group {
		s.queue.change(&seq.demand, 1)
		seq.detach = context.AfterFunc(ctx, seq.Stop)
	}
	return nil
}

// admissible refuses what could never fit, so that plan never meets it. It shortens nothing.
func (s *Lane) admissible(r Request) error {
	switch {
	case len(r.Prompt) == 0:
		return &engine.BatchError{Field: "prompt", Reason: "it has no tokens"}
	case r.MaxTokens > s.longest-len(r.Prompt) || len(r.Prompt) > s.longest:
		return &engine.TooLongError{Tokens: len(r.Prompt) + r.MaxTokens, MaxTokens: s.longest}
	case len(r.Sampling.Biases)+len(r.Ends) > s.biases:
		return &engine.BatchError{Field: "biases", Reason: "more, with the end tokens, than a step holds"}
	}
	return s.computable(r)
}

// computable refuses what a batch would: found when the step is planned, it would end the loop for all.
func (s *Lane) computable(r Request) error {
	if i := slices.IndexFunc(r.Prompt, func(t int32) bool { return t < 0 || int(t) >= s.limits.Vocab }); i >= 0 {
		return &engine.BatchError{Field: "prompt", Reason: fmt.Sprintf("token %d is %d, the vocabulary has %d", i, r.Prompt[i], s.limits.Vocab)}
	}
	if slices.ContainsFunc(r.Sampling.Biases, func(b engine.Bias) bool { return b.Value != b.Value }) {
		return &engine.BatchError{Field: "biases", Reason: "one that is NaN"}
	}
	if r.MaxTokens < 0 || r.Top > math.MaxInt32 || r.Sampling.TopK < math.MinInt32 {
		return &engine.BatchError{Field: "outputs", Reason: fmt.Sprintf("%d tokens, %d top tokens, top-k %d: out of range", r.MaxTokens, r.Top, r.Sampling.TopK)}
	}
	if err := s.poolable(&r); err != nil {
		return err
	}
	return r.output().Check(s.limits)
}

// enterQueue counts a sequence that comes back to the queue.
func (s *Lane) enterQueue(seq *Sequence) {
	seq.tenant.inLine[seq.request.Class]++
	s.asks(seq, len(seq.tokens))
	s.mu.Lock()
	s.queue.change(&seq.demand, 1)
	s.mu.Unlock()
}

// leaveQueue counts a sequence that is in the queue no more, whatever for.
func (s *Lane) leaveQueue(seq *Sequence) {
	seq.tenant.inLine[seq.request.Class]--
	if seq.releases == 0 {
		seq.tenant.left[seq.request.Class]++
	}
	s.mu.Lock()
	s.queue.change(&seq.demand, -1)
	s.mu.Unlock()
}
