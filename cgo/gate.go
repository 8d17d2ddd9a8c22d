//go:build cgo

package cgo

import (
	"runtime"
	"sync"
	"time"
)

// This file owns the gate: how background chunks (packing weights) get on beside steps.

const (
	// A load gets a seventh of the time while the device serves: a sixth of what each foreground step took is spent
	// between it and the next, so that a load ends whatever is served. With what the last chunk of a turn takes too
	// long, and with caches that are cold behind it, tokens come 1.2 to 1.3 times as late, and in the 99th percentile
	// less than the 1.5 times that are allowed; with a quarter they don't.
	turnShare = 6
	// chunkLimit is what a chunk may take that computes; one that waits for its disk is not waited for.
	chunkLimit = time.Millisecond
	// linger is how long the device counts as serving after a foreground step: longer than a scheduler
	// takes to plan the next, shorter than anybody waits for.
	linger = 5 * time.Millisecond
)

// gate lets background chunks pass: freely while the device does not serve, else in turns between two foreground
// steps, all that wait at once, so that they have the cores which the steps leave.
//
// Rejected: chunks beside the steps, on the same cores. A worker that is put off its core for a millisecond holds up
// all others at the next barrier, so what a chunk takes is paid for by every core. Rejected too: low priority for the
// loading threads alone, under which a load does not end while the device is busy.
type gate struct {
	mu         sync.Mutex
	foreground int           // foreground steps that are queued or under way
	idleSince  time.Time     // since when there are none
	earned     credit        // that turns may take
	turnEnds   time.Time     // until when chunks may begin beside foreground steps
	loads      int           // that have chunks to come
	chunks     int           // under way
	waiting    int           // at the gate
	opened     chan struct{} // closed to let those through
	quiet      chan struct{} // (1) the last chunk of a turn has ended
}

func (g *gate) init() {
	g.earned.share = turnShare
	g.opened, g.quiet = make(chan struct{}), make(chan struct{}, 1)
}

// begin says that a load's chunks are coming, until done.
func (g *gate) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loads++
}

// done ends a turn that nobody has a use for any more.
func (g *gate) done() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loads--
	g.quieten(time.Now())
}

// run computes one chunk of a load, of at most chunkLimit, when it may.
func (g *gate) run(chunk func() error) error {
	runtime.Gosched() // chunks of C and of system calls come back without a look at who else wants the processor
	g.pass()
	defer g.leave()
	return chunk()
}

func (g *gate) pass() {
	for {
		opened, passed := g.tryPass()
		if passed {
			return
		}
		timeout := time.NewTimer(linger)
		select {
		case <-opened:
			timeout.Stop()
			return
		case <-timeout.C:
			if g.stopWaiting(opened) {
				return
			}
		}
	}
}

// tryPass counts the caller among the chunks under way, or among those that wait for opened.
func (g *gate) tryPass() (opened chan struct{}, passed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.serves(now) || now.Before(g.turnEnds) {
		g.chunks++
		return nil, true
	}
	g.waiting++
	g.quieten(now)
	return g.opened, false
}

// serving tells whether there are foreground steps, or were just now.
func (g *gate) serving() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.serves(time.Now())
}

func (g *gate) serves(now time.Time) bool { return g.foreground > 0 || now.Sub(g.idleSince) < linger }

// quieten tells turn, which may wait for it, that no chunk is under way and none begins any more.
func (g *gate) quieten(now time.Time) {
	if g.chunks > 0 || g.loads > 0 && now.Before(g.turnEnds) {
		return
	}
	select {
	case g.quiet <- struct{}{}:
	default:
	}
}

// stopWaiting takes the caller out of those that wait, if a turn did not let it pass just now.
func (g *gate) stopWaiting(opened chan struct{}) (passed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != opened {
		return true
	}
	g.waiting--
	return false
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.chunks--
	g.quieten(time.Now())
}

// arrive counts a foreground step that was submitted.
func (g *gate) arrive() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.serves(time.Now()) {
		g.earned.saved = 0
	}
	g.foreground++
}

// end counts a foreground step that took so long.
func (g *gate) end(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.foreground--
	g.idleSince = time.Now()
	g.earned.earn(took)
}

// turn comes before each foreground step. It holds the step up while chunks use what the steps before left them.
func (g *gate) turn() {
	began, lasts := g.openTurn()
	if lasts == 0 {
		return
	}
	timeout := time.NewTimer(lasts + chunkLimit)
	select {
	case <-g.quiet:
		timeout.Stop()
	case <-timeout.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turnEnds = time.Time{}
	g.earned.spend(time.Since(began))
}

// openTurn lets those pass that wait, and all until the turn ends.
func (g *gate) openTurn() (began time.Time, lasts time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting == 0 || !g.earned.enough() {
		return began, 0
	}
	select {
	case <-g.quiet: // of chunks that were not waited for
	default:
	}
	began, lasts = time.Now(), g.earned.saved
	g.turnEnds = began.Add(lasts)
	g.chunks, g.waiting = g.chunks+g.waiting, 0
	close(g.opened)
	g.opened = make(chan struct{})
	return began, lasts
}
