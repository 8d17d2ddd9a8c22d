package scheduler

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"chimera/engine"
)

// This file owns the random mix: all that can happen to a sequence, at once, and the answers must not show it.

// participant is a request of a mix with what its client does, and what it must get.
type participant struct {
	Request
	pause  time.Duration // before it comes, and before it goes
	hangUp bool
	want   []int32
	finish Finish
}

// randomParticipant draws from few prefixes, so that pages are shared, followed and evicted. Some answers end
// before their time, which nobody could know a step ahead.
func randomParticipant(r *rand.Rand, longest int) participant {
	n := 1 + r.IntN(longest*2/3)
	q := greedy(prompt(r.IntN(6), n, r.IntN(3)*20), r.IntN(longest-n)+1)
	q.Choice, q.Top, q.ScorePrompt = r.IntN(3), r.IntN(4), r.IntN(5) == 0
	if r.IntN(2) == 0 {
		q.Sampling.Temperature, q.Sampling.Seed = 0.8, r.Uint64N(3)
	}
	if r.IntN(4) == 0 {
		q.Sampling.Repetition, q.Sampling.Biases = 1.1, []engine.Bias{{Token: 5, Value: 1}}
	}
	p := participant{want: answer(q), finish: Length, hangUp: r.IntN(6) == 0, pause: time.Duration(r.IntN(300)) * time.Microsecond}
	if r.IntN(3) == 0 {
		q.Ends, q.MinTokens, q.IgnoreEnd = []int32{p.want[r.IntN(len(p.want))]}, r.IntN(4), r.IntN(4) == 0
		p.want, p.finish = cut(p.want, q)
	}
	p.Request = q
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

// takePart submits the request and compares what comes; it tells whether the client hung up in time.
func (p participant) takePart(t *testing.T, f *fixture) (cancelled bool) {
	time.Sleep(p.pause)
	seq := f.submit(t, p.Request)
	if p.hangUp {
		time.Sleep(p.pause)
		seq.Stop()
	}
	got, scored, last := collect(t, seq)
	want := p.want
	switch {
	case last.Finish == Cancelled && p.hangUp:
		want, cancelled = want[:min(len(got), len(want))], true
	case last.Finish != p.finish:
		t.Errorf("finish %d, want %d: %v", last.Finish, p.finish, last.Err)
	case p.ScorePrompt && len(scored) != len(p.Prompt)-1:
		t.Errorf("%d of %d prompt tokens scored", len(scored), len(p.Prompt)-1)
	}
	for i, e := range scored {
		if e.Token != p.Prompt[i+1] {
			t.Errorf("score %d is of token %d, want %d", i, e.Token, p.Prompt[i+1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("a prompt of %d: %v, want %v", len(p.Prompt), got, want)
	}
	return cancelled
}

// covered is what rounds of a mix have seen.
type covered struct {
	steps, ahead, cancelled int
	preempted, discarded    uint64
}

// mix runs one round to its end.
func (c *covered) mix(t *testing.T, l engine.Limits, r *rand.Rand) {
	l.MaxContext = 96 + r.IntN(100)
	l.MaxSequences, l.Pages = 1+r.IntN(8), (l.MaxContext+15)/16+1+r.IntN(20)
	f := start(t, l, Config{StepTokens: l.MaxSequences + r.IntN(57), QueueLength: 100}, nil)
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
	group.Wait()
	f.finish(t)
	c.preempted += f.Snapshot().Preemptions
	c.discarded += f.Snapshot().DiscardedTokens
	for i, s := range f.instance.Steps() {
		c.steps, c.ahead = c.steps+1, c.ahead+s.Ahead
		if s.Tokens > f.config.StepTokens || len(s.Rows) > l.MaxSequences {
			t.Fatalf("step %d: %+v exceeds %d tokens or %d sequences", i, s, f.config.StepTokens, l.MaxSequences)
		}
	}
}

// TestAnswersInAnyMix: whatever else runs, however prompts are cut, whoever is preempted or hangs up and
// however many steps are under way, an answer is the one that the request would have alone.
func TestAnswersInAnyMix(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		rounds, c := 150, covered{}
		if testing.Short() {
			rounds = 30
		}
		for round := range rounds {
			c.mix(t, l, rand.New(rand.NewPCG(uint64(round), 2)))
			if t.Failed() {
				t.Fatalf("in round %d", round)
			}
		}
		t.Logf("%d rounds: %+v", rounds, c)
		if c.preempted == 0 || c.cancelled == 0 {
			t.Error("the mix covers nothing")
		}
		if ahead := l.Depth > 1; ahead != (c.ahead > 0) || ahead != (c.discarded > 0) {
			t.Error("rows that continue unseen tokens, or are discarded, belong to depth 2 and to no other")
		}
	})
}
