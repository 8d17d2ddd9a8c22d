package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/loader"
	"chimera/quality/escalate"
	"chimera/scheduler"
)

// This file owns what the daemon gives to answers that a tier is unsure of: the model's control, if it is there, and what is told of them.

// escalation is a loaded model's way to its source.
func (all *runtimes) escalation(r *Runtime, up *serving) *api.Escalation {
	return &api.Escalation{
		Rule:  r.edge,
		Below: func() bool { return up.isBelow(up.model.Tier("")) },
		Control: func(ctx context.Context, class scheduler.Class) (api.Held, error) {
			return all.controlNow(ctx, r, class)
		},
	}
}

// isBelow tells whether a tier has fewer bits than the source: of a file of four bits q8_0 has not.
func (up *serving) isBelow(tier string) bool {
	at := slices.Index(config.TierNames(), tier)
	return at > 0 && up.ladder[at] > 0 && up.ladder[at] < up.ladder[0]
}

// errControlLoads is told of a control that nobody waits for.
var errControlLoads = errors.New("the control is being loaded")

// controlNow is control for somebody whose answer waits: it gives what is there, and has it loaded for the next if it is not, and may come back.
func (all *runtimes) controlNow(ctx context.Context, r *Runtime, class scheduler.Class) (api.Held, error) {
	all.mu.Lock()
	c := r.beside
	switch {
	case r.state != api.StateReady:
		all.mu.Unlock()
		return api.Held{}, errUnloaded
	case len(all.short) > 0 || c != nil && c.going:
		all.mu.Unlock()
		return api.Held{}, errControlGoes
	case r.tier == api.SourceTier && r.swap == nil: // it has been made meanwhile
		defer all.mu.Unlock()
		return itself(all.grant(r, ctx, class)), nil
	case c == nil:
		if r.absent.isOver(time.Now(), all.freed) {
			all.makeControl(r)
		}
		all.mu.Unlock()
		return api.Held{}, errControlLoads
	}
	select {
	case <-c.made:
	default:
		all.mu.Unlock()
		return api.Held{}, errControlLoads
	}
	held := all.grant(r, ctx, class)
	c.take()
	all.mu.Unlock()
	return all.waitForControl(held, r, c)
}

// setEdgeBudget has answers escalated from here on within another budget.
func (all *runtimes) setEdgeBudget(budget float64) {
	for _, r := range all.list {
		r.edge.SetBudget(budget)
	}
}

// escalations tells of each model how its answers are escalated.
func (all *runtimes) escalations() (list []api.EscalationState) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		s := r.edge.Of(r.tier)
		e := api.EscalationState{
			Model: r.name, Tier: r.tier, Budget: s.Budget, Tokens: s.Tokens, Extra: s.Extra, Escalated: s.Escalated, FellBack: map[string]int64{},
			Threshold: known(s.Whole), StreamThreshold: known(s.Opening), Control: r.beside != nil && !r.beside.going && r.beside.shadow != nil,
		}
		for _, reason := range escalate.Reasons {
			e.FellBack[string(reason)] = s.FellBack[reason]
		}
		if r.controlProblem != nil {
			e.Problem = r.controlProblem.Error()
		}
		list = append(list, e)
	}
	return list
}

// heldAt gives a model at a tier other than that which serves, for whoever computes an answer of it again: the source's control, which is shared, or
// one of his own, which goes with him.
func (all *runtimes) heldAt(ctx context.Context, r *Runtime, tier string, class scheduler.Class) (api.Held, error) {
	own := all.ownAt
	if tier == api.SourceTier {
		own = func(ctx context.Context, r *Runtime, _ string, class scheduler.Class) (api.Held, error) {
			return all.control(ctx, r, all.as(class))
		}
	}
	held, err := own(ctx, r, tier, class)
	if full := (*loader.NoRoomError)(nil); errors.As(err, &full) || errors.Is(err, errControlGoes) {
		err = api.NoRoomToReplay(r.name, tier, err)
	}
	return held, err
}

// ownAt loads a tier for one user.
func (all *runtimes) ownAt(ctx context.Context, r *Runtime, tier string, class scheduler.Class) (api.Held, error) {
	all.mu.Lock()
	if r.state != api.StateReady {
		all.mu.Unlock()
		return api.Held{}, errUnloaded
	}
	held, up := all.grant(r, ctx, class), r.up
	all.mu.Unlock()
	slog.Info("tier: loading beside the one that serves", "model", r.name, "tier", tier)
	s, err := all.shadowBeside(held.Context, up, tier, false)
	if err != nil {
		held.Release()
		return api.Held{}, err
	}
	return api.Held{Model: s.model, Context: held.Context, Release: sync.OnceFunc(func() {
		s.close()
		held.Release()
	})}, nil
}
