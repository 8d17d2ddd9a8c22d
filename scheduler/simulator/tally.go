package simulator

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"chimera/engine"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns counting what becomes of requests while a simulation runs.

// window is how long the device's work is looked at for fairness: long against a step, short against a flood.
const window = 10 * time.Second

// tally is what has been seen so far.
type tally struct {
	objectives  Objectives
	all         group
	classes     map[scheduler.Class]*group
	tenants     map[string]*group
	refusals    Refusals
	queue, runs float64 // requests x seconds
	longest     int     // queue
	seconds     float64
	began       time.Time // the first arrival
	opened      time.Time // the present window
	jain, least []float64 // of windows
	lastAt      time.Time
}

// group is what is counted of some requests.
type group struct {
	requests, answered, good int
	prompt, cached, answer   int // tokens
	ttft, itl, e2e, wait     histogram
	waiting                  int     // for their first token
	service                  float64 // tokens in the present window
	backlogged               bool    // in all of it
}

// Refusals are requests that got no answer.
type Refusals struct {
	Queue    int `json:"queue_full"`
	Wait     int `json:"long_wait"` // foreseen: longer than wait_ms
	TooLong  int `json:"too_long"`
	Deadline int `json:"deadline"` // foreseen, or passed in the queue
	Other    int `json:"other"`
}

func newTally(o Objectives, t *trace.Trace, began time.Time) *tally {
	a := &tally{objectives: o, classes: map[scheduler.Class]*group{}, tenants: map[string]*group{}, began: began, opened: began}
	for i := range t.Requests {
		r := &t.Requests[i]
		for _, g := range a.groups(r) {
			g.requests++
		}
	}
	return a
}

// groups are those that a request belongs to.
func (a *tally) groups(r *trace.Request) [3]*group {
	if a.classes[r.Class] == nil {
		a.classes[r.Class] = &group{}
	}
	if a.tenants[r.Tenant] == nil {
		a.tenants[r.Tenant] = &group{}
	}
	return [3]*group{&a.all, a.classes[r.Class], a.tenants[r.Tenant]}
}

func (a *tally) refused(r *trace.Request, err error) {
	var long *engine.TooLongError
	switch {
	case errors.Is(err, scheduler.ErrLongWait): // before what it is, too
		a.refusals.Wait++
	case errors.Is(err, scheduler.ErrQueueFull):
		a.refusals.Queue++
	case errors.Is(err, scheduler.ErrDeadline):
		a.refusals.Deadline++
	case errors.As(err, &long):
		a.refusals.TooLong++
	default:
		a.refusals.Other++
	}
}

func (a *tally) arrived(r *trace.Request, now time.Time) {
	a.turnWindow(now)
	a.tenants[r.Tenant].waiting++
}

// token counts one of an answer. The first one stands for the work on its prompt, too.
func (a *tally) token(r *request, now time.Time) {
	a.turnWindow(now)
	groups := a.groups(&r.Request)
	tenant := groups[2]
	tenant.service++
	if r.tokens == 0 {
		r.first = now
		tenant.waitsNoLonger()
		tenant.service += float64(r.Prompt - r.seq.Cached())
	}
	for _, g := range groups {
		g.answer++
		if r.tokens == 0 {
			g.ttft.add(now.Sub(epoch.Add(r.At)))
			g.wait.add(r.seq.Waited())
			g.prompt += r.Prompt
			g.cached += r.seq.Cached()
		} else {
			g.itl.add(now.Sub(r.last))
		}
	}
	r.last = now
	r.tokens++
}

func (a *tally) ended(r *request, now time.Time, err error) {
	a.turnWindow(now)
	groups := a.groups(&r.Request)
	if r.tokens == 0 {
		groups[2].waitsNoLonger()
	}
	if err != nil {
		a.refused(&r.Request, err)
		return
	}
	a.lastAt = now
	for _, g := range groups {
		g.answered++
		g.e2e.add(now.Sub(epoch.Add(r.At)))
		if a.good(r) {
			g.good++
		}
	}
}

// waitsNoLonger is of one of a tenant's requests.
func (g *group) waitsNoLonger() {
	if g.waiting--; g.waiting == 0 {
		g.backlogged = false
	}
}

// good tells whether an answer has kept the objectives. A request's own deadline is its objective: who allows five seconds and has a token
// after four was served well, and who allows one was not after two.
func (a *tally) good(r *request) bool {
	if r.tokens == 0 { // the prompt was all
		return true
	}
	within := a.objectives.TTFT
	if r.Deadline > 0 {
		within = r.Deadline
	}
	mean := r.last.Sub(r.first) / time.Duration(max(r.tokens-1, 1))
	return r.first.Sub(epoch.Add(r.At)) <= within && mean <= a.objectives.ITL
}

// lasted counts a time in which nothing was admitted.
func (a *tally) lasted(d time.Duration, s scheduler.Snapshot) {
	a.seconds += d.Seconds()
	a.queue += d.Seconds() * float64(s.Waiting)
	a.runs += d.Seconds() * float64(s.Running)
	a.longest = max(a.longest, s.Waiting)
}

// turnWindow closes the windows that have passed: of those in which several tenants had somebody waiting for a first token
// all the time, it keeps how evenly they were served. Who waits for nothing has all that he asked for, however little.
func (a *tally) turnWindow(now time.Time) {
	if now.Sub(a.opened) < window {
		return
	}
	var served []float64
	for _, name := range sortedKeys(a.tenants) {
		t := a.tenants[name]
		if t.backlogged {
			served = append(served, t.service)
		}
		t.service, t.backlogged = 0, t.waiting > 0
	}
	if len(served) > 1 {
		a.jain, a.least = append(a.jain, jain(served)), append(a.least, leastShare(served))
	}
	a.opened = now
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(max(len(x), 1))
}
