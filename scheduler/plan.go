package scheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

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
	score    int // index of the first scored output, or tapped one, or -1
	scored   int // how many
}

// logitRows is of how many of its rows logits are formed.
func (c *chunk) logitRows() (n int) {
	if !c.seq.request.Pool {
		n = c.scored
	}
	if c.sample >= 0 {
		n++
	}
	return n
}

// leastBudget is what repeated aborts leave of a background step: with less it would get on no faster, since the weights
// are read for the first row as for the sixteenth.
const leastBudget = 16

// plan fills the next step with what one generation of weights computes, if there is anything to compute: where nothing is
// under way, somebody of the oldest sequence's generation gets on, since others give up their pages for it.
func (s *Lane) plan(kind stepKind) {
	s.loop.tenants.refresh()
	s.dropStopped()
	s.next = s.steps.next()
	s.next.kind, s.next.batch.Background = kind, kind == givesWay
	s.plans++ // nobody is in the step
	s.lines.good = false
	if kind == ordinary {
		s.displace()
	}
	for range s.generations {
		s.lastTurn = s.nextGeneration()
		if s.fill(s.lastTurn); len(s.next.chunks) > 0 {
			return
		}
	}
}

// isWanted tells whether the sequence is of the kind that the step is for.
func (s *Lane) isWanted(seq *Sequence) bool {
	if seq.background() && seq.request.Idle && s.loop.serves() {
		return false
	}
	return seq.background() == (s.next.kind != ordinary)
}

// fill plans a step of a generation: decoding sequences first, since each costs one row and someone waits for its
// next word; then prompts, in the policy's order, as many rows as those who decode can bear. Where the step has fewer
// rows than there are sequences, those that waited longest have their turn, so that nobody starves of others'
// number. A step that is under way meanwhile has moved its sequences on, and its samples stand as placeholders.
func (s *Lane) fill(g engine.Generation) {
	s.plans++
	s.next.generation, s.next.batch.Generation = g, g
	budget := s.config.StepTokens
	if s.next.kind == givesWay {
		budget = s.budget
	}
	if len(s.waiting) > 0 || s.isShort() {
		s.keepPages()
	}
	budget -= s.planDecoding(g, budget)
	s.advanceRest()
	if s.admit() {
		budget -= s.planFound(g, budget)
	}
	s.next.crowded = s.next.kind == ordinary && s.leavesWaiting()
	s.noteDecoding()
	s.planPrompts(g, budget)
	s.foresee()
}

// planDecoding gives a row to each of those that wait for their next token, and returns how many rows that were.
func (s *Lane) planDecoding(g engine.Generation, budget int) (rows int) {
	s.next.decodes = false
	for _, seq := range longestWaiting(s.unplanned(g), budget) {
		if seq.pending() == 1 && seq.runs() && s.room(seq) {
			n := s.schedule(seq, 1)
			rows += n
			s.next.decodes = s.next.decodes || n > 0 && seq.generated > 0 && seq.class() == Interactive
		}
	}
	return rows
}

// planFound gives a row to each that was let in and found all of its prompt but the last token: it takes no more than a decoding one,
// so it waits for no prompt.
func (s *Lane) planFound(g engine.Generation, budget int) (rows int) {
	for _, seq := range longestWaiting(s.unplanned(g), budget) {
		if seq.pending() == 1 {
			rows += s.schedule(seq, 1)
		}
	}
	return rows
}

// planPrompts gives prompts what is left of the step, the first in the policy's order as much as it can use.
func (s *Lane) planPrompts(g engine.Generation, budget int) {
	s.noteQuiet()
	prompts := longestWaiting(s.unplanned(g), budget)
	for _, seq := range prompts {
		seq.standing = s.standingOf(seq)
	}
	slices.SortFunc(prompts, func(a, b *Sequence) int { return a.standing.compare(&b.standing) })
	if s.next.kind == ordinary {
		s.foreseen.rows = [classes][lengths]int{}
	}
	left := s.allow(prompts, budget)
	others := false
	for _, seq := range prompts {
		long := s.isLong(seq)
		got := s.schedule(seq, left.rows(seq, long))
		left.take(got, long)
		others = others || got > 0
		seq.noteTurn(got, others)
		if s.next.kind == ordinary {
			s.foreseen.rows[seq.class()][lengthOf(seq.pending())] += seq.pending()
		}
	}
}

// noteTurn counts steps in a row that had rows of others' prompts alone.
func (s *Sequence) noteTurn(rows int, others bool) {
	switch {
	case rows > 0:
		s.skipped = 0
	case others:
		s.skipped++
	}
}

// standingOf is a sequence's place in the order, in the queue or among those that want rows.
func (s *Lane) standingOf(seq *Sequence) standing {
	c := candidate{
		class: seq.class(), priority: seq.priority(), deadline: seq.deadline(), tokens: seq.pending(), skipped: seq.skipped,
		returned: seq.releases > 0, number: seq.number, counter: seq.tenant.counter, places: seq.tenant.places,
	}
	c.quiet = seq.runs() && seq.tenant.quiet
	if !seq.runs() {
		c.prefix = seq.found
		c.tokens -= seq.found * engine.PageTokens
		c.passed = int(int64(seq.tenant.left[seq.request.Class] - seq.ticket))
	}
	if !c.deadline.IsZero() {
		c.takes = time.Duration(c.tokens) * s.foreseen.row
	}
	due := s.isDue(c.class)
	if !seq.runs() { // one of the class is let in for it, or all that wait would be, and be sent back for others
		due = due && s.runs[c.class] == 0
	}
	return s.policy.standing(&c, s.now, due)
}

// isDue tells whether it is the turn of a class that others would keep from the device.
func (s *Lane) isDue(c Class) bool { return s.policy.with(withShares) && s.shares.due(c) }

// unplanned are the running sequences of a generation that are not in the step, and have something to compute. The list is good
// until the next call.
func (s *Lane) unplanned(g engine.Generation) []*Sequence {
	s.wanting = s.wanting[:0]
	for _, seq := range s.running {
		if !s.isPlanned(seq) && seq.generation.id == g && seq.pending() > 0 && s.isWanted(seq) {
			s.wanting = append(s.wanting, seq)
		}
	}
	return s.wanting
}

// takeTurn puts the sequence behind all others that want rows.
func (s *Lane) takeTurn(seq *Sequence) {
	s.turns++
	seq.turn = s.turns
}

// longestWaiting are those whose turn it is, at most one for each row.
func longestWaiting(all []*Sequence, rows int) []*Sequence {
	for i := 1; i < len(all); i++ {
		if all[i-1].turn > all[i].turn { // mostly they are in turn: each was in the step before
			slices.SortFunc(all, func(a, b *Sequence) int { return cmp.Compare(a.turn, b.turn) })
			break
		}
	}
	return all[:min(len(all), rows)]
}

func (s *Lane) isPlanned(seq *Sequence) bool { return seq.plan == s.plans }

// schedule adds n tokens of the sequence to the batch, with the outputs they need, and returns n, or
// less if the batch holds no more outputs.
func (s *Lane) schedule(seq *Sequence, n int) int {
	batch := s.next.batch
	outputs := s.outputsLeft(&seq.request)
	if seq.request.ScorePrompt || seq.request.Pool {
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
	s.next.chunks = append(s.next.chunks, chunk{seq: seq, releases: seq.releases, from: seq.planned, tokens: n, sample: -1, score: -1})
	c := &s.next.chunks[len(s.next.chunks)-1]
	if seq.request.ScorePrompt {
		s.scorePrompt(c, row)
	} else if seq.request.Pool {
		s.tapPrompt(c, row)
	}
	s.next.shape.Add(s.limits.Groups, seq.planned, n)
	s.next.rows[seq.request.Class] += n
	s.moveOn(seq, n)
	if seq.pending() == 0 && seq.sampling() {
		s.sample(c, row+n-1)
	}
	s.next.shape.Outputs = batch.LogitRows()
	s.takeTurn(seq)
	seq.plan = s.plans
	return n
}

// sample asks for the sequence's next token.
func (s *Lane) sample(c *chunk, row int) {
	at, err := s.next.batch.AddAsked(&c.seq.asks, row, c.seq.penalties(), c.seq.biases())
	if err != nil {
		return
	}
	if c.seq.request.FirstLogprob && c.seq.generated == 0 {
		s.next.batch.Outputs[at].Mode |= engine.LogSumExp
	}
	c.sample = at
	c.seq.expect(at, s.limits.MaxContext)
	s.next.penalised = s.next.penalised || c.seq.request.Sampling.penalises()
}

// holdsSampling tells whether the step being planned has room for the sequence's penalties and biases.
// Penalties count the token before, which must be known: a sequence with penalties stays out while any such
// is under way. Not only while it is itself, or two halves would alternate, each in steps half as full.
func (s *Lane) holdsSampling(seq *Sequence) bool {
	if seq.request.Sampling.penalises() && s.steps.penalised() {
		return false
	}
	b := s.next.batch
	return cap(b.Penalties)-len(b.Penalties) >= len(seq.penalties()) &&
		cap(b.Biases)-len(b.Biases) >= len(seq.biases())
}

// scorePrompt asks for the log-probabilities of the prompt's own tokens.
func (s *Lane) scorePrompt(c *chunk, row int) {
	seq := c.seq
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

// output is what a sampled row asks of the engine.
func (r *Request) output() engine.Output {
	p, mode := &r.Sampling, engine.Sample
	if r.reportsLogprobs() {
		mode |= engine.LogSumExp | engine.Rank
	}
	return engine.Output{
		Mode: mode, Top: int32(r.Top), Temperature: p.Temperature,
		TopK: int32(min(p.TopK, math.MaxInt32)), TopP: p.TopP, MinP: p.MinP, Repetition: p.Repetition, Presence: p.Presence,
		Frequency: p.Frequency, Seed: p.Seed, Choice: int32(r.Choice),
	}
}
