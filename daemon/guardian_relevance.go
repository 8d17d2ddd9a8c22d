package daemon

import (
	"context"
	"errors"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/scheduler"
)

// This file owns whose states relevance is measured by: the control's, so that it is one measure for all tiers of a model. A tier's own states would tell how
// it sees its answers, and a tier that is off sees them otherwise.

// stater tells a model's states, as background work.
type stater struct{ model *api.Model }

var (
	_ eval.Embedder = stater{}
	_ eval.Embedder = (*Private)(nil)
)

// Embed implements eval.Embedder.
func (s stater) Embed(ctx context.Context, text string) (state eval.State, err error) {
	var weights string
	state.Mean, err = persist(ctx, func() (mean []float32, err error) {
		mean, weights, err = s.model.Embed(ctx, text)
		return mean, err
	})
	if errors.Is(err, scheduler.ErrNoStates) {
		return state, eval.ErrNoStates
	}
	state.By = s.model.Numerics(weights)
	return state, refusedItem(err)
}

// Embed implements eval.Embedder, by the control.
func (p *Private) Embed(ctx context.Context, text string) (eval.State, error) {
	control, err := p.control(ctx)
	if err != nil {
		return eval.State{}, err
	}
	defer control.Release()
	return stater{control.Model}.Embed(control.Context, text)
}
