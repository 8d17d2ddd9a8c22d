package scheduler

import (
	"cmp"
	"math"
	"slices"

	"chimera/engine"
)

// This file owns planning a step: who is in it, with how many tokens, on which pages. It does no I/O.

// chunk is a sequence's share of the planned step.
type chunk struct {
	seq      *Sequence
	releases int // the sequence's, when it was planned
	from     int // the position of the first
	tokens   int
	sample   int // index of the sampled output, or -1
	score    int // index of the first scored output, or -1
	scored   int // how many
}

// leastBudget is what repeated aborts leave of a background step: with less it would get on no faster, since the weights
// are read for the first row as for the sixteenth.
const leastBudget = 16

// plan fills the next step with what one generation of weights computes, if there is anything to compute: where nothing is
// under way, somebody of the oldest sequence's generation gets on, since others give up their pages for it. A step is
// of sequences of class Background, or of none.
func (s *Lane) plan(background bool) {
	s.dropStopped()
	s.next = s.steps.next()
	s.next.batch.Background = background
	for range s.generations {
		s.lastTurn = s.nextGeneration()
		if s.fill(s.lastTurn); len(s.next.chunks) > 0 {
			return
		}
	}
}

// isWanted tells whether the sequence is of the kind that the step is for.
func (s *Lane) isWanted(seq *Sequence) bool { return seq.background() == s.next.batch.Background }

// fill plans a step of a generation: decoding sequences first, since each costs one row and someone waits for its
// next word; then prompts share what is left of the budget, so that a long one starves nobody. Where the step has fewer
// rows than there are sequences, those that waited longest have their turn, so that nobody starves of others' number
// either. A step that is under way meanwhile has moved its sequences on, and its samples stand as placeholders.
func (s *Lane) fill(g engine.Generation) {
	s.plans++
	s.next.generation, s.next.batch.Generation = g, g
	budget := s.config.StepTokens
	if s.next.batch.Background {
		budget = s.budget
	}
	for _, seq := range longestWaiting(s.unplanned(g), budget) {
		if seq.pending() == 1 && seq.runs() && s.room(seq) {
			budget -= s.schedule(seq, 1)
		}
	}
	s.advanceRest()
	s.admit()
	prompts := longestWaiting(s.unplanned(g), budget)
	slices.SortStableFunc(prompts, func(a, b *Sequence) int { return a.pending() - b.pending() })
	for i, seq := range prompts { // shortest first: what it leaves of its share goes to the longer ones
		budget -= s.schedule(seq, min(seq.pending(), budget/(len(prompts)-i)))
	}
}

// unplanned are the running sequences of a generation that are not in the step, and have something to compute.
func (s *Lane) unplanned(g engine.Generation) []*Sequence {
	return slices.DeleteFunc(slices.Clone(s.running), func(seq *Sequence) bool {
		return seq.generation.id != g || seq.pending() == 0 || s.isPlanned(seq) || !s.isWanted(seq)
	})
}

// takeTurn puts the sequence behind all others that want rows.
func (s *Lane) takeTurn(seq *Sequence) {
	s.turns++
	seq.turn = s.turns
}

// longestWaiting are those whose turn it is, at most one for each row.
func longestWaiting(all []*Sequence, rows int) []*Sequence {
	slices.SortFunc(all, func(a, b *Sequence) int { return cmp.Compare(a.turn, b.turn) })
	return all[:min(len(all), rows)]
}

func (s *Lane) isPlanned(seq *Sequence) bool { return seq.plan == s.plans }

// dropStopped ends what its client no longer wants.
func (s *Lane) dropStopped() {
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

// admit gives waiting sequences a place and the pages of their prompt: in a group whose positions see all before them
// all, elsewhere as many as it ever holds. So a prompt once begun is short of pages only while what it let go is still
// seen by another that shares it, and the one that is furthest behind never is. One whose prefix is being computed by another waits for it and lets others
// pass; one that lacks pages lets nobody pass, or large prompts would wait for ever.
func (s *Lane) admit() {
	places := s.places()
	for i := 0; i < len(s.waiting); {
		seq := s.waiting[i]
		if !s.isWanted(seq) {
			i++
			continue
		}
		s.join(seq)
		prefix, follow := s.prefix(seq)
		switch {
		case follow:
			i++
		case len(s.running) < places && s.fits(seq, prefix):
			s.enter(i, prefix)
		case s.makeWay():
			i++ // the queue has one more at its head
		default:
			return
		}
	}
}

// enter gives the sequence at a place of the queue its pages.
func (s *Lane) enter(at, prefix int) {
	seq := s.waiting[at]
	s.take(seq, prefix)
	s.takeTurn(seq)
	seq.admitted()
	s.waiting = slices.Delete(s.waiting, at, at+1)
	s.leaveQueue(1)
	s.running = append(s.running, seq)
}

// makeWay sends the youngest background sequence back to the queue, if the step is not of that kind itself.
func (s *Lane) makeWay() bool {
	if s.next.batch.Background {
		return false
	}
	for _, seq := range slices.Backward(s.running) {
		if seq.background() {
			s.preempt(seq)
			return true
		}
	}
	return false
}

// room sees to pages for the next position of a decoding sequence; where there are none left a background sequence, then the youngest
// of those that the step is for, gives up its own and is computed again later. False: that was the sequence itself, or the younger
// ones are all in the step already; the next one begins with it then.
func (s *Lane) room(seq *Sequence) bool {
	for !s.advance(seq) {
		if s.makeWay() {
			continue
		}
		youngest, victim := s.youngest(false), s.youngest(true)
		if victim == seq && seq != youngest {
			return false
		}
		s.preempt(victim)
		if victim == seq {
			return false
		}
	}
	return true
}

// youngest is that of the sequences that the step is for, or of those of them that are not in it yet.
func (s *Lane) youngest(unplanned bool) *Sequence {
	for _, seq := range slices.Backward(s.running) {
		if s.isWanted(seq) && !(unplanned && s.isPlanned(seq)) {
			return seq
		}
	}
	return nil // never: who asks is one, and is not planned
}

// preempt sends a running sequence back to the head of the queue with the tokens it has. Only sequences
// that are not in the step being planned are preempted; what a step under way computes for one is discarded,
// and will be the same the next time.
func (s *Lane) preempt(seq *Sequence) {
	s.running = slices.DeleteFunc(s.running, func(other *Sequence) bool { return other == seq })
	s.letGo(seq)
	s.waiting = slices.Insert(s.waiting, 0, seq)
	s.enterQueue()
	s.stats.Preemptions++
}

// schedule adds n tokens of the sequence to the batch, with the outputs they need, and returns n, or
// less if the batch holds no more outputs.
func (s *Lane) schedule(seq *Sequence, n int) int {
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
	row, err := batch.AddSequence(seq.tokens[seq.planned:seq.planned+n], seq.planned, s.tables(seq))
	if err != nil {
		return 0 // the batch is full, or pages are missing: the sequence is in a later one
	}
	c := chunk{seq: seq, releases: seq.releases, from: seq.planned, tokens: n, sample: -1, score: -1}
	s.scorePrompt(&c, row)
	s.moveOn(seq, n)
	if seq.pending() == 0 && seq.sampling() {
		s.sample(&c, row+n-1)
	}
	s.next.chunks = append(s.next.chunks, c)
	s.takeTurn(seq)
	seq.plan = s.plans
	return n
}

// sample asks for the sequence's next token.
func (s *Lane) sample(c *chunk, row int) {
	sampling := c.seq.request.Sampling
	at, err := s.next.batch.AddOutput(c.seq.request.output(row), c.seq.penalties, c.seq.biases())
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
func (s *Lane) holdsSampling(seq *Sequence) bool {
	if seq.request.Sampling.penalises() && s.steps.penalised() {
		return false
	}
	b := s.next.batch
	return cap(b.Penalties)-len(b.Penalties) >= len(seq.penalties) &&
		cap(b.Biases)-len(b.Biases) >= len(seq.biases())
}

// scorePrompt asks for the log-probabilities of the prompt's own tokens.
func (s *Lane) scorePrompt(c *chunk, row int) {
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
func (r *Request) output(row int) engine.Output {
	p, mode := r.Sampling, engine.Sample
	if r.reportsLogprobs() {
		mode |= engine.LogSumExp | engine.Rank
	}
	return engine.Output{
		Row: int32(row), Mode: mode, Top: int32(r.Top), Temperature: p.Temperature,
		TopK: int32(min(p.TopK, math.MaxInt32)), TopP: p.TopP, MinP: p.MinP, Repetition: p.Repetition, Presence: p.Presence,
		Frequency: p.Frequency, Seed: p.Seed, Choice: int32(r.Choice),
	}
}
