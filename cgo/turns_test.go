//go:build cgo

package cgo

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// This file tests how background steps get on beside foreground steps, with steps that compute nothing, in a time of their own.

// work is a background step of so many chunks, each of which takes as long, that goes on where it gave way.
type work struct {
	chunks int
	left   atomic.Int32
	chunk  time.Duration
	asked  *atomic.Bool
}

func (w *work) compute() (gaveWay bool) {
	for ; w.left.Load() > 0; w.left.Add(-1) {
		if w.asked.Load() {
			return true
		}
		time.Sleep(w.chunk)
	}
	return false
}

// beside runs foreground steps of some owners, each with a pause between them, for a while, beside the owner of background
// steps, which plans each from its beginning. It returns how many background steps were computed, how many gave way, and the
// longest that a foreground step was late.
func beside(t *testing.T, owners int, took, pause, lasts time.Duration, chunks int) (computed, aborted int, latest time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		asked := &atomic.Bool{}
		q := newQueue(asked.Store)
		go q.run()
		var ended atomic.Bool
		var foreground sync.WaitGroup
		var mu sync.Mutex
		background := make(chan struct{})
		go func() {
			w := &work{chunks: chunks, chunk: 100 * time.Microsecond, asked: asked}
			s := newStep(true, w.compute)
			for !ended.Load() {
				w.left.Store(int32(w.chunks))
				q.submit(s)
				if <-s.done {
					aborted++
				} else {
					computed++
				}
			}
			close(background)
		}()
		for range owners {
			foreground.Go(func() {
				s := newStep(false, func() bool { time.Sleep(took); return false })
				for began := time.Now(); time.Since(began) < lasts; time.Sleep(pause) {
					before := time.Now()
					q.submit(s)
					<-s.done
					mu.Lock()
					latest = max(latest, time.Since(before)-time.Duration(owners)*took)
					mu.Unlock()
				}
			})
		}
		foreground.Wait()
		ended.Store(true)
		<-background
		q.close()
	})
	return computed, aborted, latest
}

// A background step that outlasts every gap gets on all the same, with at least its share of the time; no
// foreground step waits for it longer than for a turn.
func TestBackgroundGetsOn(t *testing.T) {
	const chunk, lasts = 100 * time.Microsecond, 5 * time.Second
	for _, c := range []struct {
		owners      int
		took, pause time.Duration
	}{
		{1, 2 * time.Millisecond, 200 * time.Microsecond}, {1, 2 * time.Millisecond, 0}, {1, 300 * time.Microsecond, 0}, {1, 80 * time.Millisecond, time.Millisecond},
		{1, 30 * time.Millisecond, 0}, {2, 2 * time.Millisecond, 0}, {2, 300 * time.Microsecond, 0}, {3, 12 * time.Millisecond, 0},
	} {
		const chunks = 110 // of a step, 11 ms
		computed, aborted, latest := beside(t, c.owners, c.took, c.pause, lasts, chunks)
		share := float64(computed) * chunks * float64(chunk) / float64(lasts)
		if share < 0.03 { // less than a turn's share: what steps computed that gave way for good is lost
			t.Errorf("steps of %v, gaps of %v: %d background steps were computed, %.3f of the time; %d gave way", c.took, c.pause, computed, share, aborted)
		}
		if c.pause == 0 && (c.owners > 1 || c.took > 10*chunk) && share > 0.07 { // short steps alone find it in the midst of a chunk each time
			t.Errorf("steps of %v: background steps had %.3f of the time", c.took, share)
		}
		if aborted > computed+patience {
			t.Errorf("steps of %v, gaps of %v: %d of the steps gave way for good, %d were computed", c.took, c.pause, aborted, computed)
		}
		if most := time.Duration(c.owners) * (max(c.took/backgroundShare, shortestTurn) + chunk); latest > most {
			t.Errorf("steps of %v, gaps of %v: one was %v late, more than %v", c.took, c.pause, latest, most)
		}
	}
}

// Long gaps are enough: nobody is held up by a background step that gets on as it is.
func TestNoTurnsBesideGaps(t *testing.T) {
	const chunk = 100 * time.Microsecond
	if computed, _, latest := beside(t, 1, 2*time.Millisecond, time.Millisecond, time.Second, 110); computed < 20 || latest > chunk {
		t.Errorf("%d background steps were computed, a foreground step was %v late", computed, latest)
	}
}

// A step that gives way does so for good as often as the owner may want less of it; then it is set aside, before the others,
// until it is done or withdrawn.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := &atomic.Bool{}
		q := newQueue(asked.Store)
		go q.run()
		w := &work{chunks: 10, chunk: time.Millisecond, asked: asked}
		s, foreground := newStep(true, w.compute), newStep(false, func() bool { time.Sleep(time.Millisecond); return false })
		interrupt := func() {
			time.Sleep(2500 * time.Microsecond) // in the midst of a chunk
			q.submit(foreground)
			<-foreground.done
			synctest.Wait()
		}
		submit := func() { w.left.Store(int32(w.chunks)); q.submit(s) }
		for steps := range 3 {
			for i := range patience - min(steps, 1) {
				submit()
				if interrupt(); !<-s.done {
					t.Errorf("the step did not give way for the %d. time", i+1)
				}
			}
			submit()
			interrupt()
			var order []int32
			behind := newStep(true, func() bool { order = append(order, w.left.Load()); return false })
			time.Sleep(2500 * time.Microsecond)
			q.submit(behind)
			interrupt()
			if len(s.done) > 0 || w.left.Load() > 6 {
				t.Fatalf("the step was not set aside: %d of 10 chunks are left", w.left.Load())
			}
			if <-behind.done; <-s.done || !slices.Equal(order, []int32{0}) {
				t.Errorf("the step behind began with %v chunks left of the one that was set aside", order)
			}
		}
		submit()
		interrupt() // gives way for good
		<-s.done
		submit()
		interrupt() // is set aside, and goes on
		if q.withdraw(s); !<-s.done || w.left.Load() == 0 {
			t.Error("a step under way was not withdrawn")
		}
		w.left.Store(int32(w.chunks))
		q.submit(s)
		if <-s.done || w.left.Load() > 0 {
			t.Error("a step was withdrawn by what was asked of the one before")
		}
		q.close()
	})
}

// A turn that a load or a background step has no more use for ends at once.
func TestTurnEndsWithItsLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(func(bool) {})
		go q.run()
		long, short := newStep(false, func() bool { time.Sleep(600 * time.Millisecond); return false }), newStep(false, func() bool { return false })
		q.submit(long)
		go func() {
			q.gate.begin()
			_ = q.gate.run(func() error { time.Sleep(time.Millisecond); return nil })
			q.gate.done()
		}()
		<-long.done
		background := newStep(true, func() bool { time.Sleep(time.Millisecond); return false })
		began := time.Now()
		q.submit(short)
		q.submit(background)
		<-short.done
		if late := time.Since(began); late > 2*time.Millisecond {
			t.Errorf("1 ms of a load and 1 ms of a background step held a step up for %v", late)
		}
		<-background.done
		q.close()
	})
}
