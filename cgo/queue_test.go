//go:build cgo

package cgo

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// This file tests the order of steps with steps that compute nothing, and the gate in a time of its own.

func newStep(background bool, compute func() bool) *step {
	return &step{background: background, compute: compute, done: make(chan bool, 1)}
}

func TestForegroundStepsGoFirst(t *testing.T) {
	q := newQueue(func(bool) {})
	var order []int
	first := make(chan struct{})
	steps := []*step{newStep(false, func() bool { <-first; return false })}
	for i, background := range []bool{true, false, true, false, false} {
		steps = append(steps, newStep(background, func() bool { order = append(order, i); return false }))
	}
	for _, s := range steps {
		q.submit(s)
	}
	go q.run()
	close(first)
	for _, s := range steps {
		<-s.done
	}
	q.close()
	if want := []int{1, 3, 4, 0, 2}; !slices.Equal(order, want) {
		t.Errorf("steps ran in the order %v, not %v", order, want)
	}
}

// A background step that waits can be withdrawn, as one that gave way; one that is done is not touched, and one that is under
// way may come to its end.
func TestWithdraw(t *testing.T) {
	q := newQueue(func(bool) {})
	begun, finish := make(chan struct{}), make(chan struct{})
	running := newStep(true, func() bool { close(begun); <-finish; return false })
	waiting := newStep(true, func() bool { t.Error("a step that was withdrawn ran"); return false })
	behind := newStep(true, func() bool { return false })
	q.submit(running)
	go q.run()
	<-begun
	q.submit(waiting)
	q.submit(behind)
	q.withdraw(waiting)
	q.withdraw(running)
	if !<-waiting.done {
		t.Error("a step that was withdrawn did not give way")
	}
	close(finish)
	if <-running.done || <-behind.done {
		t.Error("other steps gave way")
	}
	q.withdraw(behind)
	q.close()
	if len(behind.done) > 0 {
		t.Error("a step that is done was withdrawn")
	}
}

// A queue that is closed computes what it has taken.
func TestCloseComputesWhatWaits(t *testing.T) {
	q := newQueue(func(bool) {})
	computed := 0
	for i := range 4 {
		q.submit(newStep(i%2 == 0, func() bool { computed++; return false }))
	}
	go q.run()
	q.close()
	if computed != 4 {
		t.Errorf("%d steps of 4", computed)
	}
}

// poolFlag is a pool's: what asks the step under way to give way.
type poolFlag struct {
	asked, background, running atomic.Bool
	wrong                      atomic.Int32
}

func (f *poolFlag) giveWay(asked bool) {
	if asked && f.running.Load() && !f.background.Load() {
		f.wrong.Add(1)
	}
	f.asked.Store(asked)
}

// compute is a step that lasts until it is asked to give way, or for some looks at the flag.
func (f *poolFlag) compute(background bool, looks int) func() bool {
	return func() bool {
		f.background.Store(background)
		if f.running.Swap(true) {
			f.wrong.Add(1)
		}
		defer f.running.Store(false)
		for range looks {
			if f.asked.Load() {
				return true
			}
		}
		return f.asked.Load()
	}
}

func TestBackgroundGivesWay(t *testing.T) {
	f := &poolFlag{}
	q := newQueue(f.giveWay)
	go q.run()
	defer q.close()
	for range 200 {
		begun := make(chan struct{})
		endless := newStep(true, func() bool {
			close(begun)
			for !f.asked.Load() {
				time.Sleep(10 * time.Microsecond)
			}
			return true
		})
		q.submit(endless)
		<-begun
		foreground := newStep(false, f.compute(false, 100))
		q.submit(foreground)
		if !<-endless.done {
			t.Fatal("a background step did not give way")
		}
		if <-foreground.done {
			t.Fatal("a foreground step gave way")
		}
	}
}

// Owners of both kinds submit at random: every step has one outcome, one runs at a time, and only background
// steps are asked to give way.
func TestQueueUnderLoad(t *testing.T) {
	f := &poolFlag{}
	q := newQueue(f.giveWay)
	go q.run()
	var aborted atomic.Int32
	var owners sync.WaitGroup
	for owner := range 6 {
		owners.Go(func() {
			r := rand.New(rand.NewPCG(uint64(owner), 1))
			s := newStep(owner%2 == 0, nil)
			for range 2000 {
				s.compute = f.compute(s.background, r.IntN(2000))
				q.submit(s)
				if gaveWay := <-s.done; gaveWay && !s.background {
					t.Error("a foreground step gave way")
				} else if gaveWay {
					aborted.Add(1)
				}
			}
		})
	}
	owners.Wait()
	q.close()
	if f.wrong.Load() > 0 {
		t.Errorf("%d times two steps ran at once or a foreground step was asked to give way", f.wrong.Load())
	}
	if aborted.Load() == 0 {
		t.Error("no background step ever gave way: the test tests nothing")
	}
}

// serve runs foreground steps, with a pause between them, for as long as a load of chunks on two threads takes. It
// returns how many steps there were and the longest that a step was late.
func serve(t *testing.T, took, pause, chunk time.Duration, chunks int) (steps int, total, latest time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(func(bool) {})
		go q.run()
		var loads sync.WaitGroup
		var loaded, computing atomic.Bool
		run := func() {
			s := newStep(false, func() bool {
				computing.Store(true)
				time.Sleep(took)
				computing.Store(false)
				return false
			})
			q.submit(s)
			<-s.done
		}
		run() // the device serves before the load begins
		q.gate.begin()
		for range 2 {
			loads.Go(func() {
				for range chunks {
					if err := q.gate.run(func() error {
						if computing.Load() && chunk <= chunkLimit {
							t.Error("a chunk began during a step")
						}
						time.Sleep(chunk)
						return nil
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { loads.Wait(); q.gate.done(); loaded.Store(true) }()
		began := time.Now()
		for ; !loaded.Load(); steps++ {
			before := time.Now()
			run()
			latest = max(latest, time.Since(before)-took)
			time.Sleep(pause)
			synctest.Wait()
		}
		total = time.Since(began)
		q.close()
	})
	return steps, total, latest
}

// A load beside steps gets a seventh of the time, and no step waits much longer than a sixth of the one before it.
func TestLoadTakesTurns(t *testing.T) {
	const chunk, chunks = 800 * time.Microsecond, 200
	for _, took := range []time.Duration{300 * time.Microsecond, time.Millisecond, 12 * time.Millisecond, 80 * time.Millisecond} {
		_, total, latest := serve(t, took, took/50, chunk, chunks)
		if share := float64(chunk*chunks) / float64(total); share < 0.11 || share > 0.16 {
			t.Errorf("steps of %v: the load had %.2f of the time", took, share)
		}
		if most := max(took/turnShare, shortestTurn) + chunk; latest > most {
			t.Errorf("steps of %v: one was %v late, more than %v", took, latest, most)
		}
	}
}

// While nothing is served, a load runs at its own pace; so it does in long pauses.
func TestLoadIsFreeWhileNothingIsServed(t *testing.T) {
	const chunk, chunks = 800 * time.Microsecond, 200
	if steps, total, _ := serve(t, time.Millisecond, time.Second, chunk, chunks); steps != 1 || total > chunk*chunks+time.Second+2*linger {
		t.Errorf("%d steps in %v beside a load of %v", steps, total, chunk*chunks)
	}
}

// A chunk that waits for its disk does not hold up the steps.
func TestSlowChunkIsNotWaitedFor(t *testing.T) {
	const took = 10 * time.Millisecond
	steps, _, latest := serve(t, took, 0, 300*time.Millisecond, 4)
	if most := took/turnShare + chunkLimit; latest > most {
		t.Errorf("a step was %v late, more than %v", latest, most)
	}
	if steps < 4*20 {
		t.Errorf("%d steps beside a load of 1.2 s", steps)
	}
}
