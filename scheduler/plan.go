package scheduler

import (
	"slices"

	"chimera/engine"
)

// This file owns planning a step: who is in it, with how many tokens, on which pages. It does no I/O.

// chunk is a sequence's share of the planned step.
type chunk struct {
	seq    *Sequence
	stay   int // the sequence's, when it was planned
	tokens int
	sample int // index of the sampled output, or -1
	score  int // index of the first scored output, or -1
	scored int // how many
}

// plan fills the next step: decoding sequences first, since each costs one row and someone waits for its
// next word; then prompts share what is left of the budget, so that a long one starves nobody. A step that
// is under way meanwhile has moved its sequences on, and its samples stand as placeholders.
func (s *Scheduler) plan() {
	s.next = s.steps.next()
	s.dropStopped()
	budget := s.config.StepTokens
	for _, seq := range slices.Clone(s.running) {
		if seq.pending() == 1 && budget > 0 && s.room(seq) {
			budget -= s.schedule(seq, 1)
		}
	}
	s.admit()
	prompts := slices.DeleteFunc(slices.Clone(s.running), s.isPlanned)
	slices.SortStableFunc(prompts, func(a, b *Sequence) int { return a.pending() - b.pending() })
	for i, seq := range prompts { // shortest first: what it leaves of its share goes to the longer ones
		budget -= s.schedule(seq, min(seq.pending(), budget/(len(prompts)-i)))
	}
}

func (s *Scheduler) isPlanned(seq *Sequence) bool {
	return slices.ContainsFunc(s.next.chunks, func(c chunk) bool { return c.seq == seq })
}

// dropStopped ends what its client no longer wants.
func (s *Scheduler) dropStopped() {
	gone := func(seq *Sequence) bool {
		if !seq.stopped.Load() {
			return false
		}
		s.letGo(seq)
		seq.deliver(Event{Finish: Cancelled})
		return true
	}
	s.running = slices.DeleteFunc(s.running, gone)
	before := len(s.waiting)
	s.waiting = slices.DeleteFunc(s.waiting, gone)
	s.leaveQueue(before - len(s.waiting))
}

func (s *Scheduler) leaveQueue(n int) {
	s.mu.Lock()
	s.queued -= n
	s.mu.Unlock()
}

// admit gives waiting sequences a place and all pages of their prompt, so that a prompt once begun is
// never short of pages. One whose prefix is being computed by another waits for it and lets others
// pass; one that lacks pages lets nobody pass, or large prompts would wait for ever.
func (s *Scheduler) admit() {
	places := s.places()
	for i := 0; i < len(s.waiting) && len(s.running) < places; {
		seq := s.waiting[i]
		shared, follow := s.prefix(seq)
		if follow {
			i++
			continue
		}
		if s.pagesFor(seq) > s.pool.available()-s.fromCache(shared)+len(shared) {
			return
		}
		s.take(seq, shared)
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.leaveQueue(1)
		s.running = append(s.running, seq)
	}
}

// fromCache counts pages that sharing takes away from what take could give.
func (s *Scheduler) fromCache(shared []int32) (n int) {
	for _, id := range shared {
		if s.pool.pages[id].references == 0 {
			n++
		}
	}
	return n
}

// pagesFor is how many pages the sequence's tokens need, with the one that the next token may open.
func (s *Scheduler) pagesFor(seq *Sequence) int {
	n := len(seq.tokens)/engine.PageTokens + 1
	return min(n, s.limits.Pages)
}

// prefix lists the ready pages that begin the sequence. The last token is always computed, since its
// logits are wanted; where the prompt is scored, every one is. follow says that the next page is being
// computed by another sequence.
func (s *Scheduler) prefix(seq *Sequence) (shared []int32, follow bool) {
	usable := len(seq.tokens) - 1
	if seq.request.ScorePrompt {
		usable = min(usable, seq.scored)
	}
	for i := 0; (i+1)*engine.PageTokens <= usable; i++ {
		id, ready, ok := s.pool.find(seq.key(i))
		if !ok {
			break
		}
		if !ready {
			return nil, true
		}
		shared = append(shared, id)
	}
	return shared, false
}

// take gives the sequence its shared pages and new ones for the rest of its tokens, and announces the
// full ones, so that followers wait instead of computing them again.
func (s *Scheduler) take(seq *Sequence, shared []int32) {
	for _, id := range shared {
		s.pool.share(id)
	}
	seq.pages = append(seq.pages[:0], shared...)
	seq.computed, seq.published = len(shared)*engine.PageTokens, len(shared)
	seq.planned = seq.computed
	if seq.generated == 0 {
		seq.cached.Store(int32(seq.computed))
	}
	s.stats.PrefixTokens += uint64(seq.computed)
	for len(seq.pages)*engine.PageTokens < len(seq.tokens) {
		id, _ := s.pool.take() // admit has counted them
		if full := len(seq.pages); (full+1)*engine.PageTokens <= len(seq.tokens) {
			s.pool.announce(id, seq.key(full))
		}
		seq.pages = append(seq.pages, id)
	}
	if seq.penalties == nil && seq.request.Sampling.penalises() {
		for _, t := range seq.tokens {
			seq.count(t, 0)
		}
	}
}

// room sees to a page for the next position of a decoding sequence; where none is left the youngest
// sequence gives up its own and is computed again later. False: the sequence itself was the youngest.
func (s *Scheduler) room(seq *Sequence) bool {
	if !slices.Contains(s.running, seq) {
		return false // preempted a moment ago
	}
	for len(seq.pages)*engine.PageTokens < len(seq.tokens) {
		if id, ok := s.pool.take(); ok {
			seq.pages = append(seq.pages, id)
			continue
		}
		youngest := s.running[len(s.running)-1]
		s.preempt(youngest)
		if youngest == seq {
			return false
		}
	}
	return true
}

// preempt sends a running sequence back to the head of the queue with the tokens it has. Only sequences
// that are not in the step being planned are preempted; what a step under way computes for one is discarded,
// and will be the same the next time.
func (s *Scheduler) preempt(seq *Sequence) {
	s.running = slices.DeleteFunc(s.running, func(other *Sequence) bool { return other == seq })
	s.letGo(seq)
	s.waiting = slices.Insert(s.waiting, 0, seq)
	s.leaveQueue(-1)
	s.stats.Preemptions++
}

// schedule adds n tokens of the sequence to the batch, with the outputs they need, and returns n, or
// less if the batch holds no more outputs.
func (s *Scheduler) schedule(seq *Sequence, n int) int {
	batch := s.next.batch
	outputs := s.limits.MaxOutputs - len(batch.Outputs)
	if seq.request.ScorePrompt {
		n = min(n, outputs)
	}
	if n == seq.pending() && !s.holdsSampling(seq) {
		n-- // its last row waits for a step that can sample it
	}
	if n <= 0 || outputs == 0 {
		return 0
	}
	row, err := batch.AddSequence(seq.tokens[seq.planned:seq.planned+n], seq.planned, seq.pages)
	if err != nil {
		return 0 // the batch is full: the sequence is in the next one
	}
	c := chunk{seq: seq, stay: seq.stay, tokens: n, sample: -1, score: -1}
	s.scorePrompt(&c, row)
	seq.planned += n
	if seq.pending() == 0 && seq.sampling() {
		s.sample(&c, row+n-1)
	}
	s.next.chunks = append(s.next.chunks, c)
	return n
}

// sample asks for the sequence's next token.
func (s *Scheduler) sample(c *chunk, row int) {
	sampling := c.seq.request.Sampling
	at, err := s.next.batch.AddOutput(c.seq.output(row), c.seq.penalties, sampling.Biases)
	if err != nil {
		return
	}
	c.sample = at
	c.seq.expect(at, s.limits.MaxContext)
	s.next.penalised = s.next.penalised || sampling.penalises()
}

// holdsSampling tells whether the step being planned has room for the sequence's penalties and biases.
// Penalties count the token before, which must be known: a sequence with penalties stays out while any such
// is under way. Not only while it is itself, or two halves would alternate, each in steps half as full.
func (s *Scheduler) holdsSampling(seq *Sequence) bool {
	if seq.request.Sampling.penalises() && s.steps.penalised() {
		return false
	}
	b := s.next.batch
	return cap(b.Penalties)-len(b.Penalties) >= len(seq.penalties) &&
		cap(b.Biases)-len(b.Biases) >= len(seq.request.Sampling.Biases)
}

// scorePrompt asks for the log-probabilities of the prompt's own tokens.
func (s *Scheduler) scorePrompt(c *chunk, row int) {
	seq := c.seq
	if !seq.request.ScorePrompt {
		return
	}
	for i := range c.tokens {
		next := seq.planned + i + 1
		if next <= seq.scored || next >= len(seq.request.Prompt) {
			continue
		}
		o := engine.Output{
			Row: int32(row + i), Mode: engine.Score | engine.LogSumExp | engine.Rank, Target: seq.tokens[next],
			Top: int32(seq.request.Top),
		}
		at, err := s.next.batch.AddOutput(o, nil, nil)
		if err != nil {
			return
		}
		if c.score < 0 {
			c.score = at
		}
		c.scored++
	}
}

// output is the sampled row's request to the engine.
func (s *Sequence) output(row int) engine.Output {
	p, mode := s.request.Sampling, engine.Sample
	if s.request.reportsLogprobs() {
		mode |= engine.LogSumExp | engine.Rank
	}
	return engine.Output{
		Row: int32(row), Mode: mode, Top: int32(s.request.Top), Temperature: p.Temperature,
		TopK: int32(p.TopK), TopP: p.TopP, MinP: p.MinP, Repetition: p.Repetition, Presence: p.Presence,
		Frequency: p.Frequency, Seed: p.Seed, Choice: int32(s.request.Choice),
	}
}
