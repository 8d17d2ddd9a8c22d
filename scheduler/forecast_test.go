package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of predictions after a time in which nothing was asked, or nothing went as usual.

// What is told to those who are refused counts from when others began to wait, not from when somebody was last served.
func TestRetryAfterIdleness(t *testing.T) {
	for name, between := range map[string]func(*world, *Lane){
		"a night without requests": func(w *world, _ *Lane) { w.clock = w.clock.Add(12 * time.Hour) },
		"one long answer, alone": func(w *world, lane *Lane) {
			seq := w.submit(lane, greedy(prompt(2, 20, 0), 4000))
			w.until("much of it", func() bool { return seq.generated > 3900 })
		},
	} {
		w, lane := one(t, roomy(2, 64), Config{StepTokens: 64, QueueLength: 5})
		first := w.submit(lane, greedy(prompt(1, 20, 0), 3))
		w.until("its end", func() bool { return first.ended })
		between(w, lane)
		seq := w.submit(lane, greedy(prompt(3, 20, 0), 30))
		w.turn()
		for i := range 4 {
			w.submit(lane, greedy(prompt(10+i, 20, 0), 30))
		}
		w.until("an end", func() bool { return seq.ended })
		var refused *OverloadError
		if _, err := lane.SubmitGroup(t.Context(), slices.Repeat([]Request{greedy(prompt(20, 20, 0), 3)}, 5)); !errors.As(err, &refused) {
			t.Fatalf("%s: %v", name, err)
		}
		if refused.RetryAfter > 2*time.Second {
			t.Errorf("%s: they are to come again in %v, and an answer takes a third of a second", name, refused.RetryAfter)
		}
		r := greedy(prompt(22, 20, 0), 3)
		r.Deadline = w.clock.Add(4 * time.Second)
		if _, err := lane.Submit(t.Context(), r); err != nil {
			t.Errorf("%s: the queue is gone through in two seconds: %v", name, err)
		}
	}
}

// A machine that was slow is not believed so for ever: if all who ask have a deadline, nobody would find out. Who asks for two prompts finds out by both.
func TestStalePredictionsAreTried(t *testing.T) {
	w, lane := one(t, roomy(4, 64), Config{StepTokens: 64, QueueLength: 4})
	device := w.devices[0]
	device.base, device.row = 400*time.Millisecond, 40*time.Millisecond
	seq := w.submit(lane, greedy(prompt(1, 20, 0), 300))
	w.until("its end", func() bool { return seq.ended })
	device.base, device.row = 10*time.Millisecond, time.Millisecond
	ask := func(id int) (*Sequence, error) {
		r := greedy(prompt(id, 100, 0), 1)
		r.Deadline = w.clock.Add(time.Second)
		other := r
		other.Prompt = prompt(id+50, 100, 0)
		all, err := lane.SubmitGroup(t.Context(), []Request{r, other})
		if err != nil {
			return nil, err
		}
		return all[1], nil
	}
	if _, err := ask(2); !errors.Is(err, ErrDeadline) {
		t.Fatalf("what steps took a moment ago: %v", err)
	}
	background := w.submit(lane, as(Background, greedy(prompt(3, 20, 0), 4000))) // whose steps tell nothing
	w.until("it has a place", func() bool { return lane.runs[Background] == 1 })
	w.clock = w.clock.Add(staleAfter)
	seq, err := ask(4)
	if err != nil {
		t.Fatalf("%v after the last step: %v", staleAfter, err)
	}
	if _, err := ask(5); !errors.Is(err, ErrDeadline) {
		t.Errorf("beside one that is to find out: %v", err)
	}
	if err := lane.Precheck(Ask{PromptTokens: 100, Deadline: w.clock}); !errors.Is(err, ErrDeadline) {
		t.Errorf("a deadline that has passed: %v", err)
	}
	w.until("its end", func() bool { return seq.ended })
	if last := seq.events[len(seq.events)-1]; last.Err != nil || seq.ttft() > time.Second {
		t.Errorf("it was answered with %v after %v", last.Err, seq.ttft())
	}
	background.Stop()
}

// What a window has of a cached prompt is its end alone, and all that a hit needs: a prompt is not refused for the rest.
func TestPromisesKnowWindows(t *testing.T) {
	window, full := enginetest.Windowed(64, 96), enginetest.Full(4096)
	for name, groups := range map[string][]engine.GroupLimits{
		"full": {full}, "window": {window}, "window, full": {window, full}, "full, window": {full, window},
	} {
		l := roomy(4, 512)
		l.Groups = groups
		w, lane := one(t, l, Config{StepTokens: 512, QueueLength: 100})
		seq, r := w.submit(lane, greedy(prompt(1, 4000, 0), 1)), greedy(prompt(1, 4000, 0), 1)
		w.until("it is cached", func() bool { return seq.ended })
		r.Deadline = w.clock.Add(time.Second)
		if err := lane.Precheck(Ask{PromptTokens: 4000, Deadline: r.Deadline}); err != nil {
			t.Errorf("%s: before its tokens are known: %v", name, err)
		}
		if err := lane.Precheck(Ask{PromptTokens: 7500, Deadline: r.Deadline}); (err == nil) != (name == "window") {
			t.Errorf("%s: more than is in pages: %v", name, err)
		}
		if again, err := lane.Submit(t.Context(), r); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if w.until("it has a token", again.first); again.Cached() < 3900 || again.events[0].Err != nil {
			t.Errorf("%s: %d tokens were cached, and it ended with %v", name, again.Cached(), again.events[0].Err)
		}
		r = greedy(prompt(2, 4000, 0), 1)
		r.Deadline = w.clock.Add(time.Second)
		if _, err := lane.Submit(t.Context(), r); !errors.Is(err, ErrDeadline) {
			t.Errorf("%s: a prompt that is not cached: %v", name, err)
		}
	}
}

// Whom a request goes before does not keep it out of the queue.
func TestLowerClassesFillTheirOwnQueue(t *testing.T) {
	_, lane := one(t, roomy(2, 64), Config{StepTokens: 64, QueueLength: 10})
	for i, c := range []struct {
		class Class
		n     int // one after the other
		taken bool
	}{{Background, 10, true}, {Background, 1, false}, {Batch, 4, true}, {Interactive, 10, true}, {Interactive, 1, false}, {Batch, 1, false}} {
		for j := range c.n {
			early := lane.Precheck(Ask{Class: c.class})
			_, err := lane.Submit(t.Context(), as(c.class, greedy(prompt(i*10+j, 20, 0), 3)))
			if (err == nil) != c.taken || (early == nil) != c.taken || err != nil && !errors.Is(err, ErrQueueFull) {
				t.Errorf("%d of class %d: %v, before its tokens were known %v", j, c.class, err, early)
			}
		}
	}
}

// However many tenants there are, no more of a class and those above wait than twice the queue's length, so of all three classes no more than six times.
func TestQueueHasAnEnd(t *testing.T) {
	_, lane := one(t, roomy(2, 64), Config{StepTokens: 64, QueueLength: 10})
	for i, want := range []int{20, 40, 60} {
		class := Background - Class(i)
		for j := range 100 {
			r := of(fmt.Sprint(class, j), as(class, greedy(prompt(j, 20, 0), 3)))
			if _, err := lane.Submit(t.Context(), r); err != nil && !errors.Is(err, ErrQueueFull) {
				t.Fatal(err)
			}
		}
		if n := lane.Snapshot().Waiting; n != want {
			t.Errorf("%d wait, up to class %v; want %d", n, class, want)
		}
	}
}

// Lower classes that many tenants ask for keep nobody out of a higher one, be it of a tenant that is there or of a new one.
func TestLowerClassesOfManyTenantsKeepNobodyOut(t *testing.T) {
	w, lane := one(t, roomy(1, 64), Config{StepTokens: 64, QueueLength: 16})
	w.submit(lane, of("reader", greedy(prompt(1, 10, 0), 4000)))
	w.turn()
	for _, class := range []Class{Background, Batch} {
		for i := range 16 {
			for range 2 {
				w.submit(lane, of(fmt.Sprint(class, i), as(class, greedy(prompt(i, 10, 0), 5))))
			}
		}
	}
	for i := range 16 {
		tenant := []string{"reader", "new"}[i%2]
		if _, err := lane.Submit(t.Context(), of(tenant, greedy(prompt(50+i, 10, 0), 5))); err != nil {
			t.Errorf("interactive request %d: %v", i, err)
		}
	}
}
