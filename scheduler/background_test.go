package scheduler

import (
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of steps that give way.

// startBackground starts a loop whose steps give way as abort says.
func startBackground(t *testing.T, l engine.Limits, stepTokens int, abort func(step int) bool) *fixture {
	t.Helper()
	l.Groups = []engine.GroupLimits{enginetest.Full(128), enginetest.Windowed(window, 64), enginetest.Recurrent(16)}
	var f *fixture
	f = start(t, l, Config{StepTokens: stepTokens, QueueLength: 16}, func(in *enginetest.Instance) {
		in.Abort, in.Refuse = abort, func(int) error { return f.check() }
	})
	return f
}

// What gave way is planned again, and shows in nothing but a count.
func TestAbortedStepsAreComputedAgain(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := startBackground(t, l, 64, func(step int) bool { return step%3 != 0 })
		requests := []Request{later(greedy(prompt(1, 200, 0), 30)), later(greedy(prompt(2, 3, 0), 60)), later(penalised(prompt(3, 50, 0), 20))}
		requests[2].Ends, requests[2].IgnoreEnd = []int32{1}, true
		scored := later(greedy(prompt(4, 60, 0), 5))
		scored.ScorePrompt = true
		seq := f.submit(t, scored)
		f.expect(t, requests...)
		if got, scores, _ := collect(t, seq); len(scores) != 59 || !slices.Equal(got, answerOn(f.limits, scored)) {
			t.Errorf("%d scores, then %v", len(scores), got)
		}
		f.finish(t)
		aborted, computed := 0, 0
		for _, s := range f.instance.Steps() {
			if !s.Background {
				t.Errorf("a step that does not give way: %+v", s)
			}
			if s.Aborted {
				aborted++
			} else {
				computed += s.Tokens
			}
		}
		s := f.Snapshot()
		if aborted < 50 || int(s.Aborts) != aborted || int(s.PrefillTokens+s.DecodeTokens) != computed || s.DiscardedTokens != 0 {
			t.Errorf("%d steps gave way, %d rows were computed: %+v", aborted, computed, s)
		}
	})
}

// Each time a step gives way the next is half as large, down to 16 rows; each that is done doubles it again.
func TestAbortsShrinkTheStep(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := startBackground(t, l, 64, func(step int) bool { return step < 4 })
		f.expect(t, later(greedy(prompt(1, 300, 0), 0)))
		f.finish(t)
		var rows []int
		for _, s := range f.instance.Steps() {
			rows = append(rows, s.Tokens)
		}
		if want := []int{64, 32, 16, 16, 16, 32, 64, 64, 64, 60}; !slices.Equal(rows, want) {
			t.Errorf("rows %v, want %v", rows, want)
		}
	})
}

// A step that is small as it is stays so.
func TestAbortsOfSmallSteps(t *testing.T) {
	f := startBackground(t, testLimits(1), 8, func(step int) bool { return step == 1 })
	f.expect(t, later(greedy(prompt(1, 20, 0), 0)))
	f.finish(t)
	for i, s := range f.instance.Steps()[:3] {
		if s.Tokens != 8 {
			t.Errorf("step %d has %d rows", i, s.Tokens)
		}
	}
}

// A background step may wait for as long as others are served: the end of the loop's context takes it back.
func TestBackgroundLoopIsStopped(t *testing.T) {
	l := testLimits(1)
	f := start(t, l, Config{StepTokens: 64, QueueLength: 4}, func(in *enginetest.Instance) {
		in.Gate = make(chan struct{}) // nobody lets a step end
	})
	seq := f.submit(t, later(greedy(prompt(1, 20, 0), 3)))
	f.eventually(t, "a step under way", func(Snapshot) bool { return f.instance.Submitted() == 1 })
	f.cancel()
	select {
	case err := <-f.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loop waits for a step that nobody computes")
	}
	if _, _, last := collect(t, seq); last.Finish != Cancelled {
		t.Errorf("its sequence ended with %+v", last)
	}
	if n := f.instance.UnderWay(); n != 0 {
		t.Errorf("%d steps are under way", n)
	}
}

// Where a device can't abort a step, its background steps stay as short as it says.
func TestBackgroundStepsThatCannotAbort(t *testing.T) {
	for _, c := range []struct{ stepTokens, most int }{{64, 7}, {7, 7}, {5, 5}} {
		l := testLimits(2)
		l.BackgroundRows = 7
		f := startBackground(t, l, c.stepTokens, nil)
		f.expect(t, later(greedy(prompt(1, 40, 0), 3)), later(greedy(prompt(2, 9, 0), 5)))
		f.finish(t)
		most := 0
		for _, s := range f.instance.Steps() {
			most = max(most, s.Tokens)
		}
		if most != c.most {
			t.Errorf("steps of %d tokens have up to %d rows, want %d", c.stepTokens, most, c.most)
		}
	}
}
