package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of planning ahead: what is under way while the next step is planned, what is
// computed in vain, and who waits.

// until waits for what the instance was given.
func (f *fixture) until(t *testing.T, what string, ok func(*enginetest.Instance) bool) {
	t.Helper()
	f.eventually(t, what, func(Snapshot) bool { return ok(f.instance) })
}

// account finishes and tells what the steps held.
func (f *fixture) account(t *testing.T) (steps, ahead int, discarded uint64) {
	t.Helper()
	f.finish(t)
	for _, s := range f.instance.Steps() {
		ahead += s.Ahead
	}
	return len(f.instance.Steps()), ahead, f.Snapshot().DiscardedTokens
}

// While no step has ended, as many are under way as the backend takes.
func TestNextStepIsPlannedWhileOneRuns(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		r := greedy(prompt(1, 20, 0), 10)
		seq := f.submit(t, r)
		f.until(t, "the depth is used", func(in *enginetest.Instance) bool { return in.Submitted() == l.Depth })
		if n := len(f.instance.Steps()); n != 0 {
			t.Errorf("%d steps have ended", n)
		}
		close(gate)
		if got, _, _ := collect(t, seq); !slices.Equal(got, answer(r)) {
			t.Errorf("%v, want %v", got, answer(r))
		}
		steps, ahead, _ := f.account(t)
		if want := 9 * (l.Depth - 1); steps != 10 || ahead != want {
			t.Errorf("%d steps with %d unseen tokens, want 10 with %d", steps, ahead, want)
		}
	})
}

// A backend that takes more steps than are of use gets two.
func TestDepthIsTwoAtMost(t *testing.T) {
	f := start(t, testLimits(5), config, nil)
	f.expect(t, greedy(prompt(1, 20, 0), 30), greedy(prompt(2, 20, 0), 30))
	f.finish(t)
	if n := len(f.steps.all); n != 2 {
		t.Errorf("%d batches", n)
	}
}

// Where the end is known ahead, nothing is computed in vain: the steps are those of depth 1.
func TestKnownEndIsNotPassed(t *testing.T) {
	for name, c := range map[string]struct {
		prompt, answer, steps int
	}{"length": {20, 10, 10}, "one token": {20, 1, 1}, "none": {20, 0, 1}, "none, in two steps": {50, 0, 2}, "context": {500, 12, 16 + 11}} {
		t.Run(name, func(t *testing.T) {
			atEachDepth(t, func(t *testing.T, l engine.Limits) {
				f := start(t, l, config, nil)
				f.expect(t, greedy(prompt(1, c.prompt, 0), c.answer))
				computed := uint64(c.prompt + max(c.answer-1, 0))
				steps, _, discarded := f.account(t)
				if s := f.Snapshot(); steps != c.steps || discarded != 0 || s.PrefillTokens+s.DecodeTokens != computed {
					t.Errorf("%d steps, want %d: %+v", steps, c.steps, s)
				}
			})
		})
	}
}

// An end token costs one row, of which nothing remains: no event, no count and no position of a page, even if the row was
// the last of one.
func TestEndTokenDiscardsTheRowBehindIt(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		r := greedy(prompt(1, 20, 0), 40)
		right := answer(r)
		r.Ends = []int32{right[11]} // position 31
		seq := f.submit(t, r)
		if got, _, last := collect(t, seq); !slices.Equal(got, right[:12]) || last.Finish != EndToken {
			t.Errorf("finish %d after %v, want %v", last.Finish, got, right[:12])
		}
		longer := greedy(slices.Concat(r.Prompt, right[:12], prompt(2, 5, 0)), 5)
		f.eventually(t, "it has ended", func(s Snapshot) bool { return s.PagesUsed == 0 && s.PagesCached == 2 })
		f.expect(t, longer)
		_, _, discarded := f.account(t)
		if s := f.Snapshot(); discarded != uint64(l.Depth-1) || s.PrefixTokens != 31 || s.DecodeTokens != 11+4 || len(seq.events) != 0 {
			t.Errorf("%+v, and %d events after the last", s, len(seq.events))
		}
	})
}

// penalised is a request whose next step needs to know what this one samples.
func penalised(prompt []int32, n int) Request {
	r := greedy(prompt, n)
	r.Sampling.Frequency = 0.5
	return r
}

// Penalties alone leave nothing to plan ahead: the steps are those of depth 1.
func TestPenalisedSequencesWait(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		f.expect(t, penalised(prompt(1, 5, 0), 60))
		if steps, ahead, discarded := f.account(t); steps != 60 || ahead != 0 || discarded != 0 {
			t.Errorf("%d steps, %d unseen tokens, %d rows discarded", steps, ahead, discarded)
		}
	})
}

// Those with penalties wait together, though they came one by one: two halves that alternate would each be in
// steps half as full. Who has none is in every step.
func TestPenaltiesDelayNobodyElse(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(2), config, func(in *enginetest.Instance) { in.Gate = gate })
	requests := []Request{greedy(prompt(0, 5, 0), 450)}
	for i := range 3 {
		requests = append(requests, penalised(prompt(i+1, 5, 0), 100))
	}
	var all []*Sequence
	for i, r := range requests {
		all = append(all, f.submit(t, r))
		f.letPass(t, "it is admitted", func(s Snapshot) bool { return s.Running == i+1 })
		for range 1 + i%2 { // some come after an even step, some after an odd one
			before := f.instance.Submitted()
			gate <- struct{}{}
			f.until(t, "the next is planned", func(in *enginetest.Instance) bool { return in.Submitted() > before })
		}
	}
	close(gate)
	for i, seq := range all {
		if got, _, _ := collect(t, seq); !slices.Equal(got, answer(requests[i])) {
			t.Errorf("request %d: %v", i, got)
		}
	}
	if _, ahead, _ := f.account(t); ahead != 449 {
		t.Errorf("the answer without penalties had %d unseen tokens of 449", ahead)
	}
	steps := f.instance.Steps()
	steps = steps[max(0, slices.IndexFunc(steps, func(s enginetest.Step) bool { return len(s.Rows) == 4 })):]
	for i, s := range steps[:100] {
		if want := []int{4, 1}[i%2]; len(s.Rows) != want {
			t.Fatalf("step %d has %d sequences, want %d", i, len(s.Rows), want)
		}
	}
}

// A step that is refused ends the loop, but not before the one under way: the instance is closed after that.
func TestRefusedStepWaitsForTheOneUnderWay(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, broken := range []error{&engine.BatchError{Field: "pages", Reason: "none"}, fmt.Errorf("lost: %w", engine.ErrPoisoned)} {
			f := start(t, l, config, func(in *enginetest.Instance) {
				in.Refuse = func(step int) error {
					if step == 4 {
						return broken
					}
					return nil
				}
			})
			seq := f.submit(t, greedy(prompt(1, 5, 0), 50))
			if _, _, last := collect(t, seq); last.Finish != Failed || !errors.Is(last.Err, broken) {
				t.Errorf("finish %d: %v", last.Finish, last.Err)
			}
			if err := <-f.ended; !errors.Is(err, broken) || f.instance.UnderWay() != 0 {
				t.Errorf("the loop ended with %v, and %d steps under way", err, f.instance.UnderWay())
			}
			if err := f.check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A loop that is stopped waits for what is under way; what breaks meanwhile is no less broken.
func TestStoppedRunReportsPoison(t *testing.T) {
	gate, broken := make(chan struct{}), errors.New("the device is gone")
	f := start(t, testLimits(2), config, func(in *enginetest.Instance) {
		in.Gate = gate
		in.Fail = func(step int) error {
			if step == 1 {
				return broken
			}
			return nil
		}
	})
	seq := f.submit(t, greedy(prompt(1, 5, 0), 50))
	f.until(t, "two steps are under way", func(in *enginetest.Instance) bool { return in.Submitted() == 2 })
	f.cancel()
	gate <- struct{}{}
	if _, _, last := collect(t, seq); last.Finish != Cancelled {
		t.Errorf("finish %d: %v", last.Finish, last.Err)
	}
	gate <- struct{}{}
	if err := <-f.ended; !errors.Is(err, broken) {
		t.Errorf("the loop ended with %v", err)
	}
}
