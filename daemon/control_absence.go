package daemon

import (
	"context"
	"errors"
	"time"

	"chimera/api"
)

// This file owns when a control comes back that had no room or had to go: as soon as memory was given back, and else after a pause that doubles, since
// what others take beside the daemon goes without a word. A try that is in vain costs a plan and a line of the log.

// absence is what is known of a control that is not there. Its zero value speaks against nothing. It is behind the lock of runtimes.
type absence struct {
	since time.Time
	pause time.Duration
	freed int64 // runtimes.freed by then
}

const (
	leastAbsence = time.Second
	mostAbsence  = 5 * time.Minute
)

// begin takes note that a control has failed or gone, which was there for so long.
func (a *absence) begin(now time.Time, stayed time.Duration, freed int64) {
	if stayed >= a.pause {
		a.pause = 0
	}
	a.since, a.pause, a.freed = now, min(max(2*a.pause, leastAbsence), mostAbsence), freed
}

// isOver tells whether there may be room again.
func (a *absence) isOver(now time.Time, freed int64) bool {
	gone := now.Sub(a.since)
	return gone >= a.pause || gone >= leastAbsence && freed > a.freed
}

// memoryGivenBack takes note, under the lock, that memory was given back, or that nobody waits for it any more.
func (all *runtimes) memoryGivenBack() {
	all.freed++
	all.notify()
}

// errControlAbsent is told of a control that is not tried again yet.
var errControlAbsent = errors.New("there was no room for the control a moment ago")

// controlInTime is control for the daemon itself, which comes again and again.
func (all *runtimes) controlInTime(ctx context.Context, r *Runtime) (api.Held, error) {
	all.mu.Lock()
	absent := r.beside == nil && !r.absent.isOver(time.Now(), all.freed)
	all.mu.Unlock()
	if absent {
		return api.Held{}, errControlAbsent
	}
	return all.control(ctx, r, all.borrow)
}
