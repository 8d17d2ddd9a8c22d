package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"chimera/api"
)

// This file owns the swap to a tier that does not fit beside the one that serves: requests that come wait, as for a model that is loaded, those that are
// answered end, then the model is loaded at the other tier. No request is cut off for it: where they don't end in time the swap is put off.

// swapAlone makes a swap without the old weights.
func (all *runtimes) swapAlone(ctx context.Context, r *Runtime, up *serving, s *swap, beside *besideError) error {
	if beside.need > beside.available+up.generations.newest().bytes {
		return api.NoRoomForTier(r.name, s.to, beside.cause) // nor would it fit alone
	}
	slog.Info("tier: both do not fit: requests wait until the model is loaded at the other", "model", r.name, "to", s.to, "at_most", all.drain.String(), "cause", beside.cause)
	began := time.Now()
	all.mu.Lock()
	defer all.mu.Unlock()
	if r.up != up || r.state != api.StateReady {
		return api.TierFailed(r.name, s.to, errors.New("the model went meanwhile"))
	}
	if err := all.drained(ctx, r, s); err != nil {
		return err
	}
	defer func() { s.drains, s.back, s.waited = false, "", time.Since(began) }()
	s.back, r.tier = r.tier, s.to
	all.mu.Unlock()
	up.lane.Drain()
	<-up.lane.Done()
	all.mu.Lock()
	up.closing = true
	all.mu.Unlock()
	err := up.loaded.Close()
	all.mu.Lock()
	if err != nil {
		slog.Error("closing the model", "model", r.name, "cause", err)
	}
	all.forget(r, up)
	if r.state == api.StateConfigured && !all.closed { // no request has it loaded
		all.want(r)
	}
	return all.loadedAlone(ctx, r, s)
}

// drained returns when nobody holds the model any more. Else it serves on, those that wait have it, and the error says why.
func (all *runtimes) drained(ctx context.Context, r *Runtime, s *swap) error {
	r.state, s.drains = api.StateDraining, true
	r.watched.stop(api.Swapping(r.name, s.to)) // what measures it would hold it for minutes
	all.dropControl(r, api.Swapping(r.name, s.to))
	all.tellServing()
	limit, cancel := context.WithTimeout(ctx, all.drain)
	defer cancel()
	late := all.until(limit, func() bool { return r.holds == 0 && r.beside == nil || !s.drains })
	switch {
	case !s.drains: // somebody unloads it
		return api.Unloaded(r.name)
	case late == nil && !all.closed:
		return nil
	}
	s.drains, r.state = false, api.StateReady
	all.serveWaiters(r)
	all.tellServing()
	if all.ending {
		all.empty(r, "the daemon ends")
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return api.TierPutOff(r.name, s.to, all.drain)
}

// loadedAlone returns when the model is loaded again, at either tier, or when that has failed for good.
func (all *runtimes) loadedAlone(ctx context.Context, r *Runtime, s *swap) error {
	from := s.back
	err := all.until(ctx, func() bool {
		return r.state == api.StateReady || r.state == api.StateFailed || r.state == api.StateConfigured && r.load == nil
	})
	switch {
	case err != nil:
		return err
	case r.state == api.StateReady && s.back != "": // it is the new one
		return nil
	case r.state == api.StateReady:
		return api.TierFailed(r.name, s.to, s.failed)
	case r.state == api.StateFailed:
		return api.TierFailed(r.name, s.to, errors.Join(s.failed, r.failure.err))
	}
	r.tier = from // the load was ended
	return api.Unloaded(r.name)
}

// loadBack has the tier before loaded again where a swap's can't be: true, or false where there is none to go back to. Those that wait for the model go on waiting.
func (all *runtimes) loadBack(r *Runtime, err error) bool {
	s := r.swap
	if s == nil || s.back == "" {
		return false
	}
	slog.Error("tier: it can't be loaded: the one before is loaded again", "model", r.name, "tier", s.to, "cause", err)
	s.failed, r.tier, s.back = err, s.back, ""
	r.state, r.load = api.StateConfigured, nil
	all.want(r)
	return true
}
