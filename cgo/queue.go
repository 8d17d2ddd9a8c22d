//go:build cgo

package cgo

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// This file owns the queue of a device's steps: which is next, and when one gives way.

// step is one step of an instance on its way through the queue. An instance has one, and uses it again.
type step struct {
	background bool
	compute    func() (gaveWay bool) // or goes on where it gave way
	done       chan bool             // (1) whether it gave way for good

	// The queue's lock guards these.
	aborts    int  // how often the owner's steps gave way for good, less one for each that was computed: who plans more then is halved once
	setAside  bool // it gave way, and goes on from there
	withdrawn bool
}

const (
	// A background step that gives way is planned again by its owner, who may want less of it: half as much, and without
	// those who have gone. After two of them no less will do, so what it computed is kept from then on.
	patience = 2
	// Background steps get a seventeenth of the time of a device that serves without a pause. What a foreground step waits for them
	// is a sixteenth of the one before it, or shortestTurn: less than 2 ms behind the step of a decoding model.
	backgroundShare = 16
)

// queue computes the steps of a device's instances one at a time, foreground steps in the order of Submit, background
// ones when there is no foreground step, in theirs.
//
// A background step that is under way when a foreground step comes is asked to give way. At first its owner plans it again, and it
// does not stay at the head of the queue. One that would never end so is set aside instead and goes on between foreground steps; where
// they leave no time, in turns that it has earned.
//
// Rejected: to let such a step run to its end. It reads all weights of its model, for which tens of foreground steps would
// wait, be it of one row.
type queue struct {
	giveWay func(asked bool) // the background step under way; called in order with the steps' starts
	gate    gate

	mu         sync.Mutex
	changed    *sync.Cond
	foreground []*step
	background []*step
	running    *step
	inTurn     bool // the background step that runs has earned it
	earned     credit
	closed     bool
	exited     chan struct{}
}

func newQueue(giveWay func(asked bool)) *queue {
	q := &queue{giveWay: giveWay, earned: credit{share: backgroundShare}, exited: make(chan struct{})}
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
	s.setAside, s.withdrawn = false, false
	if s.background {
		q.background = append(q.background, s)
	} else {
		q.foreground = append(q.foreground, s)
		if q.running != nil && q.running.background && !q.inTurn {
			q.giveWay(true)
		}
	}
	q.changed.Signal()
}

// withdraw ends s as a step that gave way for good, if it is a background step that is not done: its owner leaves, and it might wait
// for as long as others are served.
func (q *queue) withdraw(s *step) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.background, s); i >= 0 {
		q.background = slices.Delete(q.background, i, i+1)
		s.done <- true
	} else if q.running == s && s.background {
		s.withdrawn = true
		q.giveWay(true)
	}
}

// run computes steps until the queue is closed, and works along: it stays on one thread, which is worker 0.
func (q *queue) run() {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	defer close(q.exited)
	for s := q.next(); s != nil; s = q.next() {
		if s.background {
			began := time.Now()
			gaveWay := s.compute()
			q.leave(s, gaveWay, func() { q.earned.forget(time.Since(began)) })
			continue
		}
		q.gate.turn()
		q.turn(s)
		began := time.Now()
		s.compute()
		took := time.Since(began)
		q.gate.end(took)
		q.leave(s, false, func() { q.earned.earn(took) })
	}
}

// next waits for a step and takes it, or returns nil when the queue is closed.
func (q *queue) next() *step {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case len(q.foreground) > 0:
			return q.start(take(&q.foreground))
		case len(q.background) > 0:
			return q.start(take(&q.background))
		case q.closed:
			return nil
		}
		q.changed.Wait()
	}
}

// start makes s the step under way, of which nothing has been asked.
func (q *queue) start(s *step) *step {
	q.running = s
	q.giveWay(false)
	return s
}

// take takes the first step out of a list, which stays where it is.
func take(steps *[]*step) *step {
	first := (*steps)[0]
	*steps = slices.Delete(*steps, 0, 1)
	return first
}

// turn comes before each foreground step. It holds the step up while the first background step goes on for as long as those
// before have left it.
func (q *queue) turn(foreground *step) {
	s, lasts := q.beginTurn()
	if s == nil {
		return
	}
	began := time.Now()
	end := time.AfterFunc(lasts, func() { q.endTurn(s) })
	gaveWay := s.compute()
	end.Stop()
	q.leave(s, gaveWay, func() {
		q.inTurn = false
		q.earned.spend(time.Since(began))
		q.start(foreground)
	})
}

func (q *queue) beginTurn() (s *step, lasts time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.background) == 0 || !q.earned.enough() {
		return nil, 0
	}
	q.inTurn = true
	return q.start(take(&q.background)), q.earned.saved
}

func (q *queue) endTurn(s *step) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running == s && q.inTurn {
		q.giveWay(true)
	}
}

// leave ends a step's run; account says what it was worth.
func (q *queue) leave(s *step, gaveWay bool, account func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = nil
	if gaveWay && q.keeps(s) {
		s.setAside = true
		q.background = slices.Insert(q.background, 0, s)
	} else {
		q.finish(s, gaveWay)
	}
	account()
}

// keeps tells whether what s computed until it gave way is not thrown away.
func (q *queue) keeps(s *step) bool {
	return !s.withdrawn && (s.setAside || q.inTurn || s.aborts >= patience)
}

func (q *queue) finish(s *step, gaveWay bool) {
	if gaveWay {
		s.aborts++
	} else {
		s.aborts = max(s.aborts-1, 0)
	}
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
