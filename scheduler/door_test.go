package scheduler

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of the door: for whom a step is held back, and for whom it is not.

// ends has answers end one after the other, each held for or not, and somebody come so long after each.
func (d *door) ends(start time.Time, held bool, r *Rules, after ...time.Duration) time.Time {
	for _, a := range after {
		start = start.Add(time.Second)
		d.end(1, start, 20*time.Millisecond)
		d.held = held
		d.come(start.Add(a), r)
	}
	return start.Add(time.Second)
}

// A step is held for clients who have come back so far, as long as that gains more than those who run lose.
func TestForWhomTheDoorIsHeld(t *testing.T) {
	rules := DefaultRules
	rules.DoorTime = time.Millisecond
	at := func(after time.Duration, n int) []time.Duration { return slices.Repeat([]time.Duration{after}, n) }
	back, late, never := rules.DoorTime, rules.DoorTime+1, 16*rules.DoorTime+1
	for _, c := range []struct {
		name    string
		held    bool // for those before
		returns []time.Duration
		ended   int
		already int // of them are back
		running int
		free    int
		holds   bool
	}{
		{"nobody is known", true, nil, 1, 0, 12, 1, true},
		{"all came back", true, at(back, 8), 1, 0, 19, 1, true},
		{"all came back, and many run along", true, at(back, 8), 1, 0, 20, 1, false},
		{"two have ended", true, at(back, 8), 2, 0, 19, 1, true},
		{"forty have ended, and half a step is all that it is held", true, at(back, 8), 40, 0, 8, 1, true},
		{"two have ended, and many run along", true, at(back, 8), 2, 0, 20, 1, false},
		{"they are back", true, at(back, 8), 2, 2, 0, 1, false},
		{"one of two is back", true, at(back, 8), 2, 1, 8, 1, true},
		{"no place is free", true, at(back, 8), 1, 0, 8, 0, false},
		{"all came late", true, at(late, 10), 1, 0, 8, 1, false},
		{"all came late, and hardly anybody runs along", true, at(late, 10), 1, 0, 6, 1, true},
		{"they have begun to come back", true, append(at(late, 10), at(back, 4)...), 1, 0, 8, 1, true},
		{"all came late, since nobody held it", false, at(late, 40), 1, 0, 19, 1, true},
		{"nobody came", false, at(never, 40), 1, 0, 8, 1, false},
		{"nobody came, which is not held against them as much", false, at(never, 10), 1, 0, 8, 1, true},
	} {
		var d door
		now := d.ends(stopped(), c.held, &rules, c.returns...)
		d.end(c.ended, now, 20*time.Millisecond)
		for range c.already {
			d.come(now, &rules)
		}
		want := time.Time{}
		if c.holds {
			want = now.Add(min(rules.DoorTime*time.Duration(c.ended), 10*time.Millisecond))
		}
		if got := d.until(c.running, c.free, &rules); !got.Equal(want) || d.held != c.holds {
			t.Errorf("%s: held until %v, misses %g", c.name, got, d.misses)
		}
	}
}

// A crowd that comes after one end does not make up for those who did not come after others.
func TestDoorCountsEndsNotCrowds(t *testing.T) {
	var d door
	for range 20 {
		d.end(2, stopped(), time.Second)
		for range 100 {
			d.come(stopped(), &DefaultRules)
		}
	}
	if d.misses != 0 {
		t.Errorf("%g did not come back, of each", d.misses)
	}
}

// gated is a device whose steps take an hour of a clock of its own, and end when the client who was answered with the step before has asked again.
type gated struct {
	modelled
	now    *atomic.Int64
	lane   *Lane
	asking atomic.Bool // the client will ask again
	missed atomic.Bool // a step is under way without him
	done   atomic.Int64
}

func (d *gated) Wait() error {
	alone := d.under[0].Decode+d.under[0].Prefill == 1
	d.missed.Store(alone)
	for alone && d.asking.Load() && !d.asked() {
		time.Sleep(10 * time.Microsecond)
	}
	d.missed.Store(false)
	d.under = d.under[1:]
	d.now.Add(int64(time.Hour))
	d.done.Add(1)
	return nil
}

// asked tells whether somebody has asked whom the loop has not seen.
func (d *gated) asked() bool {
	d.lane.mu.Lock()
	defer d.lane.mu.Unlock()
	return len(d.lane.incoming) > 0
}

// doors is a lane on such a device beside whose clients one reads a long answer.
func doors(t *testing.T, c Config) (*Lane, *gated) {
	var now atomic.Int64
	loop := NewLoop(LoopConfig{Now: func() time.Time { return time.Unix(1_000_000, now.Load()) }})
	d := &gated{modelled: modelled{Instance: enginetest.New(roomy(8, 512))}, now: &now}
	rules := DefaultRules
	rules.DoorTime, c.StepTokens, c.QueueLength, c.Rules = time.Second, 512, 64, &rules
	lane, err := loop.Add(d, c)
	if err != nil {
		t.Fatal(err)
	}
	d.lane = lane
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	if _, err := lane.Submit(ctx, greedy(prompt(1, 16, 0), 8000)); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		loop.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return lane, d
}

// asks has a client ask so often in a row, for two tokens each time, and returns how many steps that took. late: he asks when the next step has begun.
func (d *gated) asks(t *testing.T, times int, late bool) int64 {
	t.Helper()
	began := d.done.Load()
	for i := range times {
		d.asking.Store(i < times-1)
		for late && i > 0 && !d.missed.Load() {
			time.Sleep(10 * time.Microsecond)
		}
		seq, err := d.lane.Submit(t.Context(), greedy(prompt(2+i, 16, 0), 2))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, last := collect(t, seq); last.Finish != Length {
			t.Fatalf("%+v", last)
		}
	}
	return d.done.Load() - began
}

// Who comes back at once has his prompt in the step behind the one that ended his last answer. When he comes no more the others go on.
func TestDoorIsHeld(t *testing.T) {
	_, d := doors(t, Config{})
	if steps := d.asks(t, 20, false); steps > 20*2+5 {
		t.Errorf("20 answers of two steps took %d", steps)
	}
	for before, end := d.done.Load(), time.Now().Add(20*time.Second); d.done.Load() < before+5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the others wait for one who does not come back")
		}
	}
}

// Without the door who comes back misses a step each time.
func TestWithoutTheDoor(t *testing.T) {
	without, err := CharacteristicsOf("door")
	if err != nil {
		t.Fatal(err)
	}
	_, d := doors(t, Config{Without: without})
	if steps := d.asks(t, 20, true); steps < 20*3-2 {
		t.Errorf("20 answers of two steps took %d without the door: each misses a step", steps)
	}
}

// Neither batch nor background work is waited for, nor do they count as who comes back.
func TestDoorIsForInteractive(t *testing.T) {
	for _, class := range []Class{Batch, Background} {
		w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 8})
		ends := greedy(prompt(1, 16, 0), 1)
		ends.Class = class
		w.submit(lane, ends)
		w.turn()
		if lane.door.ended != 0 {
			t.Errorf("%v: an end is waited for", class)
		}
		w.submit(lane, greedy(prompt(2, 16, 0), 1))
		w.turn()
		comes := greedy(prompt(3, 16, 0), 1)
		comes.Class = class
		w.submit(lane, comes)
		if lane.arrivals(); lane.door.ended != 1 || lane.door.back != 0 {
			t.Errorf("%v: %d have ended, %d are back", class, lane.door.ended, lane.door.back)
		}
	}
}

// Who would stand behind others is not waited for, nor is anybody while a step is under way.
func TestDoorIsNotHeldInVain(t *testing.T) {
	w, lane := one(t, roomy(2, 512), Config{StepTokens: 512, QueueLength: 8})
	w.submit(lane, greedy(prompt(1, 16, 0), 8))
	w.submit(lane, greedy(prompt(2, 16, 0), 1))
	w.turn()
	held := func() bool {
		lane.door.held = false
		lane.policy.rules.DoorTime = 1 // which passes at once
		w.loop.holdDoor()
		return lane.door.held
	}
	if !held() {
		t.Fatal("the door is not held for the one who has ended")
	}
	w.loop.underWay = append(w.loop.underWay, lane)
	if held() {
		t.Error("the door is held beside a step under way")
	}
	w.loop.underWay = w.loop.underWay[:0]
	waits := greedy(prompt(3, 16, 0), 8)
	waits.Class = Batch // who is none that comes back
	w.submit(lane, waits)
	if lane.arrivals(); held() {
		t.Error("the door is held though another waits for the place")
	}
}

// Who has missed one step is not taken for one who comes back after the next.
func TestDoorIsNotForThoseBefore(t *testing.T) {
	w, lane := one(t, roomy(8, 512), Config{StepTokens: 512, QueueLength: 8})
	w.submit(lane, greedy(prompt(1, 16, 0), 8))
	w.submit(lane, greedy(prompt(2, 16, 0), 1))
	w.devices[0].beforeWait = func() { w.submit(lane, greedy(prompt(3, 16, 0), 8)) } // while the step is computed with which the second ends
	if w.turn(); lane.door.ended != 1 || lane.door.back != 0 || len(lane.waiting) != 1 {
		t.Errorf("%d have ended, %d came back, %d wait", lane.door.ended, lane.door.back, len(lane.waiting))
	}
}

// Where two lanes have work neither waits for the other's clients.
func TestDoorOfOneLaneAlone(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(roomy(8, 512), Config{StepTokens: 512, QueueLength: 8}), w.add(roomy(8, 512), Config{StepTokens: 512, QueueLength: 8})
	w.loop.arrivals()
	if w.loop.atWork() != nil {
		t.Error("an idle lane is at work")
	}
	w.submit(a, greedy(prompt(1, 16, 0), 8))
	if w.loop.arrivals(); w.loop.atWork() != a {
		t.Error("the lane that has work is not at work")
	}
	w.submit(b, greedy(prompt(1, 16, 0), 8))
	if w.loop.arrivals(); w.loop.atWork() != nil {
		t.Error("one of two lanes is at work alone")
	}
}

// What wakes a door that is held is taken by it, so it lets in who came to another lane: it would wait for ever if nobody else came.
func TestDoorLetsInAllLanes(t *testing.T) {
	w := newWorld(t)
	a, b := w.add(roomy(8, 512), Config{StepTokens: 512, QueueLength: 8}), w.add(roomy(8, 512), Config{StepTokens: 512, QueueLength: 8})
	a.policy.rules.DoorTime, w.devices[0].base = time.Second, time.Hour
	w.submit(a, greedy(prompt(1, 16, 0), 8))
	w.submit(a, greedy(prompt(2, 16, 0), 1))
	w.turn()
	w.submit(b, greedy(prompt(3, 16, 0), 1))
	if w.loop.holdDoor(); !a.door.held {
		t.Fatal("the door was not held: the test shows nothing")
	}
	if len(b.waiting) != 1 || len(b.incoming) != 0 {
		t.Errorf("of the other lane %d were let in, %d were not", len(b.waiting), len(b.incoming))
	}
}

// A loop ends when its context is done, also if what would have woken it was taken within a turn, as by a door that was held.
func TestALoopEndsThoughItsWakeupWasTaken(t *testing.T) {
	loop := NewLoop(LoopConfig{})
	lane, err := loop.Add(enginetest.New(testLimits(1)), config)
	if err != nil {
		t.Fatal(err)
	}
	<-loop.wakeup // of Add
	ctx, cancel := context.WithCancel(t.Context())
	lane.asked = append(lane.asked, func() {
		cancel()
		<-loop.wakeup
	})
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the loop goes on after its context is done")
	}
}

var _ engine.Instance = (*gated)(nil)
