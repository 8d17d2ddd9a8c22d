//go:build cgo

package cgo

import (
	"runtime"
	"sync"
	"time"
)

// This file owns the queue of a device's steps: which is next, and when one gives way.

// step is one step of an instance on its way through the queue. An instance has one, and uses it again.
type step struct {
	background bool
	compute    func() (gaveWay bool)
	done       chan bool // (1) what compute returned
}

// queue computes the steps of a device's instances one at a time, foreground steps in the order of Submit, background
// ones when there is no foreground step, in theirs.
//
// A background step that is under way when a foreground step comes is asked to give way, and its owner plans it
// again. It does not stay at the head of the queue: what it would compute next is for the owner to say, who may want
// less of it.
type queue struct {
	giveWay func(asked bool) // the background step under way; called in order with the steps' starts
	gate    gate

	mu         sync.Mutex
	changed    *sync.Cond
	foreground []*step
	background []*step
	running    *step
	closed     bool
	exited     chan struct{}
}

func newQueue(giveWay func(asked bool)) *queue {
	q := &queue{giveWay: giveWay, exited: make(chan struct{})}
	q.changed = sync.NewCond(&q.mu)
	q.gate.init()
	return q
}

// submit queues s, whose done gets its outcome.
func (q *queue) submit(s *step) {
	if !s.background {
		q.gate.arrive()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.background {
		q.background = append(q.background, s)
	} else {
		q.foreground = append(q.foreground, s)
		if q.running != nil && q.running.background {
			q.giveWay(true)
		}
	}
	q.changed.Signal()
}

// run computes steps until the queue is closed, and works along: it stays on one thread, which is worker 0.
func (q *queue) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	defer close(q.exited)
	for s := q.next(); s != nil; s = q.next() {
		if s.background {
			q.finish(s, s.compute())
			continue
		}
		q.gate.turn()
		began := time.Now()
		gaveWay := s.compute()
		q.gate.end(time.Since(began))
		q.finish(s, gaveWay)
	}
}

// next waits for a step and takes it, or returns nil when the queue is closed.
func (q *queue) next() *step {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case len(q.foreground) > 0:
			q.running = take(&q.foreground)
		case len(q.background) > 0:
			q.running = take(&q.background)
		case q.closed:
			return nil
		default:
			q.changed.Wait()
			continue
		}
		q.giveWay(false) // what was asked of the step before
		return q.running
	}
}

// take takes the first step out of a list, which stays where it is.
func take(steps *[]*step) *step {
	first := (*steps)[0]
	n := copy(*steps, (*steps)[1:])
	(*steps)[n] = nil
	*steps = (*steps)[:n]
	return first
}

func (q *queue) finish(s *step, gaveWay bool) {
	q.mu.Lock()
	q.running = nil
	q.mu.Unlock()
	s.done <- gaveWay
}

// close ends run when no step is left.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Signal()
	q.mu.Unlock()
	<-q.exited
}
