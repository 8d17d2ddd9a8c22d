package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/loader"
	"chimera/quality/guard"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns the way of a model from one tier to another while it is served: the new weights are made of the model's file beside those that
// answer, requests that begin then have them, and the old ones go with the last answer that began with them. Where both do not fit see runtime_drain.go.

// modeManual is told of a model whose tier the administrator has chosen, beside the words of tiers.mode.
const modeManual = "manual"

// swap is a model's way to a tier.
type swap struct {
	to       string
	reason   string
	evidence json.RawMessage // nil: somebody asked for it
	manual   bool            // the administrator chose it
	byGuard  bool            // the guard did
	remake   bool            // the weights are made anew, also of the tier that serves
	drains   bool            // new requests wait until the model is loaded again; behind the lock of runtimes
	back     string          // while it is: the tier that is loaded where the new one can't be
	failed   error           // why it can't be
	waited   time.Duration   // requests, for all that
	stays    time.Duration   // then; 0: until he chooses another
	end      context.CancelCauseFunc
	done     chan struct{} // closed with
	err      error
}

// SetTier implements api.Tiers.
func (all *runtimes) SetTier(ctx context.Context, model, tier string, stays time.Duration) error {
	s := &swap{to: tier, reason: "the administrator chose it", manual: true, stays: stays}
	if stays > 0 {
		s.reason += " for " + stays.String()
	}
	if tier == api.AutoTier {
		s.to, s.manual, s.reason = all.settled(), false, "the administrator gave the choice back to the settings"
	} else if err := checkTier(tier); err != nil {
		return err
	}
	if err := all.beginSwap(model, s); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done(): // it goes on all the same
		return context.Cause(ctx)
	}
}

// checkTier refuses the name of a tier that there is not.
func checkTier(tier string) error {
	if slices.Contains(config.TierNames(), tier) {
		return nil
	}
	return api.NoTier(tier, strings.Join(config.TierNames(), ", "))
}

// beginSwap has a swap made. A model has one at a time.
func (all *runtimes) beginSwap(model string, s *swap) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(model)
	switch {
	case r == nil:
		return api.ErrNoModel
	case all.closed:
		return scheduler.ErrDraining
	case r.swap != nil:
		return api.Swapping(r.name, r.swap.to)
	case s.byGuard && r.manual:
		return errors.New("the administrator has chosen its tier meanwhile")
	}
	s.to = cmp.Or(s.to, r.tier)
	ctx, end := context.WithCancelCause(context.Background())
	from := r.tier
	s.end, s.done, r.swap = end, make(chan struct{}), s
	all.work.Go(func() {
		defer end(nil)
		all.swap(ctx, r, s, from)
	})
	return nil
}

// swap makes it, from decision to outcome. A decision is on the disk before it is applied; one that changes nothing is none.
func (all *runtimes) swap(ctx context.Context, r *Runtime, s *swap, from string) {
	d := store.Decision{Time: time.Now(), Model: r.name, From: from, To: s.to, Reason: s.reason, Evidence: s.evidence}
	err := error(nil)
	if s.changes(from) {
		slog.Info("tier: begun", "model", r.name, "from", from, "to", s.to, "reason", s.reason)
		if d.Row, err = all.history.decide(ctx, d); err != nil {
			err = api.TierFailed(r.name, s.to, fmt.Errorf("the decision can't be written down: %w", err))
		} else {
			err = all.changeTier(ctx, r, s)
		}
		d.State = store.Applied
		if err != nil {
			d.State = store.Reverted
			slog.Error("tier: reverted", "model", r.name, "from", from, "to", s.to, "cause", err)
		} else {
			slog.Info("tier: applied", "model", r.name, "from", from, "to", s.to, "seconds", time.Since(d.Time).Seconds())
		}
		all.history.settle(d)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if s.changes(from) {
		if s.waited > 0 {
			d.Reason += fmt.Sprintf("; both did not fit, so requests waited for %.1f s", s.waited.Seconds())
		}
		r.tell(eventOf(d, err))
	}
	if err == nil {
		r.choose(all, s)
	}
	r.swap, s.err = nil, err
	all.memoryGivenBack() // of a smaller tier; and who made room for the change may come back
	close(s.done)
}

// changes tells whether other weights serve afterwards.
func (s *swap) changes(from string) bool { return s.to != from || s.remake }

// settled is the tier that a model goes back to when the administrator's choice is over; "": from where it is the guard goes on.
func (all *runtimes) settled() string {
	if all.config.Tiers.Mode == config.ModeGuard {
		return ""
	}
	return all.config.Tiers.First()
}

// choose notes whose choice the tier is, and gives the administrator's back when its time is over.
func (r *Runtime) choose(all *runtimes, s *swap) {
	if r.giveBack != nil {
		r.giveBack.Stop()
	}
	r.manual, r.until, r.giveBack = s.manual, nil, nil
	all.guardian.look()
	if s.stays == 0 {
		return
	}
	r.until = new(time.Now().Add(s.stays))
	back := &swap{to: all.settled(), reason: "the time is over that the administrator chose " + s.to + " for"}
	r.giveBack = time.AfterFunc(s.stays, func() {
		if err := all.beginSwap(r.name, back); err != nil && !errors.Is(err, scheduler.ErrDraining) {
			slog.Warn("tier: it stays for longer than the administrator chose it for", "model", r.name, "cause", err)
		}
	})
}

// changeTier has a model served at a tier. One that is not loaded will be loaded at it; what is on its way up or down is waited for.
func (all *runtimes) changeTier(ctx context.Context, r *Runtime, s *swap) error {
	all.mu.Lock()
	if err := all.until(ctx, func() bool { return r.state == api.StateReady || r.up == nil && r.state != api.StateLoading }); err != nil {
		all.mu.Unlock()
		return err
	}
	if r.up == nil {
		r.tier = s.to
		all.mu.Unlock()
		return nil
	}
	up, held := r.up, all.borrow(r, ctx)
	all.mu.Unlock()
	err := all.replace(held.Context, r, up, s)
	held.Release()
	if beside := (*besideError)(nil); errors.As(err, &beside) {
		return all.swapAlone(ctx, r, up, s, beside)
	}
	return err
}

// besideError is a tier that has no room beside the one that serves.
type besideError struct {
	need, available int64 // of its weights, and what making them takes
	cause           error
}

func (e *besideError) Error() string { return e.cause.Error() }

// replace makes the weights of a tier and has them serve. Weights are read by one at a time, as when models are loaded.
func (all *runtimes) replace(ctx context.Context, r *Runtime, up *serving, s *swap) error {
	select {
	case all.reading <- struct{}{}:
		defer func() { <-all.reading }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	plan, err := planOn(all.device.backend, up.loaded, all.engineAt(s.to))
	if err != nil {
		return api.TierFailed(r.name, s.to, err)
	}
	needs := &engine.Plan{WeightBytes: plan.WeightBytes, StagingBytes: plan.StagingBytes}
	full := all.fits(needs, 0)
	if full != nil && all.dropControls(ctx) {
		full = all.fits(needs, 0)
	}
	if full != nil {
		return &besideError{full.Need, full.Available, fmt.Errorf("it needs %d MiB, with what is promised to others, and %d are left", full.Need>>20, full.Available>>20)}
	}
	up.generations.making(s.to)
	there := false
	err = all.atTier(up.loaded.File, up.loaded.Program, s.to, s.remake, func(w engine.Weights) error {
		plan, err := planOf(all.device.backend, up.loaded, all.engineAt(s.to), w) // of what is kept, or has wider types
		if err != nil {
			return err
		}
		id, err := up.lane.Replace(leavable{w, ctx}, nil)
		if err != nil {
			return err
		}
		there = true
		return up.serves(ctx, up.generations.add(id, s.to, plan.WeightBytes))
	})
	if err == nil {
		all.mu.Lock()
		defer all.mu.Unlock()
		r.tier = s.to
		return nil
	}
	if there {
		err = errors.Join(err, all.goBack(r, up))
	}
	var none *engine.NoRoomError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &none) && !there:
		return &besideError{none.Need, none.Available, none}
	case errors.Is(err, engine.ErrDevicePoisoned):
		all.device.lose(err)
	}
	return api.TierFailed(r.name, s.to, loader.OfFile(up.loaded.File, err))
}

// goBack makes the tier again that served before one which can't compute a token.
func (all *runtimes) goBack(r *Runtime, up *serving) error {
	at := r.tier // a swap alone changes it
	return all.atTier(up.loaded.File, up.loaded.Program, at, false, func(w engine.Weights) error {
		id, err := up.lane.Replace(w, nil)
		if err == nil {
			up.generations.add(id, at, up.loaded.Instance.Plan().WeightBytes)
		}
		return err
	})
}

// engineAt are the settings for loading a model at a tier.
func (all *runtimes) engineAt(tier string) loader.Options {
	o := loader.OptionsOf(&all.config)
	o.Tier, o.Contexts = tier, all.contexts
	return o
}

// serves returns when the newest weights, of that digest, have computed a token: one of their own, or clients' where those leave no place.
func (up *serving) serves(ctx context.Context, digest string) error {
	for {
		before := up.lane.Snapshot().Steps
		err := up.probe().decode(ctx, func() bool { return false })
		if !errors.Is(err, scheduler.ErrQueueFull) {
			return err
		}
		select {
		case <-time.After(readyLook):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if up.lane.Weights() == digest && up.lane.Snapshot().Steps > before {
			return nil
		}
	}
}

// planOn is what a loaded model would take with other options.
func planOn(b engine.Backend, l *loader.Loaded, o loader.Options) (*engine.Plan, error) {
	return planOf(b, l, o, o.Weights(l.File))
}

// planOf is that with weights that are there.
func planOf(b engine.Backend, l *loader.Loaded, o loader.Options, w engine.Weights) (*engine.Plan, error) {
	options, err := o.LoadOptions(l.Program)
	if err != nil {
		return nil, err
	}
	return b.Plan(l.Program, w, options)
}

// mostEvents bounds what is told of each model: the history has the rest.
const mostEvents = 100

// tell adds an event to those that are told.
func (r *Runtime) tell(e api.TierEvent) {
	r.events = append(r.events, e)
	r.events = r.events[max(0, len(r.events)-mostEvents):]
}

// ladderOf is what each tier's weights would take as they are served, the source's first; 0 for a tier that the backend can't compute.
func ladderOf(b engine.Backend, l *loader.Loaded, o loader.Options) (bytes []int64) {
	for _, tier := range config.TierNames() {
		o.Tier = tier
		size := int64(0)
		if plan, err := planOn(b, l, o); err == nil {
			size = plan.WeightBytes
		}
		bytes = append(bytes, size)
	}
	return bytes
}

// Tiers implements api.Tiers.
func (all *runtimes) Tiers() (list []api.ModelTiers) {
	kept := all.keptBytes() // which asks the disk, so not under the lock
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		m := api.ModelTiers{Model: r.name, Tier: r.tier, Mode: all.config.Tiers.Mode, Until: r.until, Events: slices.Clone(r.events)}
		if r.manual {
			m.Mode = modeManual
		}
		if r.swap != nil && r.swap.to != r.tier {
			m.Swapping = r.swap.to
		}
		if r.up != nil {
			m.Generation = uint64(r.up.generations.newest().id)
			m.Tier = cmp.Or(r.up.model.Tier(""), r.tier)
		}
		for i, tier := range config.TierNames() {
			t := api.TierState{Tier: tier, Kept: kept[r.keys[tier]]}
			all.guardian.judge(&t, r.watched.known[tier])
			if len(r.ladder) > 0 {
				t.Bytes = r.ladder[i]
			}
			m.Ladder = append(m.Ladder, t)
		}
		list = append(list, m)
	}
	return list
}

// judge fills in what was measured of a tier.
func (g *guardian) judge(t *api.TierState, known tierFigures) {
	t.State = string(guard.Unmeasured)
	if g == nil || known.evidence == nil {
		return
	}
	t.State, t.Scores = string(g.criteria.Judge(known.evidence)), map[string]api.TierScore{}
	for _, e := range known.evidence {
		name := e.Metric
		if len(g.suites) > 1 {
			name = e.Suite + " " + e.Metric
		}
		t.Scores[name] = api.TierScore{Value: e.Value, Control: e.Control, Low: e.Difference.Low, High: e.Difference.High, N: e.Items}
	}
}
