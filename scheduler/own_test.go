package scheduler

import (
	"testing"

	"chimera/engine/enginetest"
)

// This file owns the tests of the daemon's own requests: they count apart from clients', wherever they are.

// ours is a request that the daemon asks itself in idle time.
func ours(r Request) Request {
	r = idly(r)
	r.Own = true
	return r
}

// Clients alone run and wait in what a snapshot says of clients, also where these send the daemon's own requests back to the queue, and where one goes.
func TestOwnRequestsAreApart(t *testing.T) {
	l := testLimits(1)
	l.MaxSequences = 1
	loop, lane := still(t, enginetest.New(l), Config{StepTokens: 16, QueueLength: 8})
	want := func(when string, running, waiting, ownRunning, ownWaiting int) {
		t.Helper()
		s := lane.Snapshot()
		if s.Running != running || s.Waiting != waiting || s.Own != (OwnRequests{ownRunning, ownWaiting}) || s.Occupied() != (running+waiting+ownRunning+ownWaiting > 0) {
			t.Fatalf("%s: %d run, %d wait, of the daemon's own %+v; occupied: %t", when, s.Running, s.Waiting, s.Own, s.Occupied())
		}
	}
	submit := func(r Request) *Sequence {
		t.Helper()
		seq, err := lane.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	want("at first", 0, 0, 0, 0)
	first, second := submit(ours(greedy(prompt(1, 100, 0), 5))), submit(ours(greedy(prompt(2, 100, 0), 5)))
	want("two of its own came", 0, 0, 0, 2)
	turn(t, loop)
	want("one has a place", 0, 0, 1, 1)
	client := submit(greedy(prompt(3, 40, 0), 5))
	want("a client came", 0, 1, 1, 1)
	turn(t, loop)
	want("it has the place", 1, 0, 0, 2)
	second.Stop()
	turn(t, loop)
	want("one of its own went", 1, 0, 0, 1)
	for range 100 {
		if turn(t, loop); client.delivered() == 5 {
			break
		}
	}
	want("the client is answered", 0, 0, 0, 1)
	turn(t, loop)
	want("it has a place again", 0, 0, 1, 0)
	background := submit(later(greedy(prompt(4, 40, 0), 5)))
	want("a client's background came", 0, 1, 1, 0)
	for range 60 {
		turn(t, loop)
	}
	want("all are answered", 0, 0, 0, 0)
	if first.delivered() != 5 || background.delivered() != 5 {
		t.Errorf("%d and %d tokens", first.delivered(), background.delivered())
	}
}

// A pin is nobody's request.
func TestPinsAreOwn(t *testing.T) {
	f := start(t, testLimits(1), Config{StepTokens: 16, QueueLength: 8}, func(in *enginetest.Instance) { in.Gate = make(chan struct{}) })
	if err := f.Pin("system", prompt(1, 100, 0), ""); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, "it is computed", func(s Snapshot) bool {
		if s.Running+s.Waiting > 0 {
			t.Fatalf("%+v", s)
		}
		return s.Own.Running == 1
	})
	f.letPass(t, "it is there", func(s Snapshot) bool { return !s.Occupied() })
	close(f.instance.Gate)
	if err := f.Unpin("system"); err != nil {
		t.Error(err)
	}
	f.finish(t)
}
