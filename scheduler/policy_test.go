package scheduler

import (
	"context"
	"errors"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of policy: who is before whom, with how many rows, on whose pages.

// submitGroup submits requests that come at the same moment.
func (f *fixture) submitGroup(t *testing.T, requests ...Request) []*Sequence {
	t.Helper()
	all, err := f.SubmitGroup(context.Background(), requests)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// delivered is how many events the sequence has had that nobody has taken.
func (s *Sequence) delivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

func promptsOf(lengths ...int) (requests []Request) {
	for i, n := range lengths {
		requests = append(requests, greedy(prompt(i, n, 0), 1))
	}
	return requests
}

// The rows of each step where prompts share it: the shortest first, as much as it can use, what it leaves to the longer ones. So two
// prompts of a length end one after the other, and not both at the end.
func TestPromptsShareAStep(t *testing.T) {
	for _, c := range []struct {
		prompts []int
		step    int
		rows    [][]int
	}{
		{[]int{40, 5, 12}, 32, [][]int{{5, 12, 15}, {25}}},
		{[]int{40, 50}, 32, [][]int{{32}, {8, 24}, {26}}},
		{[]int{50, 40, 3}, 32, [][]int{{3, 29}, {11, 21}, {29}}},
		{[]int{110, 70}, 32, [][]int{{32}, {32}, {6, 26}, {32}, {32}, {20}}}, // about as long: pages decide
		{[]int{3, 3, 3, 3, 3}, 3, [][]int{{3}, {3}, {3}, {3}, {3}}},
		{[]int{2, 2, 2}, 1, [][]int{{1}, {1}, {1}, {1}, {1}, {1}}},
	} {
		f := start(t, testLimits(1), Config{StepTokens: c.step, QueueLength: 8}, nil)
		for i, seq := range f.submitGroup(t, promptsOf(c.prompts...)...) {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(seq.request)) {
				t.Errorf("%v: prompt %d: %v", c.prompts, i, got)
			}
		}
		f.finish(t)
		var rows [][]int
		for _, s := range f.instance.Steps() {
			rows = append(rows, s.Rows)
		}
		if !slices.EqualFunc(rows, c.rows, slices.Equal) {
			t.Errorf("prompts of %v in steps of %d: rows %v, want %v", c.prompts, c.step, rows, c.rows)
		}
	}
}

// Where there are more prompts than rows, the short one is not left out for the sake of the others: after so many steps each
// has its first token.
func TestFirstTokensInSmallSteps(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(1), Config{StepTokens: 2, QueueLength: 8}, func(in *enginetest.Instance) { in.Gate = gate })
	all := f.submitGroup(t, promptsOf(2, 3, 30)...)
	for i, want := range []int{1, 3, 18} {
		steps := int(f.Snapshot().Steps)
		for ; all[i].delivered() == 0; steps++ {
			gate <- struct{}{}
			f.eventually(t, "the step is committed", func(s Snapshot) bool { return int(s.Steps) == steps+1 })
		}
		if steps != want {
			t.Errorf("prompt %d has its first token after %d steps, want %d", i, steps, want)
		}
	}
	close(gate)
	f.finish(t)
}

// A step with fewer rows than there are sequences goes round: a short prompt has its first token after a few steps, and
// those that decode get on alike.
func TestNobodyStarvesInSmallSteps(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		for _, step := range []int{1, 3, 4} {
			gate := make(chan struct{})
			f := start(t, l, Config{StepTokens: step, QueueLength: 16}, func(in *enginetest.Instance) { in.Gate = gate })
			var long []Request
			for i := range 7 {
				long = append(long, greedy(prompt(i, 1, 0), 60))
			}
			decoding := f.submitGroup(t, long...)
			f.letPass(t, "all decode", func(s Snapshot) bool { return s.DecodeTokens > 14 })
			short := f.submit(t, greedy(prompt(9, 4, 0), 1))
			steps := f.letPass(t, "the short one ends", func(Snapshot) bool { return short.delivered() > 0 })
			// Of eight rows one is its own, at least; its four tokens take four rounds, and some steps were planned before.
			if most := 4*8/step + 8/step + 2*l.Depth; steps > most {
				t.Errorf("steps of %d: the first token after %d of them, want %d at most", step, steps, most)
			}
			least, most := 60, 0
			for _, seq := range decoding {
				least, most = min(least, seq.delivered()), max(most, seq.delivered())
			}
			if most-least > 2 {
				t.Errorf("steps of %d: of those that decode one has %d tokens, another %d", step, most, least)
			}
			close(gate)
			for i, seq := range decoding {
				if got, _, _ := collect(t, seq); !slices.Equal(got, answer(long[i])) {
					t.Errorf("steps of %d: request %d: %v", step, i, got)
				}
			}
			f.finish(t)
		}
	})
}

// Of cached prefixes the one that was used last stays.
func TestLeastRecentlyUsedPrefixIsEvicted(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		f := start(t, l, config, nil)
		cached := func(id, n int) int {
			seq := f.submit(t, greedy(prompt(id, n, 0), 1))
			collect(t, seq)
			f.eventually(t, "its pages are free", func(s Snapshot) bool { return s.PagesUsed == 0 })
			return seq.Cached()
		}
		for i, c := range []struct{ id, tokens, cached int }{
			{1, 33, 0}, {2, 33, 0}, {1, 33, 32}, // two full pages each; the first is used last
			{3, 97, 0},              // takes the five free pages and two others: those of the second
			{1, 33, 32}, {2, 33, 0}, // which is seen here
		} {
			if got := cached(c.id, c.tokens); got != c.cached {
				t.Errorf("request %d, prompt %d: %d tokens from the cache, want %d", i, c.id, got, c.cached)
			}
		}
		f.finish(t)
	})
}

// A request that is stopped while it waits ends at the next plan, and holds no place in the queue.
func TestStopWhileWaiting(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.MaxSequences = 1
		gate := make(chan struct{})
		f := start(t, l, Config{StepTokens: 32, QueueLength: 1}, func(in *enginetest.Instance) { in.Gate = gate })
		running := f.submit(t, greedy(prompt(1, 10, 0), 100))
		f.eventually(t, "the first is admitted", func(s Snapshot) bool { return s.Waiting == 0 })
		waiting := f.submit(t, greedy(prompt(2, 10, 0), 5))
		if _, err := f.Submit(t.Context(), greedy(prompt(3, 10, 0), 5)); !errors.Is(err, ErrQueueFull) {
			t.Errorf("beside a full queue: %v", err)
		}
		waiting.Stop()
		if steps := f.letPass(t, "it is gone", func(s Snapshot) bool { return s.Waiting == 0 }); steps > 1+l.Depth {
			t.Errorf("%d steps later", steps)
		}
		if _, _, last := collect(t, waiting); last.Finish != Cancelled || running.delivered() > 10 {
			t.Errorf("finish %d, when the other had %d events", last.Finish, running.delivered())
		}
		next := f.submit(t, greedy(prompt(3, 10, 0), 5))
		close(gate)
		for _, seq := range []*Sequence{running, next} {
			if _, _, last := collect(t, seq); last.Finish != Length {
				t.Errorf("finish %d", last.Finish)
			}
		}
		f.finish(t)
	})
}

// A request that lacks pages is not overtaken by one that would find some.
func TestNobodyOvertakesWhoLacksPages(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		c := config
		c.Without = byLength // the third is the shortest
		f := start(t, l, c, nil)
		all := f.submitGroup(t, greedy(prompt(1, 70, 0), 20), greedy(prompt(2, 90, 0), 4), greedy(prompt(3, 4, 0), 1))
		var first, last [3]Event
		for i, seq := range all {
			e := events(t, seq)
			first[i], last[i] = e[0], e[len(e)-1]
		}
		f.finish(t)
		if first[1].At.Before(last[0].At) || first[2].At.Before(last[0].At) {
			t.Error("someone ran beside the one that had the pages")
		}
		if rows := f.instance.Steps()[0].Rows; len(rows) != 1 {
			t.Errorf("rows of the first step: %v", rows)
		}
	})
}

// Who was preempted comes back before those that wait.
func TestPreemptedGoBeforeThoseThatWait(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext, l.MaxSequences = []engine.GroupLimits{enginetest.Full(9)}, 128, 2
		c := crowded
		c.Without |= byLength // the third is the shortest
		f := start(t, l, c, nil)
		all := f.submitGroup(t, greedy(prompt(1, 20, 0), 80), greedy(prompt(2, 20, 0), 80), greedy(prompt(3, 4, 0), 1))
		old, preempted, waiting := events(t, all[0]), events(t, all[1]), events(t, all[2])
		f.finish(t)
		if s := f.Snapshot(); s.Preemptions == 0 {
			t.Fatalf("nobody was preempted: %+v", s)
		}
		if waiting[0].At.Before(old[79].At) {
			t.Error("one that waited took the place of the one that was preempted")
		}
		if len(preempted) != 80 || preempted[79].At.Before(old[79].At) {
			t.Errorf("the younger one was to be preempted: %d events", len(preempted))
		}
	})
}

// A step holds so many biases: who finds no room for its own is in a later one.
func TestBiasesBeyondAStep(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		var requests []Request
		for i := range 6 { // of 30 biases each, in steps of 64; the last with a mask of 20
			r := greedy(prompt(i, 5+i, 0), 8)
			for token := range 30 {
				r.Sampling.Biases = append(r.Sampling.Biases, engine.Bias{Token: int32(token), Value: 1})
			}
			requests = append(requests, r)
		}
		requests[5].MinTokens = 8
		for token := range 20 {
			requests[5].Ends = append(requests[5].Ends, int32(100+token))
		}
		f.expect(t, requests...)
		var bad *engine.BatchError
		requests[5].Ends = make([]int32, 40)
		if _, err := f.Submit(t.Context(), requests[5]); !errors.As(err, &bad) || bad.Field != "biases" {
			t.Errorf("more than any step holds: %v", err)
		}
		f.finish(t)
	})
}

// A group is taken whole or refused whole; what is refused holds no place.
func TestGroupsAreAdmittedWhole(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.MaxSequences = 1
		gate := make(chan struct{})
		f := start(t, l, Config{StepTokens: 32, QueueLength: 4}, func(in *enginetest.Instance) { in.Gate = gate })
		all := f.submitGroup(t, promptsOf(5)...)
		f.eventually(t, "the first is admitted", func(s Snapshot) bool { return s.Waiting == 0 })
		all = append(all, f.submitGroup(t, promptsOf(6, 7)...)...)
		var large *GroupTooLargeError
		if _, err := f.SubmitGroup(t.Context(), promptsOf(1, 1, 1, 1, 1)); !errors.As(err, &large) || *large != (GroupTooLargeError{5, 4}) {
			t.Errorf("a group larger than the queue: %v", err)
		}
		if _, err := f.SubmitGroup(t.Context(), promptsOf(1, 1, 1)); !errors.Is(err, ErrQueueFull) {
			t.Errorf("a group beside others: %v", err)
		}
		var tooLong *engine.TooLongError
		if _, err := f.SubmitGroup(t.Context(), promptsOf(1, 600)); !errors.As(err, &tooLong) {
			t.Errorf("a group with one that is too long: %v", err)
		}
		if s := f.Snapshot(); s.Waiting != 2 {
			t.Errorf("%d wait, want the 2 that were taken", s.Waiting)
		}
		all = append(all, f.submitGroup(t, promptsOf(8, 9)...)...) // the queue is full now
		close(gate)
		for i, seq := range all {
			if got, _, last := collect(t, seq); last.Finish != Length || !slices.Equal(got, answer(seq.request)) {
				t.Errorf("request %d: %v, finish %d", i, got, last.Finish)
			}
			if seq.Waited() <= 0 {
				t.Errorf("request %d waited %v", i, seq.Waited())
			}
		}
		f.finish(t)
	})
}

// A prompt finds the pages of its own tenant alone.
func TestTenantsShareNoPages(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		f := start(t, l, config, nil)
		p := prompt(1, 100, 0)
		for i, c := range []struct {
			tenant string
			cached int
		}{{"a", 0}, {"a", 99}, {"b", 0}, {"", 0}, {"b", 99}, {"", 99}, {"ab", 0}, {"a", 99}} {
			r := greedy(p, 3)
			r.Salt = c.tenant
			seq := f.submit(t, r)
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(r)) || seq.Cached() != c.cached {
				t.Errorf("request %d of tenant %q: %v with %d tokens from the cache, want %v with %d", i, c.tenant, got, seq.Cached(), answer(r), c.cached)
			}
		}
		f.finish(t)
	})
}
