package scheduler

import (
	"context"
	"testing"
	"time"
)

// This file owns the tests of a sequence's buffer of events.

// TestEventsAreTakenInOrder: whoever takes events at whatever pace gets each once and in order, and is woken where he waits. Who keeps up
// costs no memory.
func TestEventsAreTakenInOrder(t *testing.T) {
	const events = 300
	for name, behind := range map[string]int{"at once": 0, "one behind": 1, "far behind": 100, "at the end": events} {
		t.Run(name, func(t *testing.T) {
			seq := newSequence(greedy(prompt(1, 4, 0), events), func() {}, time.Now)
			next := 0
			take := func() {
				e, err := seq.Next(t.Context())
				if err != nil || int(e.Token) != next {
					t.Fatalf("event %d is %d: %v", next, e.Token, err)
				}
				next++
			}
			for i := range events {
				if seq.deliver(&Event{Token: int32(i), HasToken: true}); i >= behind {
					take()
				}
			}
			if behind < 2 && cap(seq.events) > 4 {
				t.Errorf("room for %d events", cap(seq.events))
			}
			for next < events {
				take()
			}
		})
	}

	seq := newSequence(greedy(prompt(1, 4, 0), events), func() {}, time.Now)
	go func() {
		for i := range events {
			seq.deliver(&Event{Token: int32(i)})
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range events {
		if e, err := seq.Next(ctx); err != nil || int(e.Token) != i {
			t.Fatalf("event %d is %d: %v", i, e.Token, err)
		}
	}
	keptUp := testing.AllocsPerRun(100, func() {
		seq.deliver(&Event{})
		if _, err := seq.Next(ctx); err != nil {
			t.Error(err)
		}
	})
	if keptUp != 0 {
		t.Errorf("%v allocations an event", keptUp)
	}
}
