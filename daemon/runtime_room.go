package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chimera/api"
	"chimera/engine"
	"chimera/loader"
)

// This file owns room: which loads have it, which wait for it, and which models go for it.
//
// Loads that wait for room have it in the order in which they began to wait, those that background work alone wants last. Others pass
// them that fit into what is free and leave them theirs. Rejected: to let pass whatever fits, since small models would keep a large one
// out for ever; and to reserve what is free for the first, since that would idle for as long as its last client talks.

// makeRoom returns when a plan has room and nothing else is being read. Models are unloaded for it; none is where that would be in vain.
func (all *runtimes) makeRoom(ctx context.Context, r *Runtime, plan *engine.Plan) error {
	for {
		select {
		case all.reading <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		all.mu.Lock()
		changed, ahead := all.change(), all.ahead(r)
		out := all.wayOut()
		all.mu.Unlock()
		full := all.fits(plan, all.claimed(ahead, out)) // which asks a driver, so not under the lock
		if full == nil && all.enterRoom(r, out) {
			return nil
		}
		<-all.reading
		if full == nil {
			continue
		}
		wait, possible := all.waitForRoom(r, plan, full.Short()) // which has controls go first
		select {
		case <-changed: // also where it only seems impossible, since a model went while the device was asked
			continue
		default:
		}
		if !possible {
			return full
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enterRoom notes that a load has room, and reads; or that nobody knows, since models have gone while others' claims were counted.
func (all *runtimes) enterRoom(r *Runtime, counted wayOut) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if now := all.wayOut(); len(all.ahead(r)) > 0 && (now.going != counted.going || now.closing != counted.closing || now.could != counted.could) {
		return false
	}
	now := time.Now()
	r.load.reads = true
	r.load.began.Store(&now)
	all.waitNoMore(r)
	return true
}

// waitForRoom lets others pass a load that has so much too little. possible is false where all that may be unloaded would not do; else a
// model goes where one may, and wait says when to look again.
func (all *runtimes) waitForRoom(r *Runtime, plan *engine.Plan, short int64) (wait time.Duration, possible bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	wait = time.Hour // or until something changes
	controls := all.askControlsToGo()
	out := all.wayOut()
	if !controls && short > out.going+out.could {
		return 0, false
	}
	if r.load.plan = plan; !slices.Contains(all.short, r) {
		all.short = append(all.short, r)
	}
	if all.busy == r {
		all.busy = nil
		all.loadNext()
	}
	if controls || short <= out.going || len(all.ahead(r)) > 0 {
		return wait, true
	}
	return all.evict(out.candidates, r.load.front), true
}

func (all *runtimes) waitNoMore(r *Runtime) {
	all.short = slices.DeleteFunc(all.short, func(other *Runtime) bool { return other == r })
}

// leaveRoom lets others load, when a load has ended.
func (all *runtimes) leaveRoom(r *Runtime, l *loadUnderWay) {
	all.waitNoMore(r)
	if all.busy == r {
		all.busy = nil
	}
	if l.reads {
		<-all.reading
	}
	all.memoryGivenBack()
}

// ahead is what loads wait for that have room before r's.
func (all *runtimes) ahead(r *Runtime) (list []*engine.Plan) {
	waits := false
	for _, other := range all.short {
		switch front := other.load.front; {
		case other == r:
			waits = true
		case front && !r.load.front, front == r.load.front && !waits:
			list = append(list, other.load.plan)
		}
	}
	return list
}

// claimed is how much of what is free now those ahead will need when all has gone that may go for them. Who then has no room yet waits for
// those before it, and loses nothing to who passes. Of what is just being given back nobody knows whether it is free already.
func (all *runtimes) claimed(ahead []*engine.Plan, out wayOut) int64 {
	claimed := out.closing - out.going - out.could
	for _, plan := range ahead {
		if all.fits(plan, claimed-out.closing) == nil {
			claimed += plan.TotalBytes()
		}
	}
	return max(0, claimed)
}

// wayOut is what models take that others may get.
type wayOut struct {
	going      int64 // of those that are unloaded
	closing    int64 // of these, those whose memory is just being given back
	could      int64 // of those that may be unloaded
	candidates []*Runtime
}

func (all *runtimes) wayOut() (w wayOut) {
	for _, r := range all.list {
		switch {
		case r.up == nil:
		case r.state != api.StateReady:
			w.going += r.up.memory()
			if r.up.closing {
				w.closing += r.up.memory()
			}
		case !r.settings.Pin:
			w.could += r.up.memory()
			w.candidates = append(w.candidates, r)
		}
	}
	return w
}

// evict lets a model go for a load, if one may go now; else it says when to look again. Those that nobody holds go first, of these those
// that background work alone has used lately, of these the one that was used the longest ago.
func (all *runtimes) evict(candidates []*Runtime, front bool) (wait time.Duration) {
	held := func(r *Runtime) int { return min(r.holds, 1) }
	lately := func(r *Runtime) int { return max(0, cmp.Compare(r.attention(), 0)) }
	slices.SortStableFunc(candidates, func(a, b *Runtime) int {
		return cmp.Or(held(a)-held(b), lately(a)-lately(b), a.used.Compare(b.used))
	})
	wait = time.Hour // or until something changes
	for _, r := range candidates {
		left := r.residence(all.residence)
		if !front {
			left = max(left, r.attention())
		}
		if left <= 0 {
			all.empty(r, "another model needs its memory")
			return wait
		}
		wait = min(wait, left)
	}
	return wait
}

// residence is how long the model stays yet when others want its memory. While it is used, or has not been yet, it stays for as long as
// its load took, so that at least half of the time is spent on answers, and no less than least.
func (r *Runtime) residence(least time.Duration) time.Duration {
	if r.holds == 0 && r.served {
		return 0
	}
	return max(r.took, least) - time.Since(r.up.since)
}

// attention is how long somebody may yet come back to the model who does not want to wait for it: background work has it unloaded only
// then.
func (r *Runtime) attention() time.Duration {
	stay := cmp.Or(r.settings.KeepAlive.Duration, longestPause)
	if r.inFront > 0 {
		return stay
	}
	return stay - time.Since(r.front)
}

// longestPause is that of somebody who reads an answer, thinks, and asks again.
const longestPause = 5 * time.Minute

// fits holds a plan against what is left beside what is promised to others, and what they are to have before it.
func (all *runtimes) fits(plan *engine.Plan, ahead int64) *loader.NoRoomError {
	if full := all.exceeds(plan, ahead); full != nil {
		return full
	}
	full := (*loader.NoRoomError)(nil)
	errors.As(loader.CheckRoom(plan, all.device.backend, all.promised(), ahead), &full)
	return full
}

// fitsToo holds what weights take beyond the room that they have against what is left.
func (all *runtimes) fitsToo(more int64) error {
	if more <= 0 {
		return nil
	}
	if full := all.fits(&engine.Plan{WeightBytes: more}, 0); full != nil {
		return full
	}
	return nil
}

// exceeds holds a plan against what the settings give the models.
func (all *runtimes) exceeds(plan *engine.Plan, ahead int64) *loader.NoRoomError {
	left := int64(all.config.Memory) << 20
	if left == 0 {
		return nil
	}
	all.mu.Lock()
	left -= all.shadows
	for _, r := range all.list {
		if r.up != nil {
			left -= r.up.memory()
		}
	}
	all.mu.Unlock()
	need := plan.TotalBytes()
	if need+ahead <= left {
		return nil
	}
	return &loader.NoRoomError{Need: need, Available: left, Text: fmt.Sprintf("the model needs %d MiB (weights %d, KV %d), but memory_mib = %d leaves %d: raise it, or lower --ctx or --max-sequences",
		need>>20, plan.WeightBytes>>20, plan.KVBytes>>20, all.config.Memory, left>>20)}
}
