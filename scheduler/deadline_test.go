package scheduler

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chimera/engine/enginetest"
)

// This file owns the tests of deadlines, and of what is refused at once.

// One that still waits when its first token is due is told so, also by a loop that nobody else wakes.
func TestWhoWaitsTooLongIsSentAway(t *testing.T) {
	gate := make(chan struct{})
	f := start(t, testLimits(1), Config{StepTokens: 64, QueueLength: 4}, func(in *enginetest.Instance) { in.Gate = gate })
	behind := f.submit(t, later(greedy(prompt(1, 20, 0), 3))) // its step is never computed: the loop has nothing to wait for
	f.eventually(t, "a step under way", func(Snapshot) bool { return f.instance.Submitted() == 1 })
	r := later(greedy(prompt(2, 20, 0), 3))
	r.Deadline = time.Now().Add(50 * time.Millisecond)
	seq := f.submit(t, r)
	if _, _, last := collect(t, seq); last.Finish != Failed || !errors.Is(last.Err, ErrDeadline) {
		t.Errorf("it ended with %+v", last)
	}
	if late := time.Since(r.Deadline); late < 0 || late > 5*time.Second {
		t.Errorf("it was told %v after its deadline", late)
	}
	close(gate)
	if _, _, last := collect(t, behind); last.Finish != Length {
		t.Errorf("the other ended with %+v", last)
	}
	f.finish(t)
}

// A deadline is of the first token: who has it, and is sent back to the queue, goes on.
func TestDeadlinesAreOfFirstTokens(t *testing.T) {
	w, lane := one(t, roomy(2, 64), Config{StepTokens: 64, QueueLength: 4})
	r := greedy(prompt(1, 20, 0), 100)
	r.Deadline = w.clock.Add(time.Second)
	seq := w.submit(lane, r)
	w.until("the deadline has passed", func() bool { return w.clock.After(r.Deadline) })
	lane.preempt(seq)
	w.until("its end", func() bool { return seq.ended })
	if last := seq.events[len(seq.events)-1]; last.Finish != Length {
		t.Errorf("it ended with %+v", last)
	}
}

// What can't be computed in time is refused at once, with the time after which it could; not what the cache has.
func TestAdmissionPredicts(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100})
	cached := prompt(500, 2000, 0)
	seq := w.submit(lane, greedy(cached, 1))
	w.until("it is cached", func() bool { return seq.ended })
	for i := range 10 { // ten seconds of prompts
		w.submit(lane, greedy(prompt(i, 1000, 0), 1))
	}
	w.turn()
	for _, c := range []struct {
		name   string
		prompt []int32
		within time.Duration
		class  Class
		taken  bool
	}{
		{"soon", prompt(20, 1000, 0), 5 * time.Second, Interactive, false},
		{"late enough", prompt(21, 1000, 0), 14 * time.Second, Interactive, true},
		{"before all that is batch", prompt(22, 1000, 0), 9 * time.Second, Interactive, false},
		{"from the cache", cached, 13 * time.Second, Interactive, true},
		{"not from the cache", prompt(23, 2000, 0), 13 * time.Second, Interactive, false},
		{"passed already", prompt(24, 10, 0), -time.Second, Interactive, false},
	} {
		r := as(c.class, greedy(c.prompt, 1))
		r.Deadline = w.clock.Add(c.within)
		got, err := lane.Submit(t.Context(), r)
		var overload *OverloadError
		switch {
		case c.taken && err != nil, !c.taken && !(errors.As(err, &overload) && errors.Is(err, ErrDeadline)):
			t.Errorf("%s: %v", c.name, err)
		case !c.taken && (overload.RetryAfter < time.Second || overload.RetryAfter > 16*time.Second):
			t.Errorf("%s: retry after %v", c.name, overload.RetryAfter)
		case c.taken:
			got.Stop()
		}
	}
	if n := lane.Snapshot().Waiting; n > 12 {
		t.Errorf("%d wait: what was refused holds a place", n)
	}
}

// Before it is tokenised a request is refused only for what is sure: by the bytes that a token has at most, as if all that is
// cached were of its prompt.
func TestPrecheck(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 4})
	r := greedy(prompt(1, 1000, 0), 1)
	r.PromptBytes = 4000
	seq := w.submit(lane, r)
	w.until("its end", func() bool { return seq.ended })
	soon := w.clock.Add(2 * time.Second)
	for _, c := range []struct {
		name string
		ask  Ask
		want error
	}{
		{"nothing", Ask{}, nil},
		{"a short text", Ask{PromptBytes: 4000, Deadline: soon}, nil},
		{"what may be cached", Ask{PromptBytes: 27_000, Deadline: soon.Add(time.Second)}, nil},
		{"a long text", Ask{PromptBytes: 80_000, Deadline: soon}, ErrDeadline},
		{"without a deadline", Ask{PromptBytes: 80_000}, nil},
		{"many tokens", Ask{PromptTokens: 4000, Deadline: soon}, ErrDeadline},
		{"a deadline that has passed", Ask{Deadline: w.clock.Add(-1)}, ErrDeadline},
		{"more than may wait", Ask{Answers: 4}, nil},
	} {
		if err := lane.Precheck(c.ask); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := lane.Precheck(Ask{Answers: 5}); err != nil { // who knows its fields says so
		t.Errorf("more answers than may ever wait: %v", err)
	}
	for i := range 4 {
		w.submit(lane, greedy(prompt(i, 10, 0), 1))
	}
	var overload *OverloadError
	if err := lane.Precheck(Ask{Answers: 1}); !errors.As(err, &overload) || !errors.Is(err, ErrQueueFull) {
		t.Errorf("a full queue: %v", err)
	}
	lane.Drain()
	if err := lane.Precheck(Ask{}); !errors.Is(err, ErrDraining) {
		t.Errorf("draining: %v", err)
	}
}

// What a deadline promises of a request of several prompts is the first token of each: it is taken if all come in time, also before its tokens are known,
// and what it would take at best is told otherwise. Without a deadline nobody is refused for what he asks himself.
func TestDeadlinesOfSeveralPrompts(t *testing.T) {
	for _, c := range []struct {
		name          string
		prompts       int
		cached        bool
		within        time.Duration
		early, answer bool // taken before its tokens are known, and after
	}{
		{"none comes in time", 32, false, 300 * time.Millisecond, false, false},
		{"the first come in time", 32, false, 5 * time.Second, false, false},
		{"all would come in time if half of each were cached", 32, false, 18 * time.Second, true, false},
		{"all come in time", 32, false, 30 * time.Second, true, true},
		{"cached, and all come in time", 32, true, time.Second, true, true},
		{"cached, and the last would be late", 64, true, 300 * time.Millisecond, true, false},
		{"without a deadline", 64, false, 0, true, true},
	} {
		w, lane := one(t, roomy(32, 512), Config{StepTokens: 512, QueueLength: 100, Wait: time.Second})
		warm := w.submit(lane, greedy(prompt(0, 400, 400), 1))
		w.until("its end", func() bool { return warm.ended })
		w.turn()
		tokens, shared := 800, 0
		if c.cached {
			tokens, shared = 400, 384
		}
		ask, group := Ask{Prompts: c.prompts, Answers: c.prompts, PromptTokens: tokens * c.prompts}, make([]Request, c.prompts)
		if c.within > 0 {
			ask.Deadline = w.clock.Add(c.within)
		}
		for i := range group {
			group[i] = greedy(prompt(1+i, tokens, shared), 4)
			group[i].Deadline, group[i].IgnoreEnd = ask.Deadline, true
		}
		var refused *OverloadError
		if err := lane.Precheck(ask); (err == nil) != c.early || err != nil && (!errors.As(err, &refused) || refused.Least == 0) {
			t.Errorf("%s: before its tokens are known: %v", c.name, err)
		}
		all, err := lane.SubmitGroup(t.Context(), group)
		if (err == nil) != c.answer || err != nil && (!errors.As(err, &refused) || refused.Least == 0) {
			t.Errorf("%s: %v", c.name, err)
		}
		if lane.queue.requests != len(all) {
			t.Errorf("%s: %d are counted in the queue, %d were taken", c.name, lane.queue.requests, len(all))
		}
		for _, seq := range all {
			w.until("its end", func() bool { return seq.ended })
			if late := seq.events[0].At.Sub(ask.Deadline); seq.events[0].Err != nil || c.within > 0 && late > 0 {
				t.Fatalf("%s: one was answered with %v, %v after the deadline", c.name, seq.events[0].Err, late)
			}
		}
	}
}

// Of several answers to one prompt all but the first compute no more than what of it is in no full page: they are not why the first tokens would be late.
func TestDeadlineOfSeveralAnswers(t *testing.T) {
	w, lane := one(t, roomy(32, 512), Config{StepTokens: 512, QueueLength: 100})
	before := w.submit(lane, greedy(prompt(0, 600, 0), 1)) // by it the lane knows how long rows take
	w.until("its end", func() bool { return before.ended })
	w.turn()
	group := make([]Request, 32)
	for i := range group {
		group[i] = greedy(prompt(1, 33, 0), 4)
		group[i].Choice, group[i].Deadline, group[i].IgnoreEnd = i, w.clock.Add(300*time.Millisecond), true
	}
	all, err := lane.SubmitGroup(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range all {
		w.until("its end", func() bool { return seq.ended })
		if first := seq.events[0]; first.Err != nil || first.At.After(seq.request.Deadline) {
			t.Fatalf("one was answered with %v, %v after it came", first.Err, seq.ttft())
		}
	}
}

// Of prompts about as long the one that is due first goes first, though it came last; not before one that is much shorter, and not when it would be late
// all the same.
func TestTheNextDeadlineThatCanBeMet(t *testing.T) {
	for _, c := range []struct {
		name    string
		others  int // tokens of each of two, which are due in a minute
		due     time.Duration
		without CharacteristicSet
		first   bool
	}{
		{"about as long", 300, 900 * time.Millisecond, 0, true},
		{"left out", 300, 900 * time.Millisecond, byDeadline, false},
		{"the others are short", 120, 900 * time.Millisecond, 0, false},
		{"it is late", 300, 200 * time.Millisecond, 0, false},
	} {
		w, lane := one(t, roomy(16, 512), Config{StepTokens: 512, QueueLength: 16, Without: c.without | withForecast})
		before := w.submit(lane, greedy(prompt(0, 600, 0), 1)) // by it the lane knows how long rows take
		w.until("its end", func() bool { return before.ended })
		submit := func(id, tokens int, due time.Duration) *Sequence {
			r := greedy(prompt(id, tokens, 0), 1)
			r.Deadline = w.clock.Add(due)
			return w.submit(lane, r)
		}
		others := []*Sequence{submit(1, c.others, time.Minute), submit(2, c.others, time.Minute), submit(3, c.others, time.Minute), submit(4, c.others, time.Minute)}
		urgent := submit(5, 400, c.due)
		w.until("all have ended", func() bool {
			return urgent.ended && !slices.ContainsFunc(others, func(seq *Sequence) bool { return !seq.ended })
		})
		if first := urgent.events[0].At.Before(others[3].events[0].At) && urgent.events[0].Err == nil; first != c.first {
			t.Errorf("%s: it goes before the last of the others: %v", c.name, first)
		}
		if inTime := !urgent.events[0].At.After(urgent.request.Deadline); c.first && !inTime {
			t.Errorf("%s: it was late", c.name)
		}
	}
}

// A deadline that nobody could keep is told so, with what would be enough: to come again would not help.
func TestDeadlineTooShort(t *testing.T) {
	w, lane := one(t, roomy(4, 512), Config{StepTokens: 512, QueueLength: 100})
	seq := w.submit(lane, greedy(prompt(0, 600, 0), 1))
	w.until("its end", func() bool { return seq.ended })
	w.turn() // nothing is under way any more
	ask := func(id int, within time.Duration) error {
		r := greedy(prompt(id, 200, 0), 1)
		r.Deadline = w.clock.Add(within)
		_, err := lane.Submit(t.Context(), r)
		return err
	}
	var refused *OverloadError
	if err := ask(1, time.Millisecond); !errors.As(err, &refused) || refused.Least.Round(time.Millisecond) != 210*time.Millisecond || refused.LeastMillis() < 210 || refused.LeastMillis() > 211 || !errors.Is(err, ErrDeadline) {
		t.Fatalf("200 rows of a millisecond in one: %v", err)
	}
	if err := lane.Precheck(Ask{PromptTokens: 2000, Deadline: w.clock.Add(time.Millisecond)}); !errors.As(err, &refused) || refused.Least == 0 {
		t.Errorf("before its tokens are known: %v", err)
	}
	if err := ask(2, 300*time.Millisecond); err != nil {
		t.Errorf("enough time: %v", err)
	}
	if err := ask(3, 300*time.Millisecond); !errors.As(err, &refused) || refused.Least != 0 {
		t.Errorf("enough time but for another: %v", err)
	}
}

// goodput is how many answers a second have their first token within two, where so many requests arrive a second.
func goodput(t *testing.T, rate float64, without CharacteristicSet) float64 {
	w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 64, Without: without})
	r := rand.New(rand.NewPCG(1, 2))
	begin, next, id := w.clock, w.clock, 0
	var all []*Sequence
	for w.clock.Sub(begin) < 120*time.Second {
		for !next.After(w.clock) {
			q := greedy(prompt(id, 64+r.IntN(128), 0), 16)
			q.Deadline, q.IgnoreEnd = next.Add(2*time.Second), true
			if seq, err := lane.Submit(context.Background(), q); err == nil {
				all = append(all, seq)
			} else if lane.Snapshot().Waiting > 64 {
				t.Fatal("the queue has no end")
			}
			id++
			next = next.Add(time.Duration(r.ExpFloat64() / rate * float64(time.Second)))
		}
		if worked, err := w.loop.Turn(); err != nil {
			t.Fatal(err)
		} else if !worked {
			w.clock = next
		}
	}
	good := 0
	for _, seq := range all {
		if seq.ended && seq.generated == 16 && !seq.events[0].At.After(seq.request.Deadline) {
			good++
		}
	}
	return float64(good) / 120
}

// Ten times as many requests as can be answered do not lessen how many are answered in time.
func TestOverloadKeepsGoodput(t *testing.T) {
	peak := 0.0
	for _, rate := range []float64{4, 5, 6, 7, 8} {
		peak = max(peak, goodput(t, rate, 0))
	}
	with, without := goodput(t, 60, 0), goodput(t, 60, withForecast|byDeadline)
	t.Logf("peak %.2f a second, at ten times as many %.2f; without predictions and deadlines %.2f", peak, with, without)
	if with < 0.95*peak {
		t.Errorf("%.2f answers a second in time, %.2f at the peak", with, peak)
	}
	if without > 0.8*peak {
		t.Errorf("%.2f without predictions: the test shows nothing", without)
	}
}
