package scheduler

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the random mix: all that can happen to a sequence, at once, and the answers must not show it.

// participant is a request of a mix with what its client does, and what it must get.
type participant struct {
	Request
	pause  time.Duration // before it comes, and before it goes
	hangUp bool
	end    int // the place in the answer of the token that ends it, or -1
}

// randomParticipant draws from few prefixes, so that pages are shared, followed and evicted. Some answers end
// before their time, which nobody could know a step ahead.
func randomParticipant(r *rand.Rand, longest int) participant {
	n := 1 + r.IntN(longest*2/3)
	q := greedy(prompt(r.IntN(6), n, r.IntN(3)*20), r.IntN(longest-n)+1)
	q.Choice, q.Top, q.ScorePrompt = r.IntN(3), r.IntN(4), r.IntN(5) == 0
	if r.IntN(2) == 0 {
		q.ScoreFrom = r.IntN(n + 1)
	}
	if r.IntN(2) == 0 {
		q.Sampling.Temperature, q.Sampling.Seed = 0.8, r.Uint64N(3)
	}
	if r.IntN(4) == 0 {
		q.Sampling.Repetition, q.Sampling.Biases = 1.1, []engine.Bias{{Token: 5, Value: 1}}
	}
	q.Class, q.Priority, q.Tenant = []Class{Interactive, Batch, Background}[r.IntN(3)], r.IntN(10), []string{"", "a", "b"}[r.IntN(3)]
	if r.IntN(3) == 0 {
		q.Deadline = time.Now().Add(time.Hour)
	}
	p := participant{Request: q, end: -1, hangUp: r.IntN(6) == 0, pause: time.Duration(r.IntN(300)) * time.Microsecond}
	if r.IntN(3) == 0 {
		p.end, p.MinTokens, p.IgnoreEnd = r.IntN(q.MaxTokens), r.IntN(4), r.IntN(4) == 0
	}
	return p
}

// cut is what of a full answer comes before its end token.
func cut(full []int32, q Request) ([]int32, Finish) {
	for i, t := range full {
		if !q.IgnoreEnd && i >= q.MinTokens && slices.Contains(q.Ends, t) {
			return full[:i+1], EndToken
		}
	}
	return full, Length
}

// takePart submits the request and compares what comes with the answer of the weights that it began with; it tells
// whether the client hung up in time.
func (p participant) takePart(t *testing.T, f *fixture) (cancelled bool) {
	time.Sleep(p.pause)
	if p.end >= 0 { // with other weights it is just some token
		p.Ends = []int32{answerOn(f.limits, p.Request)[p.end]}
	}
	seq := f.submit(t, p.Request)
	if p.hangUp {
		time.Sleep(p.pause)
		seq.Stop()
	}
	got, scored, last := collect(t, seq)
	want, finish := cut(answerBy(f.limits, p.Request, weightsOf(seq.generation.id)), p.Request)
	if by := cmp.Or(weightsOf(seq.generation.id).Text, "first"); seq.Weights() != by && last.Finish != Cancelled {
		t.Errorf("computed by %q, not %q", by, seq.Weights())
	}
	switch {
	case last.Finish == Cancelled && p.hangUp:
		want, cancelled = want[:min(len(got), len(want))], true
	case last.Finish != finish:
		t.Errorf("finish %d, want %d: %v", last.Finish, finish, last.Err)
	case p.ScorePrompt && len(scored) != len(p.Prompt)-max(1, p.ScoreFrom):
		t.Errorf("%d of %d prompt tokens scored, from %d on", len(scored), len(p.Prompt), p.ScoreFrom)
	}
	for i, e := range scored {
		if at := max(1, p.ScoreFrom) + i; e.Token != p.Prompt[at] {
			t.Errorf("score %d is of token %d, want %d", i, e.Token, p.Prompt[at])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("a prompt of %d: %v, want %v", len(p.Prompt), got, want)
	}
	return cancelled
}

// covered is what rounds of a mix have seen.
type covered struct {
	steps, ahead, cancelled, aborted, retired int
	preempted, discarded, shared, copied      uint64
}

// shape draws what a program remembers, in pools that are sometimes hardly enough for one sequence.
func shape(r *rand.Rand, context, stepTokens int) []engine.GroupLimits {
	full, narrow, wide, state := enginetest.Full(0), enginetest.Windowed(1+r.IntN(20), 0), enginetest.Windowed(20+r.IntN(60), 0), enginetest.Recurrent(0)
	groups := [][]engine.GroupLimits{{full}, {full, wide}, {narrow}, {wide, full, narrow}, {full, state}, {state, wide}}[r.IntN(6)]
	for g := range groups {
		groups[g].Pages = groups[g].PagesFor(context, stepTokens) + r.IntN(20)
	}
	return groups
}

// mix runs one round to its end.
func (c *covered) mix(t *testing.T, l engine.Limits, r *rand.Rand) {
	l.MaxContext = 96 + r.IntN(100)
	l.MaxSequences = 1 + r.IntN(8)
	config := Config{StepTokens: l.MaxSequences + r.IntN(57), QueueLength: 100, ITL: time.Duration(r.IntN(3)) * time.Millisecond}
	if r.IntN(2) == 0 {
		config.Without = CharacteristicSet(r.Uint32()) &^ byDeadline
	}
	l.Groups = shape(r, l.MaxContext, config.StepTokens)
	dice := rand.New(rand.NewPCG(r.Uint64(), 3)) // the instance's
	var f *fixture
	f = start(t, l, config, func(in *enginetest.Instance) {
		in.Abort = func(int) bool { return dice.IntN(3) == 0 }
		in.Refuse = func(int) error { return f.check() }
	})
	var group sync.WaitGroup
	var mu sync.Mutex
	for range 5 + r.IntN(30) {
		p, governance := randomParticipant(r, l.MaxContext), Governance{MaxRunning: r.IntN(5)}
		group.Go(func() {
			if p.hangUp {
				f.Govern(governance)
			}
			cancelled := p.takePart(t, f)
			mu.Lock()
			defer mu.Unlock()
			if cancelled {
				c.cancelled++
			}
		})
	}
	replaces := r.IntN(3)
	group.Go(func() {
		for range replaces {
			time.Sleep(300 * time.Microsecond)
			f.replace(t)
		}
	})
	group.Wait()
	f.finish(t)
	c.count(t, f)
}

// count adds what the round has seen, and checks its steps.
func (c *covered) count(t *testing.T, f *fixture) {
	s := f.Snapshot()
	c.preempted, c.discarded, c.shared = c.preempted+s.Preemptions, c.discarded+s.DiscardedTokens, c.shared+s.PrefixTokens
	c.copied += s.CopiedPages
	c.aborted, c.retired = c.aborted+int(s.Aborts), c.retired+len(f.instance.Retired())
	for i, s := range f.instance.Steps() {
		c.steps, c.ahead = c.steps+1, c.ahead+s.Ahead
		if s.Tokens > f.config.StepTokens || len(s.Rows) > f.limits.MaxSequences {
			t.Fatalf("step %d: %+v exceeds %d tokens or %d sequences", i, s, f.config.StepTokens, f.limits.MaxSequences)
		}
	}
	if want := int(f.instance.Generation()) - 1; len(f.instance.Retired()) != want {
		t.Fatalf("%d generations were retired, want %d", len(f.instance.Retired()), want)
	}
}

// TestAnswersInAnyMix: whatever else runs, however prompts are cut, whoever is preempted or hangs up,
// however many steps are under way or give way, and whatever weights come meanwhile, an answer is the one that the
// request would have alone.
func TestAnswersInAnyMix(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		rounds, c := 150, covered{}
		if testing.Short() {
			rounds = 40
		}
		for round := range rounds {
			c.mix(t, l, rand.New(rand.NewPCG(uint64(round), 2)))
			if t.Failed() {
				t.Fatalf("in round %d", round)
			}
		}
		t.Logf("%d rounds: %+v", rounds, c)
		if c.preempted == 0 || c.cancelled == 0 || c.aborted == 0 || c.retired == 0 || c.shared == 0 || c.copied == 0 {
			t.Error("the mix covers nothing")
		}
		if ahead := l.Depth > 1; ahead != (c.ahead > 0) || ahead != (c.discarded > 0) {
			t.Error("rows that continue unseen tokens, or are discarded, belong to depth 2 and to no other")
		}
	})
}
