package scheduler

import (
	"testing"
)

// This file owns the tests of who could have a claim to another's place.

// The queue is lined up only while somebody who waits could displace one that runs, and that is told by counts.
func TestWhoContestsPlaces(t *testing.T) {
	type ask struct {
		tenant string
		class  Class
		n      int
	}
	for _, c := range []struct {
		name      string
		asks      []ask // in this order, a turn after each
		contested bool  // before the turn that would settle the last
		places    map[string]int
	}{
		{"one tenant", []ask{{"a", Interactive, 12}}, false, map[string]int{"a": 8}},
		{"a flood, then another", []ask{{"a", Interactive, 12}, {"b", Interactive, 3}}, true, map[string]int{"a": 7, "b": 1}},
		{"a flood of interactive, then another's batch", []ask{{"a", Interactive, 12}, {"b", Batch, 3}}, false, map[string]int{"a": 8}},
		{"batch, then interactive", []ask{{"a", Batch, 8}, {"a", Interactive, 1}}, true, map[string]int{"a": 8}},
		{"interactive, then batch", []ask{{"a", Interactive, 8}, {"a", Batch, 1}}, false, map[string]int{"a": 8}},
		{"a place is free", []ask{{"a", Interactive, 6}, {"b", Interactive, 2}}, false, map[string]int{"a": 6, "b": 2}},
	} {
		w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 64})
		id := 0
		for i, a := range c.asks {
			for range a.n {
				id++
				w.submit(lane, of(a.tenant, as(a.class, greedy(prompt(id, 20, 0), 400))))
			}
			if w.loop.arrivals(); i == len(c.asks)-1 && lane.contested() != c.contested {
				t.Errorf("%s: contested: %v", c.name, !c.contested)
			}
			w.turn()
		}
		for tenant, n := range c.places {
			if got := w.loop.tenants.all[tenant].places; got != n {
				t.Errorf("%s: %s has %d places, want %d", c.name, tenant, got, n)
			}
		}
		if err := lane.checkGuests(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A turn in which nobody has a claim sorts nothing, however many wait; one that comes still has the place that it has a claim to.
func TestTheQueueIsLinedUpForClaimsAlone(t *testing.T) {
	w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 64})
	for i := range 40 {
		w.submit(lane, of([]string{"a", "b"}[i%2], greedy(prompt(i, 20, 0), 400)))
	}
	w.turn()
	for range 5 {
		if w.turn(); lane.lines.good {
			t.Fatal("the queue was lined up though no place is contested")
		}
	}
	seq := w.submit(lane, of("c", greedy(prompt(99, 20, 0), 400)))
	if w.turn(); !seq.runs() {
		t.Error("a third tenant has no place")
	}
}

// Who is stopped before the loop has seen him does not wait for a place that he no longer wants.
func TestStoppedBeforeHeArrived(t *testing.T) {
	w, lane := one(t, roomy(1, 64), Config{StepTokens: 64, QueueLength: 8})
	w.submit(lane, greedy(prompt(1, 10, 0), 400))
	w.turn()
	seq := w.submit(lane, greedy(prompt(2, 10, 0), 5))
	seq.Stop()
	lane.plan(ordinary) // which takes note of the stop, but does not see whose it is
	if lane.steps.next(); seq.delivered() != 0 {
		t.Fatal("it has arrived")
	}
	w.turn()
	if seq.delivered() != 1 || seq.events[0].Finish != Cancelled {
		t.Errorf("%d events", seq.delivered())
	}
}
