package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the tests of lanes that share a loop.

// pair is a loop over two lanes that nobody runs yet.
func pair(t *testing.T, change func(i int, in *enginetest.Instance)) (*Loop, []*fixture) {
	return several(t, 2, LoopConfig{}, change)
}

// several is a loop over n lanes that nobody runs yet.
func several(t *testing.T, n int, c LoopConfig, change func(i int, in *enginetest.Instance)) (*Loop, []*fixture) {
	t.Helper()
	loop := NewLoop(c)
	all := make([]*fixture, n)
	for i := range all {
		in := enginetest.New(testLimits(1))
		if change != nil {
			change(i, in)
		}
		lane, err := loop.Add(in, config)
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{Lane: lane, instance: in, ended: make(chan error, 1)}
		go func() { f.ended <- lane.Err() }()
		all[i] = f
	}
	return loop, all
}

func run(t *testing.T, loop *Loop) (ended chan error) {
	ended = make(chan error, 1)
	go func() { ended <- loop.Run(t.Context()) }()
	return ended
}

// Each lane answers its own, and one that is drained ends while the other goes on.
func TestLanesAnswerTheirOwn(t *testing.T) {
	loop, both := pair(t, nil)
	run(t, loop)
	for i := range 6 {
		both[i%2].expect(t, greedy(prompt(i, 70, 0), 20), later(greedy(prompt(i, 30, 0), 9)))
	}
	both[0].finish(t)
	both[1].expect(t, greedy(prompt(9, 70, 0), 20))
	both[1].finish(t)
}

// order notes whose steps are submitted.
func order(turns *[]int) func(i int, in *enginetest.Instance) {
	return func(i int, in *enginetest.Instance) {
		in.Refuse = func(int) error {
			*turns = append(*turns, i)
			return nil
		}
	}
}

// Lanes whose steps take the same time take turns. They are more than steps under way, so that order alone decides.
func TestLanesTakeTurns(t *testing.T) {
	var turns []int
	loop, all := several(t, 3, LoopConfig{Now: stopped}, order(&turns))
	for i, f := range all {
		f.submit(t, greedy(prompt(i, 4, 0), 20))
	}
	for range 20 {
		turn(t, loop)
	}
	for round := range 6 {
		if of := slices.Sorted(slices.Values(turns[3*round:][:3])); !slices.Equal(of, []int{0, 1, 2}) {
			t.Fatalf("the steps were of lanes %v", turns)
		}
	}
}

// The next lane's step is submitted before the loop waits for the one under way: the device never waits for the loop.
func TestLanesAreAheadOfTheDevice(t *testing.T) {
	gate := make(chan struct{})
	loop, both := pair(t, func(_ int, in *enginetest.Instance) { in.Gate = gate })
	for i, f := range both {
		f.submit(t, greedy(prompt(i, 4, 0), 3))
	}
	run(t, loop)
	both[1].eventually(t, "both have submitted", func(Snapshot) bool { return both[0].instance.Submitted()+both[1].instance.Submitted() == 2 })
	close(gate)
	both[0].finish(t)
	both[1].finish(t)
}

// What breaks an instance is the end of its lane alone.
func TestABrokenLaneEndsAlone(t *testing.T) {
	broken := errors.New("it is broken")
	loop, both := pair(t, func(i int, in *enginetest.Instance) {
		in.Fail = func(step int) error {
			if i == 0 && step == 5 {
				return broken
			}
			return nil
		}
	})
	victim := both[0].submit(t, greedy(prompt(1, 4, 0), 100))
	run(t, loop)
	if _, _, last := collect(t, victim); last.Finish != Failed || !errors.Is(last.Err, broken) {
		t.Errorf("finish %d, %v", last.Finish, last.Err)
	}
	if err := both[0].Err(); !errors.Is(err, broken) {
		t.Errorf("the lane ended with %v", err)
	}
	both[1].expect(t, greedy(prompt(2, 4, 0), 50))
	both[1].finish(t)
}

// What breaks the device ends all its lanes, and the loop.
func TestAPoisonedDeviceEndsAllLanes(t *testing.T) {
	loop, both := pair(t, func(i int, in *enginetest.Instance) {
		in.Fail = func(step int) error {
			if i == 0 && step == 5 {
				return fmt.Errorf("it fell off the bus: %w", engine.ErrDevicePoisoned)
			}
			return nil
		}
	})
	for i, f := range both {
		f.submit(t, greedy(prompt(i, 4, 0), 400))
	}
	select {
	case err := <-run(t, loop):
		if !errors.Is(err, engine.ErrDevicePoisoned) {
			t.Errorf("the loop ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loop goes on")
	}
	for i, f := range both {
		if _, err := f.Submit(t.Context(), greedy(prompt(1, 4, 0), 1)); !errors.Is(err, engine.ErrDevicePoisoned) {
			t.Errorf("lane %d takes requests: %v", i, err)
		}
	}
	if _, err := loop.Add(enginetest.New(testLimits(1)), config); !errors.Is(err, ErrLoopEnded) {
		t.Errorf("a lane was added: %v", err)
	}
}

// A background step that nobody computes holds up neither the other lane nor, once its own lane has others to serve or its client
// has gone, its own.
func TestBackgroundIsCalledBack(t *testing.T) {
	for name, then := range map[string]func(f *fixture, under *Sequence){
		"others to serve": func(f *fixture, _ *Sequence) { f.submit(t, greedy(prompt(5, 4, 0), 1)) },
		"stopped":         func(_ *fixture, under *Sequence) { under.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			gate := make(chan struct{})
			loop, both := pair(t, func(i int, in *enginetest.Instance) {
				if i == 0 {
					in.Gate = gate
				}
			})
			run(t, loop)
			under := both[0].submit(t, later(greedy(prompt(1, 4, 0), 10)))
			both[0].eventually(t, "it is under way", func(Snapshot) bool { return both[0].instance.Submitted() == 1 })
			both[1].expect(t, greedy(prompt(2, 4, 0), 20))
			then(both[0], under)
			both[0].eventually(t, "it is called back", func(s Snapshot) bool { return s.Aborts > 0 })
			close(gate)
			if _, _, last := collect(t, under); last.Finish != Length && name != "stopped" {
				t.Errorf("finish %d, %v", last.Finish, last.Err)
			}
			both[0].finish(t)
			both[1].finish(t)
		})
	}
}

// Background sequences give up places and pages for others, and are computed again.
func TestBackgroundMakesWay(t *testing.T) {
	for name, change := range map[string]func(*engine.Limits){
		"places": func(l *engine.Limits) { l.MaxSequences = 2 },
		"pages":  func(l *engine.Limits) { l.Groups, l.MaxContext = []engine.GroupLimits{enginetest.Full(9)}, 128 },
	} {
		t.Run(name, func(t *testing.T) {
			l := testLimits(1)
			change(&l)
			in := enginetest.New(l)
			loop, lane := still(t, in, config)
			submit := func(r Request) *Sequence {
				seq, err := lane.Submit(context.Background(), r)
				if err != nil {
					t.Fatal(err)
				}
				return seq
			}
			requests := []Request{later(greedy(prompt(1, 60, 0), 30)), later(greedy(prompt(2, 60, 0), 30)), greedy(prompt(3, 60, 0), 30)}
			behind := []*Sequence{submit(requests[0]), submit(requests[1])}
			for range 6 {
				turn(t, loop)
			}
			front := submit(requests[2])
			for front.delivered() < 30 {
				before := behind[0].delivered() + behind[1].delivered()
				turn(t, loop)
				if behind[0].delivered()+behind[1].delivered() > before {
					t.Fatal("a background sequence got on though somebody waited")
				}
			}
			for behind[0].delivered() < 30 || behind[1].delivered() < 30 {
				turn(t, loop)
			}
			for i, seq := range append(behind, front) {
				if got, _, _ := collect(t, seq); !slices.Equal(got, answerOn(l, requests[i])) {
					t.Errorf("request %d: %v", i, got)
				}
			}
			if lane.Snapshot().Preemptions == 0 {
				t.Error("nobody was preempted: the test shows nothing")
			}
		})
	}
}
