package scheduler

import (
	"context"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of turns: who passes whom on the way in, and who gives way.

// A follower waits for the prefix that another computes, and whoever came after it does not wait for either.
func TestFollowersLetOthersPass(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		gate := make(chan struct{})
		f := start(t, l, config, func(in *enginetest.Instance) { in.Gate = gate })
		long := prompt(1, 400, 0)
		all := f.submitGroup(t, greedy(long, 1), greedy(long, 1), greedy(prompt(2, 4, 0), 1))
		f.letPass(t, "the last has its answer", func(Snapshot) bool { return all[2].delivered() > 0 })
		if all[0].delivered() > 0 || all[1].Waited() > 0 {
			t.Error("it waited for the prompt before it, or the follower did not")
		}
		close(gate)
		for i, seq := range all {
			if got, _, _ := collect(t, seq); !slices.Equal(got, answer(seq.request)) {
				t.Errorf("request %d: %v", i, got)
			}
		}
		if got := all[1].Cached(); got != 399 {
			t.Errorf("the follower computed all but %d tokens", got)
		}
		f.finish(t)
	})
}

// What a sequence had from the cache is told as it was when it began: pages that it finds again after it was preempted are
// its own.
func TestCachedTokensAreThoseOfTheFirstTime(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		f := start(t, l, crowded, nil)
		all := f.submitGroup(t, greedy(prompt(1, 20, 0), 80), greedy(prompt(2, 40, 0), 60))
		for i, seq := range all {
			if collect(t, seq); seq.Cached() != 0 {
				t.Errorf("request %d: %d tokens of a new prompt came from the cache", i, seq.Cached())
			}
		}
		f.finish(t)
		if s := f.Snapshot(); s.Preemptions == 0 || s.PrefixTokens == 0 {
			t.Errorf("nobody was preempted and found pages again: %+v", s)
		}
	})
}

// Of those that run the youngest gives up its pages: the oldest is never preempted, and has its answer first.
func TestYoungestIsPreempted(t *testing.T) {
	atEachDepth(t, func(t *testing.T, l engine.Limits) {
		l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128
		f := start(t, l, crowded, nil)
		all := f.submitGroup(t, greedy(prompt(1, 20, 0), 80), greedy(prompt(2, 20, 0), 80), greedy(prompt(3, 20, 0), 80))
		var ends []Event
		for _, seq := range all {
			e := events(t, seq)
			ends = append(ends, e[len(e)-1])
		}
		f.finish(t)
		if f.Snapshot().Preemptions == 0 || all[0].releases != 1 {
			t.Errorf("the oldest gave up its pages %d times before its end", all[0].releases-1)
		}
		if !ends[0].At.Before(ends[1].At) || !ends[1].At.Before(ends[2].At) {
			t.Error("they did not end in the order in which they came")
		}
	})
}

// Who is admitted goes behind those that wait for rows: newcomers keep nobody from his turn.
func TestNewcomersGoBehind(t *testing.T) {
	loop, s := still(t, enginetest.New(testLimits(1)), Config{StepTokens: 1, QueueLength: 8})
	var all []*Sequence
	submit := func(requests ...Request) {
		group, err := s.SubmitGroup(context.Background(), requests)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, group...)
	}
	submit(greedy(prompt(0, 1, 0), 4), greedy(prompt(1, 1, 0), 4))
	var turns []int // whose token each step computes
	for len(turns) < 11 {
		if len(turns) == 1 {
			submit(promptsOf(1, 1, 1)...)
		}
		turn(t, loop)
		for i, seq := range all {
			if n := seq.delivered(); n > 0 {
				turns = append(turns, i)
				seq.events = nil
			}
		}
	}
	if want := []int{0, 1, 0, 1, 2, 3, 4, 0, 1, 0, 1}; !slices.Equal(turns, want) {
		t.Errorf("the steps were of %v, want %v", turns, want)
	}
}

// lanes is a world of two, and what keeps the first busy: it has requests waiting at any time.
func lanes(t *testing.T, r Request) (w *world, first, second *Lane, flood func()) {
	w = newWorld(t)
	first = w.add(roomy(4, 64), Config{StepTokens: 64, QueueLength: 64})
	second = w.add(roomy(4, 64), Config{StepTokens: 64, QueueLength: 64})
	patience, id := r.Deadline.Sub(time.Time{}), 0
	return w, first, second, func() {
		for first.Snapshot().Waiting < 32 {
			id++
			if r.Prompt = prompt(id, 40, 0); patience > 0 {
				r.Deadline = w.clock.Add(patience)
			}
			if _, err := first.Submit(t.Context(), r); err != nil {
				break
			}
		}
	}
}

// Who says of all requests that they are urgent has no more of the device for it: a deadline lets a lane pass another by little.
func TestDeadlinesDoNotStarveOtherLanes(t *testing.T) {
	for _, patience := range []time.Duration{60, 100, 150, 300} {
		r := greedy(nil, 2)
		r.IgnoreEnd, r.Deadline = true, time.Time{}.Add(patience*time.Millisecond)
		w, _, second, flood := lanes(t, r)
		for range 300 {
			flood()
			w.turn()
		}
		seq, since := w.submit(second, greedy(prompt(1, 20, 0), 100)), w.clock
		w.until("its end", func() bool {
			flood()
			return seq.ended
		})
		if took, alone := w.clock.Sub(since), 100*11*time.Millisecond; took > 5*alone/2 {
			t.Errorf("beside deadlines of %v an answer that takes %v alone took %v", patience*time.Millisecond, alone, took)
		}
	}
}

// What a lane had, or did not have, while it asked for another class is no claim, nor a debt.
func TestLanesAreOwedNothingForOtherClasses(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second Class // for a minute
		then          Class // of both
	}{
		{"it was of a lower class", Interactive, Batch, Interactive},
		{"the other was of a higher class", Interactive, Batch, Batch},
		{"the lower came first", Batch, Interactive, Interactive},
	} {
		w := newWorld(t)
		both := [2]*Lane{}
		for i, class := range []Class{c.first, c.second} {
			both[i] = w.add(roomy(4, 64), Config{StepTokens: 64, QueueLength: 64})
			w.submit(both[i], as(class, greedy(prompt(i, 20, 0), 5000)))
		}
		for began := w.clock; w.clock.Sub(began) < time.Minute; {
			w.turn()
		}
		for i := range both {
			for _, seq := range both[i].running {
				seq.Stop()
			}
			w.submit(both[i], as(c.then, greedy(prompt(2+i, 20, 0), 200)))
		}
		before := [2]int{len(w.devices[0].steps), len(w.devices[1].steps)}
		for range 50 {
			w.turn()
		}
		for i, device := range w.devices {
			if n := len(device.steps) - before[i]; n < 20 {
				t.Errorf("%s: of 50 steps lane %d had %d", c.name, i, n)
			}
		}
	}
}
