package scheduler

import (
	"testing"

	"chimera/engine/enginetest"
)

// This file owns the tests of what is computed in idle time alone.

func idly(r Request) Request {
	r.Class, r.Idle = Background, true
	return r
}

// While clients are served background has its share and what is for idle time nothing, on the lane that serves and on another; then it is computed.
func TestIdleTimeAlone(t *testing.T) {
	for name, lanes := range map[string]int{"the same lane": 1, "another": 2} {
		w := newWorld(t)
		var all []*Lane
		for range lanes {
			all = append(all, w.add(roomy(17, 64), Config{StepTokens: 64, QueueLength: 64}))
		}
		serving, beside := all[0], all[lanes-1]
		patient := w.submit(beside, idly(greedy(prompt(1, 300, 0), 20)))
		w.until("it has begun", func() bool { return patient.planned > 0 })
		at := patient.planned
		other := w.submit(beside, later(greedy(prompt(3, 300, 0), 20)))
		for i := range 40 {
			w.submit(serving, greedy(prompt(50+i, 3000, 0), 1))
		}
		w.until("background has had its share", func() bool { return other.delivered() == 20 })
		if !w.loop.serves() {
			t.Fatalf("%s: clients are gone before", name)
		}
		if patient.planned != at || patient.delivered() > 0 {
			t.Errorf("%s: %d rows were computed while clients were served, %d tokens are there", name, patient.planned-at, patient.delivered())
		}
		w.until("it is answered", func() bool { return patient.delivered() == 20 })
		if got, _, last := collect(t, patient); len(got) != 20 || last.Finish != Length {
			t.Errorf("%s: %v, %+v", name, got, last)
		}
	}
}

// A step for idle time that is under way is called back when a client comes, whichever lane he comes to, and gets on when he has gone.
func TestIdleStepIsCalledBack(t *testing.T) {
	gate := make(chan struct{})
	loop, both := pair(t, func(i int, in *enginetest.Instance) {
		if i == 0 {
			in.Gate = gate
		}
	})
	run(t, loop)
	under := both[0].submit(t, idly(greedy(prompt(1, 4, 0), 10)))
	both[0].eventually(t, "it is under way", func(Snapshot) bool { return both[0].instance.Submitted() == 1 })
	both[1].expect(t, greedy(prompt(2, 4, 0), 20))
	both[0].eventually(t, "it was called back", func(s Snapshot) bool { return s.Aborts > 0 })
	close(gate)
	if _, _, last := collect(t, under); last.Finish != Length {
		t.Errorf("finish %d, %v", last.Finish, last.Err)
	}
	both[0].finish(t)
	both[1].finish(t)
}

// Somebody who waits for what is computed in idle time makes it his own work.
func TestIdlePrefixIsComputedForOthers(t *testing.T) {
	w, lane := one(t, roomy(8, 64), Config{StepTokens: 32, QueueLength: 8})
	w.submit(lane, idly(greedy(prompt(1, 320, 0), 5)))
	w.turn()
	client := w.submit(lane, greedy(prompt(1, 320, 0), 5))
	w.until("the client is answered", func() bool { return client.delivered() == 5 })
	if client.Cached() < 300 {
		t.Errorf("%d tokens were found", client.Cached())
	}
}

// Its clients may stop it at any time, and a lane that has nothing else ends.
func TestIdleEnds(t *testing.T) {
	w, lane := one(t, roomy(8, 64), Config{StepTokens: 32, QueueLength: 8})
	seq := w.submit(lane, idly(greedy(prompt(1, 320, 0), 5)))
	w.turn()
	w.submit(lane, greedy(prompt(2, 32, 0), 500))
	w.turn()
	seq.Stop()
	w.until("it has ended", func() bool { n := seq.delivered(); return n > 0 && seq.events[n-1].Finish == Cancelled })
	if lane.patient != 0 {
		t.Errorf("%d are counted", lane.patient)
	}
}
