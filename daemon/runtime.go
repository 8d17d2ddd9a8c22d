package daemon

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/measure"
	"chimera/quality/escalate"
	"chimera/scheduler"
)

// This file owns Runtime: one model, from its name in the settings to the requests that hold it.

// Runtime is one model: its file, what it is made of while it is loaded, and who uses it. All of it is behind the lock of runtimes.
//
// configured -> loading -> ready -> draining -> configured; what fails is failed, and loading again when it is wanted and has
// been left alone for a while.
type Runtime struct {
	namedModel
	settings config.Model
	kept     keptPins // has a lock of its own

	state    string   // api's words
	up       *serving // nil: nothing of it is in memory
	holds    int      // requests that hold it
	own      int      // those of them that are the daemon itself
	inFront  int      // those of them that are no background work
	waiters  []*waiter
	load     *loadUnderWay // while it is loading
	took     time.Duration // the last load; 0: there was none
	used     time.Time     // when a request last let go of it
	front    time.Time     // when one that is no background work did
	served   bool          // a request has let go of it since it was loaded
	idle     *time.Timer   // unloads it
	failure  failure
	tier     string // it is served at; while it is not loaded: that it will be loaded at
	manual   bool   // the administrator chose it
	until    *time.Time
	giveBack *time.Timer       // then
	swap     *swap             // to another tier, under way
	ladder   []int64           // see ladderOf; nil: it has not been loaded yet
	keys     map[string]string // see tierKeys; likewise
	events   []api.TierEvent
	watched  watched  // see guardian
	beside   *control // nil: there is none
	edge     *escalate.Rule
	absent   absence // of the control
	// controlProblem is why there was none.
	controlProblem error
	past           scheduler.Snapshot // what its lanes counted that are no more
	// pastSpent is what those were charged, those beside them too; see spent.
	pastSpent   map[measure.Payer]measure.Charge
	pastCrowded time.Duration // see scheduler.Lane.Crowded
}

// serving is what a loaded model is made of.
type serving struct {
	model       *api.Model
	lane        *scheduler.Lane
	loaded      *loader.Loaded
	bytes       int64 // of the device's memory, beside the weights
	since       time.Time
	generations *generations
	ladder      []int64           // see ladderOf
	keys        map[string]string // see tierKeys
	// closing is set before the memory is given back.
	closing bool
	// life ends the requests that hold the model when it goes all the same.
	life context.Context
	end  context.CancelCauseFunc
}

// memory is what the model takes of the device's.
func (up *serving) memory() int64 {
	return up.bytes + up.generations.newest().bytes + up.generations.older()
}

// waiter is a request that waits for the model, or the administrator.
type waiter struct {
	ctx   context.Context
	bytes int
	class scheduler.Class
	done  chan struct{} // closed with one of
	held  api.Held
	err   error
}

// isForeground tells whether somebody waits for the answer.
func isForeground(c scheduler.Class) bool { return c != scheduler.Background }

func (w *waiter) isForeground() bool { return isForeground(w.class) }

// failure is why a model is not loaded any more, or could not be.
type failure struct {
	err   error
	times int // in a row
	again time.Time
}

// A model that has failed is left alone for so long, twice as long each time: who asks every second must not have gigabytes read
// every second.
const firstBackOff, longestBackOff = time.Second, time.Minute

func (f *failure) note(err error) {
	f.times++
	f.err, f.again = err, time.Now().Add(min(firstBackOff<<min(f.times-1, 16), longestBackOff))
}

// answer is what a request gets that asks for a model which has failed.
func (r *Runtime) answer() error {
	rest := max(0, time.Until(r.failure.again))
	if full := (*loader.NoRoomError)(nil); errors.As(r.failure.err, &full) {
		return api.NoRoom(r.name, full, rest)
	}
	return api.Failed(r.name, r.failure.err, rest)
}

// loadUnderWay is a load, from the time that it is wanted on.
type loadUnderWay struct {
	began  atomic.Pointer[time.Time] // nil: it is behind others
	read   atomic.Int64              // of a million parts of the weights
	cancel context.CancelCauseFunc   // nil: as above
	memory time.Duration             // what the load before took
	front  bool                      // more than background work wants it
	plan   *engine.Plan              // what it waits for room for
	reads  bool                      // it has room, and keeps others from reading
}

const allParts = 1_000_000

// progress notes how much has been read; see engine.LoadOptions.
func (l *loadUnderWay) progress(done, total int64) {
	if total > 0 {
		l.read.Store(int64(min(max(allParts*(float64(done)/float64(total)), 0), allParts)))
	}
}

// percent is how much has been read.
func (l *loadUnderWay) percent() int { return int(l.read.Load() * 100 / allParts) }

// rest is how long the load may still take; 0 where nobody knows.
func (l *loadUnderWay) rest() time.Duration {
	began, read := l.began.Load(), l.read.Load()
	if began == nil {
		return l.memory
	}
	so := time.Since(*began)
	if read > 0 {
		return time.Duration(math.Round(float64(so) * float64(allParts-read) / float64(read)))
	}
	return max(0, l.memory-so)
}

// holder has a model held: by a client (as), or by the daemon itself (borrow).
type holder func(r *Runtime, ctx context.Context) api.Held

// as is grant for requests of a class.
func (all *runtimes) as(class scheduler.Class) holder {
	return func(r *Runtime, ctx context.Context) api.Held { return all.grant(r, ctx, class) }
}

// grant gives a request the model, which is ready.
func (all *runtimes) grant(r *Runtime, ctx context.Context, class scheduler.Class) api.Held {
	front := isForeground(class)
	if front {
		r.inFront++
	}
	all.trials.giveWay(class)
	up := r.up
	return all.hold(r, ctx, func() { all.release(r, up, front) })
}

// borrow gives the daemon itself a model that is ready, for what it measures. The model is not unloaded meanwhile, and nobody has used it: it goes when it
// would have gone without.
func (all *runtimes) borrow(r *Runtime, ctx context.Context) api.Held {
	r.own++
	return all.hold(r, ctx, func() {
		r.own--
		all.letGoOf(r)
	})
}

// hold keeps a model until its release, of which released takes note under the lock.
func (all *runtimes) hold(r *Runtime, ctx context.Context, released func()) api.Held {
	r.holds++
	if r.idle != nil {
		r.idle.Stop()
	}
	up := r.up
	ctx, cancel := context.WithCancelCause(ctx)
	detach := context.AfterFunc(up.life, func() { cancel(context.Cause(up.life)) })
	return api.Held{Model: up.model, Context: ctx, Release: sync.OnceFunc(func() {
		detach()
		cancel(nil)
		all.mu.Lock()
		defer all.mu.Unlock()
		released()
	})}
}

// release takes note that a client lets go of a model.
func (all *runtimes) release(r *Runtime, up *serving, front bool) {
	r.used = time.Now()
	if front {
		r.inFront--
		r.front = r.used
		all.trials.left = r.used
	}
	if r.state == api.StateReady && r.up == up {
		r.served, r.failure = true, failure{}
	}
	all.letGoOf(r)
	if front && r.inFront == 0 {
		all.notify()
	}
}

// letGoOf takes note that one holds a model no more.
func (all *runtimes) letGoOf(r *Runtime) {
	if r.holds--; r.holds == 0 {
		all.notify()
	}
	if r.state == api.StateReady {
		all.watchIdle(r)
	}
}

// watchIdle has a model that nobody holds unloaded when its time is up, counted from when a client last used it.
func (all *runtimes) watchIdle(r *Runtime) {
	keep := r.settings.KeepAlive.Duration
	if keep == 0 || r.holds > 0 || r.settings.Pin {
		return
	}
	up := r.up
	if r.idle != nil {
		r.idle.Stop()
	}
	r.idle = time.AfterFunc(max(0, keep-time.Since(r.used)), func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if r.up == up && r.state == api.StateReady && r.holds == 0 && time.Since(r.used) >= keep {
			all.empty(r, "nobody has used it for "+r.settings.KeepAlive.String())
		}
	})
}

// becomeReady shows a model that has been loaded to those who wait for it. They hold it from here on, so that it does not go before
// the first of them has run.
func (all *runtimes) becomeReady(r *Runtime, up *serving) {
	if r.load.front {
		r.front = time.Now()
	}
	r.ladder, r.keys = up.ladder, up.keys
	r.up, r.state, r.served, r.used, r.load, r.took = up, api.StateReady, false, up.since, nil, time.Since(up.since)
	up.since = time.Now()
	r.used = up.since
	up.lane.Govern(all.governance)
	up.lane.SetITL(all.itl)
	all.serveWaiters(r)
	all.guardian.look()
	all.notify()
}

// serveWaiters gives the model to all that wait for it.
func (all *runtimes) serveWaiters(r *Runtime) {
	for _, w := range r.takeWaiters() {
		w.held = all.grant(r, w.ctx, w.class)
		close(w.done)
	}
	all.watchIdle(r)
}

// takeWaiters is all that wait, who wait no more.
func (r *Runtime) takeWaiters() []*waiter {
	list := r.waiters
	r.waiters = nil
	return list
}

// refuse tells all that wait why they wait in vain.
func (r *Runtime) refuse(err error) {
	for _, w := range r.takeWaiters() {
		w.err = err
		close(w.done)
	}
}

// fail takes note that a model could not be loaded, or that its lane broke.
func (all *runtimes) fail(r *Runtime, err error) {
	r.failure.note(err)
	r.state, r.load = api.StateFailed, nil
	r.refuse(r.answer())
}

// stillLoading is what a request gets whose time is up.
func (r *Runtime) stillLoading() error {
	if r.load == nil { // it is being unloaded, and is loaded again then
		return api.Loading(r.name, 0, r.took)
	}
	return api.Loading(r.name, r.load.percent(), r.load.rest())
}

// describe says how the model is doing.
func (r *Runtime) describe() api.ModelState {
	s := api.ModelState{Name: r.name, State: r.state, Waiting: len(r.waiters)}
	if r.controlProblem != nil {
		s.NoControl = r.controlProblem.Error()
	}
	switch {
	case r.load != nil:
		s.Percent = new(r.load.percent())
	case r.state == api.StateFailed:
		s.Problem = r.failure.err.Error()
	}
	if r.up != nil {
		now := r.up.lane.Snapshot()
		s.Running, s.Waiting, s.Own, s.Memory = now.Running, s.Waiting+now.Waiting, api.OwnRequests(now.Own), r.up.memory()
		if cost := r.up.lane.Cost(); cost.Steps > 0 {
			s.Cost = &cost
		}
		if r.holds == r.own && now.Running+now.Waiting == 0 {
			s.Idle = new(time.Since(r.used).Round(time.Millisecond).Seconds())
		}
	}
	return s
}

// counts is what the model's lanes have counted, and how the one that runs is doing.
func (r *Runtime) counts() scheduler.Snapshot {
	now := scheduler.Snapshot{}
	if r.up != nil {
		now = r.up.lane.Snapshot()
	}
	now = withCounters(now, r.past)
	now.Waiting += len(r.waiters)
	return now
}

// withCounters adds what another lane has counted.
func withCounters(s, other scheduler.Snapshot) scheduler.Snapshot {
	s.PrefillTokens += other.PrefillTokens
	s.DecodeTokens += other.DecodeTokens
	s.DiscardedTokens += other.DiscardedTokens
	s.PrefixTokens += other.PrefixTokens
	s.CopiedPages += other.CopiedPages
	s.Steps += other.Steps
	s.Preemptions += other.Preemptions
	s.Aborts += other.Aborts
	return s
}
