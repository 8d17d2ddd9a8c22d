package scheduler

import (
	"slices"
	"testing"
)

// This file owns the tests of who pays for a prefix that another computes.

// Who hurries another tenant's prompt pays for what of it is computed for him: no more, and nothing if he hurries nobody.
func TestWhoHurriesAPrefixPays(t *testing.T) {
	for _, c := range []struct {
		name          string
		owner, waiter Class
		pays, hangUp  bool
	}{
		{"interactive for batch", Batch, Interactive, true, false},
		{"alike", Batch, Batch, false, false},
		{"batch for interactive", Interactive, Batch, false, false},
		{"where both hang up", Batch, Interactive, true, true},
	} {
		const prefix = 640
		w, lane := one(t, roomy(8, 64), Config{StepTokens: 64, QueueLength: 8})
		shared := prompt(1, prefix, 0)
		stay := w.submit(lane, of("b", greedy(prompt(8, 10, 0), 4000))) // so that b is known
		w.turn()
		owner := w.submit(lane, of("a", as(c.owner, greedy(shared, 1))))
		w.turn()
		a, b, begun := owner.tenant, stay.tenant, owner.computed
		if begun == 0 || begun >= prefix/2 {
			t.Fatalf("%s: %d were computed", c.name, begun)
		}
		beginA, beginB := a.counter-prefix, b.counter-2*float64(stay.generated)
		charged := func() (ofA, ofB float64) { return a.counter - beginA, b.counter - 2*float64(stay.generated) - beginB }
		waiter := w.submit(lane, of("b", as(c.waiter, greedy(append(slices.Clone(shared), 5, 6, 7), 1))))
		w.turn()
		wantA, wantB := float64(prefix), 0.0
		if c.hangUp {
			wantA, wantB = float64(begun), float64(owner.computed-begun)
			owner.Stop()
			waiter.Stop()
			w.turn()
		} else {
			if w.until("all have answers", func() bool { return waiter.first() }); c.pays {
				wantA, wantB = float64(begun), float64(prefix-begun)
			}
			wantA, wantB = wantA+2, wantB+3+2 // the answers, and what is the waiter's own
		}
		if gotA, gotB := charged(); gotA != wantA || gotB != wantB {
			t.Errorf("%s: whose prefix it is was charged %.0f, want %.0f; who waited %.0f, want %.0f", c.name, gotA, wantA, gotB, wantB)
		}
	}
}
