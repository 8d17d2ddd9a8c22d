package scheduler

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

var config = Config{StepTokens: 32, QueueLength: 64}

// randomRequest draws from few prefixes, so that pages are shared, followed and evicted.
func randomRequest(r *rand.Rand, longest int) Request {
	n := 1 + r.IntN(longest*2/3)
	q := greedy(prompt(r.IntN(6), n, r.IntN(3)*20), r.IntN(longest-n)+1)
	q.Choice, q.Top, q.ScorePrompt = r.IntN(3), r.IntN(4), r.IntN(5) == 0
	if r.IntN(2) == 0 {
		q.Sampling.Temperature, q.Sampling.Seed = 0.8, r.Uint64N(3)
	}
	if r.IntN(4) == 0 {
		q.Sampling.Repetition, q.Sampling.Biases = 1.1, []engine.Bias{{Token: 5, Value: 1}}
	}
	return q
}

// TestAnswersInAnyMix: whatever else runs, however prompts are cut, whoever is preempted or hangs up, an
// answer is the one that the request would have alone.
func TestAnswersInAnyMix(t *testing.T) {
	rounds, steps, preempted, cancelled := 150, 0, uint64(0), 0
	if testing.Short() {
		rounds = 30
	}
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 2))
		l := testLimits()
		l.MaxContext = 96 + r.IntN(100)
		l.MaxSequences, l.Pages = 1+r.IntN(8), (l.MaxContext+15)/16+1+r.IntN(20)
		f := start(t, l, Config{StepTokens: l.MaxSequences + r.IntN(57), QueueLength: 100}, nil)
		var group sync.WaitGroup
		var mu sync.Mutex
		for range 5 + r.IntN(30) {
			q, hangUp, pause := randomRequest(r, l.MaxContext), r.IntN(6) == 0, time.Duration(r.IntN(300))*time.Microsecond
			group.Go(func() {
				time.Sleep(pause)
				seq := f.submit(t, q)
				if hangUp {
					time.Sleep(pause)
					seq.Stop()
				}
				got, scored, last := collect(t, seq)
				want := answer(q)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case last.Finish == Cancelled && hangUp:
					cancelled++
					want = want[:min(len(got), len(want))]
				case last.Finish != Length:
					t.Errorf("round %d: finish %d: %v", round, last.Finish, last.Err)
				case q.ScorePrompt && len(scored) != len(q.Prompt)-1:
					t.Errorf("round %d: %d of %d prompt tokens scored", round, len(scored), len(q.Prompt)-1)
				}
				if !slices.Equal(got, want) {
					t.Errorf("round %d: a prompt of %d: %v, want %v", round, len(q.Prompt), got, want)
				}
			})
		}
		group.Wait()
		f.finish(t)
		steps, preempted = steps+len(f.instance.Steps()), preempted+f.Snapshot().Preemptions
		for i, s := range f.instance.Steps() {
			if s.Tokens > f.config.StepTokens || len(s.Rows) > l.MaxSequences {
				t.Fatalf("round %d, step %d: %+v exceeds %d tokens or %d sequences", round, i, s, f.config.StepTokens, l.MaxSequences)
			}
		}
		if t.Failed() {
			return
		}
	}
	if preempted == 0 || cancelled == 0 {
		t.Errorf("%d preemptions, %d hang-ups: the mix covers nothing", preempted, cancelled)
	}
	t.Logf("%d rounds, %d steps, %d preemptions, %d hang-ups", rounds, steps, preempted, cancelled)
}

// A prompt's length is of no concern to those who are decoding: each gets a token with every step.
func TestDecodingIsNeverStarved(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(), config, func(in *enginetest.Instance) { in.Gate = gate })
	requests := []Request{greedy(prompt(1, 3, 0), 200), greedy(prompt(2, 3, 0), 200), greedy(prompt(3, 3, 0), 200)}
	var all []*Sequence
	for _, r := range requests {
		all = append(all, f.submit(t, r))
	}
	for f.Snapshot().DecodeTokens < 3 {
		gate <- struct{}{}
	}
	before := len(f.instance.Steps()) + 1 // one may be under way
	for i := range 2 {
		requests = append(requests, greedy(prompt(4+i, 480, 0), 4))
		all = append(all, f.submit(t, requests[3+i]))
	}
	close(gate)
	for i, seq := range all {
		if got, _, _ := collect(t, seq); !slices.Equal(got, answer(requests[i])) {
			t.Errorf("request %d: %v", i, got)
		}
	}
	f.finish(t)
	mixed := 0
	for i, s := range f.instance.Steps()[before:] {
		decoding, prefill := 0, 0
		for _, n := range s.Rows {
			decoding += map[bool]int{true: 1}[n == 1]
			prefill = max(prefill, n)
		}
		if prefill < 5 {
			continue
		}
		if mixed++; decoding < 3 {
			t.Errorf("step %d with a prompt has %v: someone who decodes was left out", i, s.Rows)
		}
	}
	if mixed < 30 { // 960 tokens in pieces of at most 29
		t.Errorf("%d steps mixed prompts and decoding", mixed)
	}
}

func TestPrefixSharing(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	p := prompt(1, 100, 0)
	f.expect(t, greedy(p, 5))
	f.eventually(t, "100 tokens of the prompt, 4 of the answer", func(s Snapshot) bool { return s.PrefillTokens == 100 && s.DecodeTokens == 4 })
	seq := f.submit(t, greedy(p, 5))
	collect(t, seq)
	if seq.Cached() != 96 {
		t.Errorf("%d tokens of the prompt came from the cache, want 96", seq.Cached())
	}
	f.eventually(t, "cached tokens must not count as computed", func(s Snapshot) bool { return s.PrefillTokens == 104 && s.PrefixTokens == 96 })
	// Choices of one new prompt: the others follow the one that computes it.
	var choices []Request
	for i := range 4 {
		q := greedy(prompt(9, 64, 0), 6)
		q.Sampling.Temperature, q.Choice = 1, i
		choices = append(choices, q)
	}
	before := f.Snapshot().PrefillTokens
	f.expect(t, choices...)
	f.eventually(t, "four choices of a 64-token prompt compute it once", func(s Snapshot) bool { return s.PrefillTokens-before == 64+3*16 })
	f.finish(t)
}

// When free pages run out, cached prefixes go.
func TestCachedPagesAreEvicted(t *testing.T) {
	l := testLimits()
	l.Pages, l.MaxContext = 9, 128
	f := start(t, l, config, nil)
	for i := range 10 {
		f.expect(t, greedy(prompt(i, 70, 0), 3))
	}
	f.eventually(t, "pages are cached, none in use", func(s Snapshot) bool { return s.PagesCached > 0 && s.PagesUsed == 0 })
	f.finish(t)
}

// When three answers of 100 tokens don't fit in nine pages of 16, the youngest gives way and is right all
// the same.
func TestPreemption(t *testing.T) {
	l := testLimits()
	l.Pages, l.MaxContext = 9, 128
	gate := make(chan struct{})
	f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
	var all []*Sequence
	for i := range 3 {
		all = append(all, f.submit(t, greedy(prompt(i, 20, 0), 80)))
	}
	close(gate)
	for i, seq := range all {
		if got, _, _ := collect(t, seq); !slices.Equal(got, answer(greedy(prompt(i, 20, 0), 80))) {
			t.Errorf("request %d: %v", i, got)
		}
	}
	f.eventually(t, "someone was preempted", func(s Snapshot) bool { return s.Preemptions > 0 })
	f.finish(t)
}

func TestRefusals(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	var tooLong *engine.TooLongError
	if _, err := f.Submit(t.Context(), greedy(prompt(1, 500, 0), 20)); !errors.As(err, &tooLong) || tooLong.Tokens != 520 || tooLong.MaxTokens != 512 {
		t.Errorf("too long: %v", err)
	}
	var bad *engine.BatchError
	if _, err := f.Submit(t.Context(), greedy(nil, 20)); !errors.As(err, &bad) {
		t.Errorf("no prompt: %v", err)
	}
	f.finish(t)
}

// TestQueueFull: while a step is under way the queue fills, and what exceeds it is refused at once.
func TestQueueFull(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(), Config{StepTokens: 32, QueueLength: 3}, func(in *enginetest.Instance) { in.Gate = gate })
	all := []*Sequence{f.submit(t, greedy(prompt(0, 30, 0), 2))}
	f.eventually(t, "the first is admitted", func(s Snapshot) bool { return s.Waiting == 0 })
	for i := range 3 {
		all = append(all, f.submit(t, greedy(prompt(i+1, 30, 0), 2)))
	}
	began := time.Now()
	if _, err := f.Submit(t.Context(), greedy(prompt(9, 30, 0), 2)); !errors.Is(err, ErrQueueFull) {
		t.Errorf("a fourth waiting request: %v", err)
	}
	if waited := time.Since(began); waited > time.Second {
		t.Errorf("being refused took %v", waited)
	}
	close(gate)
	for i, seq := range all {
		if got, _, _ := collect(t, seq); !slices.Equal(got, answer(greedy(prompt(i, 30, 0), 2))) {
			t.Errorf("request %d: %v", i, got)
		}
	}
	f.finish(t)
}

// TestCancelWithinTwoSteps: whatever state a sequence is in, its pages are free two steps after Stop.
func TestCancelWithinTwoSteps(t *testing.T) {
	for name, r := range map[string]Request{"decoding": greedy(prompt(1, 10, 0), 300), "in its prompt": greedy(prompt(1, 400, 0), 10)} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			f := start(t, testLimits(), config, func(in *enginetest.Instance) { in.Gate = gate })
			seq := f.submit(t, r)
			queued := f.submit(t, greedy(prompt(2, 480, 0), 8))
			for range 4 {
				gate <- struct{}{}
			}
			seq.Stop()
			queued.Stop()
			for range 2 {
				select {
				case gate <- struct{}{}:
				case <-time.After(50 * time.Millisecond): // already idle
				}
			}
			f.eventually(t, "after two steps", func(s Snapshot) bool { return s.Running == 0 && s.PagesUsed == 0 && s.Waiting == 0 })
			if _, _, last := collect(t, seq); last.Finish != Cancelled {
				t.Errorf("finish %d", last.Finish)
			}
			if n := len(f.instance.Steps()); n > 6 {
				t.Errorf("%d steps", n)
			}
			f.finish(t)
		})
	}
}

func TestContextEndsSequence(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(), config, func(in *enginetest.Instance) { in.Gate = gate })
	ctx, cancel := context.WithCancel(t.Context())
	seq, err := f.Submit(ctx, greedy(prompt(1, 50, 0), 400))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for !seq.stopped.Load() {
		runtime.Gosched()
	}
	close(gate)
	if got, _, last := collect(t, seq); last.Finish != Cancelled || len(got) > 1 {
		t.Errorf("finish %d after %d tokens", last.Finish, len(got))
	}
	f.finish(t)
}

func TestDrainFinishesWhatRuns(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	r := greedy(prompt(1, 50, 0), 100)
	seq := f.submit(t, r)
	f.Drain()
	if _, err := f.Submit(t.Context(), r); !errors.Is(err, ErrDraining) {
		t.Errorf("a request while draining: %v", err)
	}
	if got, _, last := collect(t, seq); last.Finish != Length || !slices.Equal(got, answer(r)) {
		t.Errorf("finish %d with %d tokens", last.Finish, len(got))
	}
	f.finish(t)
}

// TestStoppedRunAnswersEveryone: ending Run's context cancels what is under way.
func TestStoppedRunAnswersEveryone(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(), config, func(in *enginetest.Instance) { in.Gate = gate })
	running := f.submit(t, greedy(prompt(1, 50, 0), 400))
	f.cancel()
	close(gate)
	if _, _, last := collect(t, running); last.Finish != Cancelled || !errors.Is(last.Err, ErrDraining) {
		t.Errorf("finish %d: %v", last.Finish, last.Err)
	}
	if err := <-f.ended; err != nil {
		t.Error(err)
	}
}

// TestPoisonAnswersEveryone: a failed step ends the loop with its error, and so does every request, those
// that wait included.
func TestPoisonAnswersEveryone(t *testing.T) {
	before := runtime.NumGoroutine()
	broken := errors.New("the device is gone")
	f := start(t, testLimits(), config, func(in *enginetest.Instance) {
		in.Fail = func(step int) error {
			if step == 3 {
				return broken
			}
			return nil
		}
	})
	var all []*Sequence
	for i := range 20 {
		seq, err := f.Submit(t.Context(), greedy(prompt(i, 100, 0), 50))
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if err == nil {
			all = append(all, seq)
		}
	}
	for i, seq := range all {
		if _, _, last := collect(t, seq); last.Finish != Failed || !errors.Is(last.Err, broken) {
			t.Errorf("request %d: finish %d, %v", i, last.Finish, last.Err)
		}
	}
	if err := <-f.ended; !errors.Is(err, broken) || !errors.Is(err, engine.ErrPoisoned) {
		t.Errorf("the loop ended with %v", err)
	}
	if _, err := f.Submit(t.Context(), greedy(prompt(1, 5, 0), 5)); !errors.Is(err, broken) {
		t.Errorf("a request afterwards: %v", err)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines, %d before", now, before)
	}
}

func TestFinishReasons(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	base := greedy(prompt(1, 20, 0), 10)
	right := answer(base)
	for name, c := range map[string]struct {
		change func(*Request)
		tokens int
		finish Finish
	}{
		"length":               {func(*Request) {}, 10, Length},
		"one token":            {func(r *Request) { r.MaxTokens = 1 }, 1, Length},
		"none":                 {func(r *Request) { r.MaxTokens = 0 }, 0, Length},
		"end token":            {func(r *Request) { r.Ends = []int32{right[4]} }, 5, EndToken},
		"first token ends":     {func(r *Request) { r.Ends = []int32{right[0]} }, 1, EndToken},
		"end token ignored":    {func(r *Request) { r.Ends, r.IgnoreEnd = []int32{right[4]}, true }, 10, Length},
		"end token too early":  {func(r *Request) { r.Ends, r.MinTokens = []int32{right[2]}, 8 }, 10, Length},
		"end token in the end": {func(r *Request) { r.Ends, r.MinTokens = []int32{right[9]}, 9 }, 10, EndToken},
	} {
		r := base
		c.change(&r)
		got, _, last := collect(t, f.submit(t, r))
		if !slices.Equal(got, right[:c.tokens]) || last.Finish != c.finish {
			t.Errorf("%s: %v, finish %d; want %v, %d", name, got, last.Finish, right[:c.tokens], c.finish)
		}
	}
	f.finish(t)
}

// A prompt of one token has no prompt phase of its own: it once waited for ever.
func TestShortestPrompt(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	f.expect(t, greedy(prompt(3, 1, 0), 40))
	f.finish(t)
}

func TestPromptScores(t *testing.T) {
	for _, step := range []int{8, 32} {
		f := start(t, testLimits(), Config{StepTokens: step, QueueLength: 4}, nil)
		r := greedy(prompt(1, 70, 0), 3)
		r.ScorePrompt, r.Top = true, 2
		for pass := range 2 { // the second finds the prompt in the cache, and must score it all the same
			got, scored, _ := collect(t, f.submit(t, r))
			if !slices.Equal(got, answer(r)) || len(scored) != 69 {
				t.Fatalf("pass %d: %d tokens, %d scores", pass, len(got), len(scored))
			}
			for i, e := range scored {
				if e.Token != r.Prompt[i+1] || len(e.Top) != 2 {
					t.Errorf("pass %d: score %d is of token %d with %d alternatives", pass, i, e.Token, len(e.Top))
				}
			}
		}
		f.finish(t)
	}
}

// A client that never reads costs the memory of its answer, and nobody's time.
func TestSlowClient(t *testing.T) {
	f := start(t, testLimits(), config, nil)
	r := greedy(prompt(1, 10, 0), 400)
	silent := f.submit(t, r)
	for i := range 5 {
		f.expect(t, greedy(prompt(i+2, 40, 0), 30))
	}
	f.eventually(t, "the silent one ends as well", func(s Snapshot) bool { return s.Running == 0 })
	if got, _, _ := collect(t, silent); !slices.Equal(got, answer(r)) {
		t.Errorf("%d tokens after all", len(got))
	}
	f.finish(t)
}

func TestBadConfig(t *testing.T) {
	for _, c := range []Config{{0, 1}, {65, 1}, {32, 0}} {
		if _, err := New(enginetest.New(testLimits()), c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
