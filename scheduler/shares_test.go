package scheduler

import (
	"testing"
	"time"
)

// This file owns the tests of classes and lanes: who goes first, and what is left for the others.

// share is the part of the rows, by device time, that a class had.
func (w *world) share(lane *Lane, class Class, run time.Duration) float64 {
	had, all, begin := time.Duration(0), time.Duration(0), w.clock
	for w.clock.Sub(begin) < run {
		before, rows, others := w.clock, 0, 0
		computed := map[*Sequence]int{}
		for _, seq := range lane.running {
			computed[seq] = seq.planned
		}
		w.turn()
		for _, seq := range lane.running {
			n := seq.planned - computed[seq]
			if others += n; seq.request.Class == class {
				rows += n
			}
		}
		d := w.clock.Sub(before)
		all += d
		had += d * time.Duration(rows) / time.Duration(max(1, others))
	}
	return float64(had) / float64(all)
}

// Where interactive prompts would fill every step, batch has a ninth of the time and background a seventeenth; without shares they have nothing.
func TestLowerClassesHaveAShare(t *testing.T) {
	for _, c := range []struct {
		class Class
		part  int
	}{{Batch, DefaultRules.BatchShare}, {Background, DefaultRules.BackgroundShare}} {
		for _, without := range []CharacteristicSet{0, withShares} {
			w, lane := one(t, roomy(17, 64), Config{StepTokens: 64, QueueLength: 64, Without: without})
			for i := range 4 {
				w.submit(lane, as(c.class, greedy(prompt(i, 3000, 0), 1)))
			}
			w.turn()
			for i := range 40 {
				w.submit(lane, greedy(prompt(50+i, 3000, 0), 1))
			}
			want := 1 / float64(c.part)
			if without != 0 {
				want = 0
			}
			if got := w.share(lane, c.class, 60*time.Second); got < want*0.8 || got > want*1.2+0.005 {
				t.Errorf("class %d without %b has %.3f of the time, want %.3f", c.class, without, got, want)
			}
		}
	}
}

// Interactive requests go before batch on the way in, and take its places but for one in eight.
func TestInteractiveTakesPlacesOfBatch(t *testing.T) {
	for _, c := range []struct {
		without CharacteristicSet
		batch   int
	}{{0, 1}, {byClass, 8}} {
		w, lane := one(t, roomy(8, 64), Config{StepTokens: 64, QueueLength: 64, Without: c.without})
		for i := range 12 {
			w.submit(lane, as(Batch, greedy(prompt(i, 20, 0), 1000)))
		}
		w.until("all places are taken", func() bool { return len(lane.running) == 8 })
		for i := range 12 {
			w.submit(lane, greedy(prompt(20+i, 20, 0), 1000))
		}
		for range 30 {
			w.turn()
		}
		n := 0
		for _, seq := range lane.running {
			if seq.request.Class == Batch {
				n++
			}
		}
		if n != c.batch || len(lane.running) != 8 {
			t.Errorf("without %b: %d of %d that run are batch, want %d", c.without, n, len(lane.running), c.batch)
		}
	}
}

// Lanes with the same to do have the same time, whatever their steps take; one with interactive work goes before one with batch.
func TestLanesShareTheDevice(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		lane := w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 8})
		w.devices[i].base *= time.Duration(i + 1)
		for n := range 1 + i {
			w.submit(lane, greedy(prompt(n, 20, 0), 5000))
		}
	}
	had := func(i int) (sum time.Duration) {
		for _, d := range w.devices[i].took {
			sum += d
		}
		return sum
	}
	w.until("a minute", func() bool { return w.clock.Sub(stopped()) > time.Minute })
	for i := range 3 {
		if part := had(i).Seconds() / 60; part < 0.32 || part > 0.35 {
			t.Errorf("lane %d had %.3f of the time", i, part)
		}
	}
	w = newWorld(t)
	for i, class := range []Class{Batch, Interactive} {
		w.submit(w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 8}), as(class, greedy(prompt(i, 20, 0), 5000)))
	}
	w.until("half a minute", func() bool { return w.clock.Sub(stopped()) > 30*time.Second })
	if part := had(0).Seconds() / 30; part < 0.08 || part > 0.14 {
		t.Errorf("the lane with batch had %.3f of the time, want a ninth", part)
	}
}

// A lane that was idle is owed nothing for that.
func TestIdlenessEarnsNothing(t *testing.T) {
	w := newWorld(t)
	busy, idle := w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 8}), w.add(roomy(8, 64), Config{StepTokens: 64, QueueLength: 8})
	w.submit(busy, greedy(prompt(1, 20, 0), 5000))
	w.until("ten seconds", func() bool { return w.clock.Sub(stopped()) > 10*time.Second })
	w.submit(idle, greedy(prompt(1, 20, 0), 5000))
	before := len(w.devices[0].took)
	for range 20 {
		w.turn()
	}
	if n := len(w.devices[0].took) - before; n < 8 {
		t.Errorf("the busy lane had %d of 20 steps when the other came back", n)
	}
}
