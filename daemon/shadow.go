package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"chimera/api"
	"chimera/engine"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tiers beside the one that serves: an instance of their own, on the same device, in the same plan of memory.

// shadow is a tier that is loaded beside the one that serves.
type shadow struct {
	all      *runtimes
	model    *api.Model
	lane     *scheduler.Lane
	instance engine.Instance
	bytes    int64
	class    string // that costs have its requests in; "": their own
}

// shadow loads a tier of a model that is served, small: a few answers at a time, of one context together. anew: whatever is kept of it on disk.
func (all *runtimes) shadow(ctx context.Context, up *serving, tier string, anew bool) (*shadow, error) {
	o := all.engineAt(tier)
	o.Contexts, o.MaxSequences = 1, min(o.MaxSequences, shadowSequences)
	return all.shadowAs(ctx, up, o, scheduler.Config{StepTokens: all.config.StepTokens, QueueLength: all.config.QueueLength}, anew)
}

// shadowAs is one of any size, in a lane of any policy.
func (all *runtimes) shadowAs(ctx context.Context, up *serving, o loader.Options, c scheduler.Config, anew bool) (_ *shadow, err error) {
	select {
	case all.reading <- struct{}{}:
		defer func() { <-all.reading }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	options, err := o.LoadOptions(up.loaded.Program)
	if err != nil {
		return nil, err
	}
	plan, err := planOn(all.device.backend, up.loaded, o)
	if err != nil {
		return nil, err
	}
	if full := all.fits(plan, 0); full != nil {
		return nil, full
	}
	s := &shadow{all: all}
	err = all.atTier(up.loaded.File, up.loaded.Program, o.Tier, anew, func(w engine.Weights) error {
		s.instance, err = all.device.backend.Load(up.loaded.Program, leavable{w, ctx}, options)
		return err
	})
	if err != nil {
		return nil, loader.OfFile(up.loaded.File, err)
	}
	s.bytes = loader.ServingBytes(s.instance.Plan()) // also where the tier has wider types than its recipe
	s.lane, err = all.device.loop.Add(s.instance, c)
	if err != nil {
		return nil, errors.Join(err, s.instance.Close())
	}
	m := *up.model
	m.Engine, m.Ended, m.Cache, m.Escalation = s.lane, nil, nil, nil
	policy := up.loaded.Policy
	policy.KV = options.Policy.KV
	m.Numerics = func(weights string) string {
		return policy.NumericsID(cmp.Or(weights, s.lane.Weights()), plan.Backend)
	}
	m.Tier = func(string) string { return o.Tier }
	s.model = &m
	all.mu.Lock()
	defer all.mu.Unlock()
	all.shadows, all.asides = all.shadows+s.bytes, append(all.asides, s)
	return s, nil
}

// close gives back what it has taken.
func (s *shadow) close() {
	s.lane.Drain()
	<-s.lane.Done()
	if err := s.instance.Close(); err != nil {
		slog.Error("closing a tier that stood beside the one that serves", "cause", err)
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.all.shadows -= s.bytes
	s.all.asides = slices.DeleteFunc(s.all.asides, func(other *shadow) bool { return other == s })
	if r := s.all.find(s.model.Name); r != nil {
		r.addPastSpent(s.class, s.lane, s.model.Tier)
	}
	s.all.memoryGivenBack()
}

// shadowBeside loads a tier to be measured.
func (all *runtimes) shadowBeside(ctx context.Context, up *serving, tier string, anew bool) (*shadow, error) {
	return all.inPlaceOfControls(ctx, func() (*shadow, error) { return all.shadow(ctx, up, tier, anew) })
}

// inPlaceOfControls loads a shadow. Controls, which are kept in case they are needed, make room for it.
func (all *runtimes) inPlaceOfControls(ctx context.Context, load func() (*shadow, error)) (*shadow, error) {
	s, err := load()
	if full := (*loader.NoRoomError)(nil); errors.As(err, &full) && all.dropControls(ctx) {
		return load()
	}
	return s, err
}
