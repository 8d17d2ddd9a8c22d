package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns what the tests share: a lane over the instance without a model, and the right answers.

const vocab = 5000

// fixture is a lane and the loop that runs it alone.
type fixture struct {
	*Lane
	instance *enginetest.Instance
	ended    chan error
	cancel   context.CancelFunc
}

// atEachDepth runs a test on an instance that takes one step at a time, and on one that takes the next while
// one runs: nobody who asks may notice.
func atEachDepth(t *testing.T, test func(*testing.T, engine.Limits)) {
	for depth := 1; depth <= 2; depth++ {
		t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) { test(t, testLimits(depth)) })
	}
}

func testLimits(depth int) engine.Limits {
	return engine.Limits{Depth: depth, MaxTokens: 64, MaxSequences: 8, MaxOutputs: 64, MaxTop: 4, MaxContext: 512, Vocab: vocab,
		Groups: []engine.GroupLimits{enginetest.Full(128)}}
}

func start(t *testing.T, l engine.Limits, c Config, change func(*enginetest.Instance)) *fixture {
	t.Helper()
	in := enginetest.New(l)
	if change != nil {
		change(in)
	}
	loop := NewLoop(LoopConfig{})
	lane, err := loop.Add(in, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &fixture{Lane: lane, instance: in, ended: make(chan error, 1), cancel: cancel}
	go loop.Run(ctx)
	go func() {
		f.ended <- lane.Err()
		cancel()
	}()
	t.Cleanup(cancel)
	return f
}

// stopped is a clock on which nothing takes any time, so that all follows from what was submitted.
func stopped() time.Time { return time.Unix(1_000_000, 0) }

// still makes a lane whose loop turns when the test says so.
func still(t *testing.T, in engine.Instance, c Config) (*Loop, *Lane) {
	t.Helper()
	loop := NewLoop(LoopConfig{Now: stopped, Synchronous: true})
	lane, err := loop.Add(in, c)
	if err != nil {
		t.Fatal(err)
	}
	return loop, lane
}

// turn is a turn of a loop that nobody runs.
func turn(t *testing.T, l *Loop) {
	t.Helper()
	if _, err := l.Turn(); err != nil {
		t.Fatal(err)
	}
}

// later is a request of class Background.
func later(r Request) Request {
	r.Class = Background
	return r
}

// finish drains the loop and checks that nothing is left behind.
func (f *fixture) finish(t *testing.T) {
	t.Helper()
	f.Drain()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Fatalf("the loop ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loop did not end")
	}
	if err := errors.Join(f.check(), f.checkGuests(), f.checkShadows()); err != nil {
		t.Error(err)
	}
	if n := f.instance.UnderWay(); n != 0 {
		t.Errorf("%d steps are still under way", n)
	}
	if s := f.Snapshot(); s.PagesUsed != 0 || s.Occupied() {
		t.Errorf("left behind: %+v", s)
	}
}

// prompt makes n tokens; the first `shared` of them are the same for every id.
func prompt(id, n, shared int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32(i % vocab)
		if i >= shared {
			tokens[i] = int32((id*7919 + i*31) % vocab)
		}
	}
	return tokens
}

func greedy(prompt []int32, n int) Request {
	return Request{Prompt: prompt, MaxTokens: n, Sampling: Sampling{TopP: 1, Repetition: 1}}
}

// answer is the right one to a request that nothing ends early, on an instance of testLimits.
func answer(r Request) []int32 { return answerOn(testLimits(1), r) }

func answerOn(l engine.Limits, r Request) []int32 { return answerBy(l, r, weightsOf(1)) }

func answerBy(l engine.Limits, r Request, w enginetest.Weights) []int32 {
	least := r.MinTokens
	if r.IgnoreEnd {
		least = 0
	}
	return enginetest.Want{
		Prompt: r.Prompt, Tokens: r.MaxTokens, Temperature: r.Sampling.Temperature, Seed: r.Sampling.Seed, Choice: int32(r.Choice),
		Penalises: r.Sampling.penalises(), Biases: r.Sampling.Biases, Weights: w,
		Masked: r.Ends, Unmasked: least,
	}.Answer(l)
}

// weightsOf are those that replace made a generation of.
func weightsOf(g engine.Generation) enginetest.Weights {
	if g == 1 {
		return enginetest.Weights{}
	}
	return enginetest.Weights{Text: fmt.Sprint("weights ", g)}
}

// replace installs other weights. One may call it at a time.
func (f *fixture) replace(t *testing.T) engine.Generation {
	t.Helper()
	g, err := f.Replace(weightsOf(f.instance.Generation()+1), nil)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// collect reads a sequence to its end.
func collect(t *testing.T, seq *Sequence) (tokens []int32, scored []Event, last Event) {
	t.Helper()
	for _, last = range events(t, seq) {
		switch {
		case last.Prompt:
			scored = append(scored, last)
		case last.HasToken:
			tokens = append(tokens, last.Token)
		}
	}
	return tokens, scored, last
}

// events reads a sequence to its end.
func events(t *testing.T, seq *Sequence) (all []Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		e, err := seq.Next(ctx)
		if err != nil {
			t.Errorf("no event: %v", err)
			return append(all, Event{Finish: Failed})
		}
		all = append(all, e)
		if e.Finish != Running {
			return all
		}
	}
}

// submit submits and fails the test if that is refused.
func (f *fixture) submit(t *testing.T, r Request) *Sequence {
	t.Helper()
	seq, err := f.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// expect runs requests together and compares all answers.
func (f *fixture) expect(t *testing.T, requests ...Request) {
	t.Helper()
	var all []*Sequence
	for _, r := range requests {
		all = append(all, f.submit(t, r))
	}
	for i, seq := range all {
		if got, _, last := collect(t, seq); !slices.Equal(got, answerOn(f.limits, requests[i])) || last.Finish != Length {
			t.Errorf("request %d: %v (finish %d, %v), want %v", i, got, last.Finish, last.Err, answerOn(f.limits, requests[i]))
		}
	}
}

// eventually waits for a condition of the snapshot.
func (f *fixture) eventually(t *testing.T, what string, ok func(Snapshot) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(f.Snapshot()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: %+v", what, f.Snapshot())
		}
	}
}

// letPass lets steps end through the gate until a condition of the snapshot holds, and tells how many.
func (f *fixture) letPass(t *testing.T, what string, ok func(Snapshot) bool) (steps int) {
	t.Helper()
	f.eventually(t, what, func(s Snapshot) bool {
		if ok(s) {
			return true
		}
		select {
		case f.instance.Gate <- struct{}{}:
			steps++
		default: // none is under way, or not yet
		}
		return false
	})
	return steps
}
