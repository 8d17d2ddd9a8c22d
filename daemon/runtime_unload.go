package daemon

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"chimera/api"
	"chimera/scheduler"
	"chimera/weights"
)

// This file owns taking a model down, alone or with all others.

// Unload implements api.Models. It ends a load; what is loaded goes when its requests have ended, pinned or not. Requests that come
// meanwhile wait until it has gone, and have it loaded again.
func (all *runtimes) Unload(ctx context.Context, name string) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(name)
	switch {
	case r == nil:
		return api.ErrNoModel
	case r.state == api.StateLoading:
		return all.unwant(ctx, r)
	case r.state == api.StateFailed:
		r.state, r.failure = api.StateConfigured, failure{}
		if r.up != nil {
			r.state = api.StateDraining
		}
	case r.state == api.StateReady, r.state == api.StateDraining && r.swap != nil && r.swap.drains && r.swap.back == "":
		if r.swap != nil {
			r.swap.drains = false // whoever waits for that gives it up
		}
		all.empty(r, "it was asked for")
	}
	up := r.up
	return all.until(ctx, func() bool { return up == nil || r.up != up })
}

// unwant ends a load, also one that waits behind others.
func (all *runtimes) unwant(ctx context.Context, r *Runtime) error {
	l := r.load
	if l.cancel != nil {
		l.cancel(api.Unloaded(r.name))
		return all.until(ctx, func() bool { return r.load != l })
	}
	all.queue = slices.DeleteFunc(all.queue, func(queued *Runtime) bool { return queued == r })
	r.state, r.load = api.StateConfigured, nil
	r.refuse(api.Unloaded(r.name))
	return nil
}

// empty lets a model go that is ready: nobody new gets it, and when those who hold it have ended it is gone.
func (all *runtimes) empty(r *Runtime, why string) {
	slog.Info("unloading", "model", r.name, "reason", why, "held_by", r.holds)
	r.state = api.StateDraining
	if r.swap != nil {
		r.swap.end(api.Unloaded(r.name))
	}
	r.watched.stop(api.Unloaded(r.name))
	all.dropControl(r, api.Unloaded(r.name))
	up := r.up
	all.work.Go(func() { all.dismantle(r, up) })
}

// dismantle waits for those who hold a model, cuts them off when their time is up, and gives back what it has taken.
func (all *runtimes) dismantle(r *Runtime, up *serving) {
	ctx, cancel := context.WithTimeout(context.Background(), all.drain)
	defer cancel()
	all.mu.Lock()
	late := all.until(ctx, func() bool { return r.holds == 0 || all.ending })
	ending := all.ending
	all.mu.Unlock()
	switch {
	case ending:
		up.end(scheduler.ErrDraining)
	case late != nil:
		slog.Warn("requests are cut off: their model is being unloaded", "model", r.name)
		up.end(api.Unloaded(r.name))
	}
	up.lane.Drain()
	<-up.lane.Done()
	all.mu.Lock()
	_ = all.until(context.Background(), func() bool { return r.beside == nil }) // it is on its way: see empty
	up.closing = true
	all.mu.Unlock()
	err := up.loaded.Close()
	if err != nil {
		slog.Error("closing the model", "model", r.name, "cause", err)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.forget(r, up)
}

// forget takes note that a model has gone. Who asked for it meanwhile has it loaded again.
func (all *runtimes) forget(r *Runtime, up *serving) {
	r.past = withCounters(r.past, up.lane.Snapshot())
	r.addPastSpent("", up.lane, up.generations.tier)
	r.pastCrowded += up.lane.Crowded()
	r.up = nil
	if r.state == api.StateDraining {
		r.state = api.StateConfigured
		slog.Info("unloaded", "model", r.name)
	}
	if len(r.waiters) > 0 && !all.closed {
		all.want(r)
	}
	all.memoryGivenBack()
	all.tellServing()
	go debug.FreeOSMemory() // its vocabulary
}

// discard gives back what a load has taken that failed.
func (up *serving) discard(f *weights.File) error {
	if up.end != nil {
		up.end(scheduler.ErrDraining)
	}
	if up.lane != nil {
		up.lane.Drain()
		<-up.lane.Done()
	}
	if up.loaded == nil {
		return f.Close()
	}
	return up.loaded.Close()
}

// begin gives the models their device, and loads what is wanted.
func (all *runtimes) begin(d *heldDevice) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.device = d
	all.loadNext()
}

// end takes down what there is, after the requests.
func (all *runtimes) end() {
	all.refuseAll()
	all.cutOff()
	all.mu.Lock()
	all.ending = true
	for _, r := range all.list {
		if r.up != nil && r.state == api.StateReady {
			all.empty(r, "the daemon ends")
		}
	}
	all.notify()
	all.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		all.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		if err := all.device.close(); err != nil {
			slog.Error("closing the device", "cause", err)
		}
	case <-time.After(leaveTime):
		slog.Warn("a load, or what holds a model, hangs: it is left to the end of the process")
	}
}
