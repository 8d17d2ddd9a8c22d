package scheduler

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of ends: refused, full, stopped, drained, broken, or simply done.

func TestRefusals(t *testing.T) {
	f := start(t, testLimits(1), config, nil)
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
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, Config{StepTokens: 32, QueueLength: 3}, func(in *enginetest.Instance) { in.Gate = gate })
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
	})
}

// TestCancelWithinTwoSteps: whatever state a sequence is in, its pages are free two steps after Stop.
func TestCancelWithinTwoSteps(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for name, r := range map[string]Request{"decoding": greedy(prompt(1, 10, 0), 300), "in its prompt": greedy(prompt(1, 400, 0), 10)} {
			t.Run(name, func(t *testing.T) {
				gate := make(chan struct{})
				f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
				seq := f.submit(t, r)
				queued := f.submit(t, greedy(prompt(2, 480, 0), 8))
				for range 4 {
					gate <- struct{}{}
				}
				seq.Stop()
				queued.Stop()
				after := f.letPass(t, "all is free", func(s Snapshot) bool { return s.Running == 0 && s.PagesUsed == 0 && s.Waiting == 0 })
				if _, _, last := collect(t, seq); last.Finish != Cancelled {
					t.Errorf("finish %d", last.Finish)
				}
				if after > 2 {
					t.Errorf("%d steps later", after)
				}
				f.finish(t)
				if len(seq.events)+len(queued.events) != 1 { // the queued one's end
					t.Errorf("events after the last: %+v, %+v", seq.events, queued.events)
				}
			})
		}
	})
}

func TestContextEndsSequence(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
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
	})
}

func TestDrainFinishesWhatRuns(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
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
	})
}

// TestStoppedRunAnswersEveryone: ending Run's context cancels what is under way.
func TestStoppedRunAnswersEveryone(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		running := f.submit(t, greedy(prompt(1, 50, 0), 400))
		f.cancel()
		close(gate)
		if _, _, last := collect(t, running); last.Finish != Cancelled || !errors.Is(last.Err, ErrDraining) {
			t.Errorf("finish %d: %v", last.Finish, last.Err)
		}
		if err := <-f.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestPoisonAnswersEveryone: a failed step ends the loop with its error, and so does every request, those
// that wait included.
func TestPoisonAnswersEveryone(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		before := runtime.NumGoroutine()
		broken := errors.New("the device is gone")
		f := start(t, l, config, func(in *enginetest.Instance) {
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
	})
}

func TestFinishReasons(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
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
			"ignored before least": {func(r *Request) { r.Ends, r.MinTokens, r.IgnoreEnd = []int32{right[2]}, 8, true }, 10, Length},
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
	})
}

// Before the least length an end token is not sampled, so that the answer goes on with another and not behind an end;
// a bias that asks for it does not count then, and what the mask takes of a step's room for biases is known.
func TestEndTokensAreMaskedBeforeTheLeastLength(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		base := greedy(prompt(1, 20, 0), 10)
		right := answer(base)
		for _, least := range []int{1, 3, 4, 9} {
			r := base
			r.Ends, r.MinTokens = []int32{right[3], right[0], 77}, least
			r.Sampling.Biases = []engine.Bias{{Token: right[3], Value: 100}}
			plain := r
			plain.Sampling.Biases = nil
			want := answer(plain)
			if least > 3 && slices.Equal(want[:5], right[:5]) {
				t.Fatal("the mask changes nothing: the test shows nothing")
			}
			got, _, last := collect(t, f.submit(t, r))
			if !slices.Equal(got[:least], want[:least]) {
				t.Errorf("least length %d: %v (finish %d), want %v", least, got, last.Finish, want)
			}
			for i, token := range got[:least] {
				if slices.Contains(r.Ends, token) {
					t.Errorf("least length %d: token %d is an end", least, i)
				}
			}
		}
		f.finish(t)
	})
}

func TestBadConfig(t *testing.T) {
	for _, c := range []Config{{StepTokens: 0, QueueLength: 1}, {StepTokens: 65, QueueLength: 1}, {StepTokens: 32}} {
		if _, err := NewLoop(LoopConfig{}).Add(enginetest.New(testLimits(1)), c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// A request whose logits are no numbers fails, whether they were to be sampled or scored, at the position where that
// is; others go on, and its pages are nobody's prefix.
func TestLogitsThatAreNoNumbers(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		const bad = 4999
		bads := greedy(prompt(1, 40, 0), 10)
		bads.Prompt[39] = bad
		scored := greedy(prompt(2, 40, 0), 10)
		scored.Prompt[20], scored.ScorePrompt = bad, true
		later := greedy(prompt(3, 40, 0), 10)
		third := answer(later)[2]
		f := start(t, l, config, func(in *enginetest.Instance) {
			in.Spoil = func(token int32, position int) bool { return token == bad || token == third && position == 42 }
		})
		other := greedy(prompt(4, 40, 0), 30)
		healthy := f.submit(t, other)
		for name, c := range map[string]struct {
			request          Request
			tokens, position int
		}{"the first": {bads, 0, 39}, "a prompt's": {scored, 0, 20}, "a later": {later, 3, 42}} {
			for range 2 { // the second finds no prefix
				seq := f.submit(t, c.request)
				tokens, _, last := collect(t, seq)
				var wrong *engine.NotFiniteError
				if last.Finish != Failed || !errors.As(last.Err, &wrong) || wrong.Position != c.position || len(tokens) != c.tokens {
					t.Errorf("%s: %d tokens, finish %d, %v", name, len(tokens), last.Finish, last.Err)
				}
			}
		}
		if tokens, _, last := collect(t, healthy); last.Finish != Length || !slices.Equal(tokens, answer(other)) {
			t.Errorf("a request beside them: finish %d, %v", last.Finish, last.Err)
		}
		f.finish(t)
	})
}

// What an instance can't compute is refused when it is asked for, and the others hear nothing of it.
func TestWhatNoStepHoldsIsRefused(t *testing.T) {
	nan := float32(math.NaN())
	f := start(t, testLimits(1), Config{StepTokens: 64, QueueLength: 8}, nil)
	good := greedy(prompt(1, 20, 0), 30)
	seq := f.submit(t, good)
	for what, spoil := range map[string]func(r *Request){
		"Top beyond what was loaded": func(r *Request) { r.Top = 5 }, // MaxTop is 4
		"Top beyond 32 bits":         func(r *Request) { r.Top = 1 << 32 },
		"a negative Top":             func(r *Request) { r.Top = -1 },
		"a negative answer":          func(r *Request) { r.MaxTokens = -1 },
		"a token past the end":       func(r *Request) { r.Prompt[3] = vocab },
		"a mark instead of a token":  func(r *Request) { r.Prompt[0] = engine.PreviousRow(0) },
		"a vector":                   func(r *Request) { r.Prompt[0] = engine.VectorRow(0) },
		"top-k below 0":              func(r *Request) { r.Sampling.TopK = -1 },
		"top-k below 32 bits":        func(r *Request) { r.Sampling.TopK = -1 << 40 },
		"a temperature of NaN":       func(r *Request) { r.Sampling.Temperature = nan },
		"top-p above 1":              func(r *Request) { r.Sampling.TopP = 2 },
		"a bias of NaN":              func(r *Request) { r.Sampling.Biases = []engine.Bias{{Token: 1, Value: nan}} },
		"more biases than a step":    func(r *Request) { r.Sampling.Biases = make([]engine.Bias, 65) },
		"a scored prompt's Top":      func(r *Request) { r.ScorePrompt, r.MaxTokens, r.Top = true, 0, 5 },
	} {
		r := greedy(prompt(2, 20, 0), 3)
		spoil(&r)
		_, err := f.Submit(context.Background(), r)
		if refused := new(engine.BatchError); !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	most := greedy(prompt(3, 20, 0), 3)
	most.Top, most.Sampling.TopK = 4, 1<<40
	f.expect(t, most)
	if got, _, last := collect(t, seq); !slices.Equal(got, answer(good)) {
		t.Errorf("the one beside them: %v, %v", got, last.Err)
	}
	f.finish(t)
}
