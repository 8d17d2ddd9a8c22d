package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/quality/escalate"
	"chimera/quality/tier"
	"chimera/scheduler"
	"chimera/webhook"
)

// This file owns the models together: who may have which, what the endpoints see of them, and their end.

// runtimes are all models of the settings, on one device. It is what the endpoints know as api.Registry and api.Models.
//
// One model is loaded at a time: two loads would share disk and cores, and both be late. Only what waits for room lets others pass; see
// makeRoom.
type runtimes struct {
	config    config.Config
	list      []*Runtime
	residence time.Duration // see Runtime.residence
	drain     time.Duration // how long requests may go on whose model is to go
	promised  func() int64  // memory that is planned and not taken yet; see memoryPromised
	pins      []config.Pin  // of the first model
	history   *history      // that decisions are written to; nil: none is kept
	guardian  *guardian     // nil: nobody watches, in tests
	live      *liveGroup
	trials    experiments
	shelf     *tier.Shelf                                        // where tiers are kept; nil: nowhere
	spoil     func(tier string, w engine.Weights) engine.Weights // of a test: what is made of a tier instead; else nil
	ended     func(api.Ended)                                    // is told of requests; nil: nobody asks
	contexts  int                                                // of each pool; 0: as many as one model alone has; see share

	mu         sync.Mutex
	device     *heldDevice // nil: it is not open yet, and nothing is loaded
	queue      []*Runtime  // that are wanted and not being loaded yet, the first wanted first
	busy       *Runtime    // that is being loaded and does not wait for room
	short      []*Runtime  // that are being loaded and wait for room, in the order in which they began to
	waiting    int         // bytes that requests hold while they wait for models
	governance scheduler.Governance
	itl        time.Duration // that steps of all lanes may take
	shadows    int64         // bytes of tiers beside those that serve
	asides     []*shadow     // those tiers
	freed      int64         // how often memory was given back; see memoryGivenBack
	announced  bool          // the service manager was told that the daemon is ready
	closed     bool          // nobody is let in any more
	ending     bool          // nobody is waited for any more
	changed    chan struct{} // see change
	work       sync.WaitGroup
	alarms     alarms
	scores     scores
	drifts     drifts
	webhook    *webhook.Sender // nil: nobody is told of alarms
	goldens    goldens
	measuring  chan struct{} // (1), full while somebody measures how good a model is
	reading    chan struct{} // (1), full while a load that has room reads its weights
}

// leastResidence is that of models which load in moments: a few requests at least are answered between two loads.
const leastResidence = 10 * time.Second

// newRuntimes are the models of the settings, those that are loaded at the start in the queue.
func newRuntimes(c config.Config, names []namedModel) *runtimes {
	all := &runtimes{config: c, residence: leastResidence, drain: drainTime, reading: make(chan struct{}, 1), measuring: make(chan struct{}, 1)}
	all.live = newLive(all, &c)
	all.trials.all = all
	all.promised = func() int64 { return loader.MemoryPromised(loader.HeapBytes(&c)) }
	for i, named := range names {
		r := &Runtime{namedModel: named, settings: c.Model[i], state: api.StateConfigured, tier: c.Tiers.First(), edge: escalate.New(c.Quality.EdgeBudget)}
		all.list = append(all.list, r)
		if r.atStart() {
			all.want(r)
		}
	}
	return all
}

func (r *Runtime) atStart() bool { return r.settings.Load == config.LoadAtStart }

// find is the model of a name, the first for ""; nil: there is none.
func (all *runtimes) find(name string) *Runtime {
	if name == "" {
		return all.list[0]
	}
	if i := slices.IndexFunc(all.list, func(r *Runtime) bool { return r.name == name }); i >= 0 {
		return all.list[i]
	}
	return nil
}

// Hold implements api.Registry.
func (all *runtimes) Hold(ctx context.Context, name string, w api.Wait) (api.Held, error) {
	all.mu.Lock()
	r := all.find(name)
	if r == nil {
		all.mu.Unlock()
		return api.Held{}, api.ErrNoModel
	}
	held, in, err := all.admit(ctx, r, w)
	all.mu.Unlock()
	if in == nil {
		return held, err
	}
	return all.wait(r, in, w.Patience)
}

// admit gives a request its model, refuses it, or lets it wait.
func (all *runtimes) admit(ctx context.Context, r *Runtime, w api.Wait) (api.Held, *waiter, error) {
	switch {
	case all.closed:
		return api.Held{}, nil, scheduler.ErrDraining
	case r.state == api.StateReady:
		return all.grant(r, ctx, w.Class), nil, nil
	case r.state == api.StateFailed && time.Now().Before(r.failure.again):
		return api.Held{}, nil, r.answer()
	case len(r.waiters) >= all.config.QueueLength || all.waiting+w.Bytes > mostWaiting*all.config.MaxBody:
		rest := r.took
		if r.load != nil {
			rest = r.load.rest()
		}
		return api.Held{}, nil, api.TooManyWait(r.name, rest)
	}
	return api.Held{}, all.enqueue(ctx, r, w), nil
}

// mostWaiting is how many of the largest bodies wait for models together: half of what may be held, so that what is loaded can be
// asked meanwhile.
const mostWaiting = 2

// enqueue lets somebody wait for a model, and has it loaded.
func (all *runtimes) enqueue(ctx context.Context, r *Runtime, asks api.Wait) *waiter {
	w := &waiter{ctx: ctx, bytes: asks.Bytes, class: asks.Class, done: make(chan struct{})}
	r.waiters = append(r.waiters, w)
	all.waiting += w.bytes
	all.trials.giveWay(w.class)
	all.want(r)
	if r.load != nil && !r.load.front && w.isForeground() {
		r.load.front = true
		all.notify() // it may have others unloaded now
	}
	return w
}

// wait waits for a model, as long as patience, or for ever where that is 0.
func (all *runtimes) wait(r *Runtime, w *waiter, patience time.Duration) (api.Held, error) {
	var up <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		up = t.C
	}
	select {
	case <-w.done:
	case <-up:
	case <-w.ctx.Done():
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.waiting -= w.bytes
	select {
	case <-w.done: // also where it came at the same moment
		return w.held, w.err
	default:
	}
	r.waiters = slices.DeleteFunc(r.waiters, func(other *waiter) bool { return other == w })
	if err := w.ctx.Err(); err != nil {
		return api.Held{}, err
	}
	return api.Held{}, r.stillLoading()
}

// Lookup implements api.Registry.
func (all *runtimes) Lookup(name string) (*api.Model, bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(name)
	if r == nil || r.up == nil || r.state != api.StateReady {
		return nil, r != nil
	}
	return r.up.model, true
}

// Names implements api.Registry.
func (all *runtimes) Names() (list []string) {
	for _, r := range all.list {
		list = append(list, r.name)
	}
	return list
}

// States implements api.Registry.
func (all *runtimes) States() (list []api.ModelState) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		s := r.describe()
		if all.closed && s.State == api.StateReady {
			s.State = api.StateDraining
		}
		list = append(list, s)
	}
	return list
}

// Lanes is what the models' lanes count, for the metrics.
func (all *runtimes) Lanes() (list []api.LaneState) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		list = append(list, api.LaneState{Model: r.name, Snapshot: r.counts()})
	}
	return list
}

// State tells why the daemon does not serve: it ends, a model that is to be there from the start is on its way, or those that were
// to be there have failed and none is.
func (all *runtimes) State() error {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.closed {
		return scheduler.ErrDraining
	}
	var failed error
	for _, r := range all.list {
		switch {
		case r.atStart() && r.state == api.StateLoading:
			return r.stillLoading()
		case r.atStart() && r.state == api.StateFailed && failed == nil:
			failed = r.failure.err
		}
	}
	if slices.ContainsFunc(all.list, func(r *Runtime) bool { return r.state == api.StateReady }) {
		return nil
	}
	return failed
}

// Govern asks all lanes, those to come too, to admit less.
func (all *runtimes) Govern(g scheduler.Governance) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.governance = g
	for _, r := range all.list {
		if r.up != nil {
			r.up.lane.Govern(g)
		}
	}
}

// setITL says what a step may take while somebody is being answered, in all lanes, those to come too.
func (all *runtimes) setITL(itl time.Duration) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.itl = itl
	for _, r := range all.list {
		if r.up != nil {
			r.up.lane.SetITL(itl)
		}
	}
}

// change is closed when a model goes, or is held by nobody any more.
func (all *runtimes) change() <-chan struct{} {
	if all.changed == nil {
		all.changed = make(chan struct{})
	}
	return all.changed
}

func (all *runtimes) notify() {
	if all.changed != nil {
		close(all.changed)
		all.changed = nil
	}
}

// until waits, under the lock, until something holds.
func (all *runtimes) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		changed := all.change()
		all.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		all.mu.Lock()
		if ctx.Err() != nil && !holds() {
			return context.Cause(ctx)
		}
	}
	return nil
}

// refuseAll lets nobody in any more, and ends a load under way. What is held goes on. loaded tells whether there is a model that may
// be held.
func (all *runtimes) refuseAll() (loaded bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.closed = true
	all.queue = nil
	all.trials.stop(scheduler.ErrDraining)
	for _, r := range all.list {
		if r.load != nil && r.load.cancel != nil {
			r.load.cancel(scheduler.ErrDraining)
		} else if r.state == api.StateLoading {
			r.state, r.load = api.StateConfigured, nil
		}
		if r.idle != nil {
			r.idle.Stop()
		}
		if r.swap != nil {
			r.swap.end(scheduler.ErrDraining)
		}
		r.watched.stop(scheduler.ErrDraining)
		if r.giveBack != nil {
			r.giveBack.Stop()
		}
		r.refuse(scheduler.ErrDraining)
		loaded = loaded || r.up != nil
	}
	return loaded
}

// cutOff ends what runs, at once.
func (all *runtimes) cutOff() {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.device != nil {
		all.device.stop()
	}
}

// leaveTime is how long the end waits for a load under way, which ends with the piece that it reads. What hangs in a disk is left to
// the end of the process.
const leaveTime = 5 * time.Second
