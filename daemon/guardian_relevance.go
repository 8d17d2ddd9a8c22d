package daemon

import (
	"context"
	"errors"

	"chimera/quality/eval"
	"chimera/scheduler"
)

// This file owns how relevance is told of a suite's answers: by the states of the model that gave them, in its own lane.

var _ eval.Embedder = (*asker)(nil)

// Embed implements eval.Embedder.
func (a *asker) Embed(ctx context.Context, text string) ([]float32, error) {
	state, err := persist(ctx, func() ([]float32, error) {
		state, _, err := a.model.Embed(ctx, text)
		return state, err
	})
	if errors.Is(err, scheduler.ErrNoStates) {
		return nil, eval.ErrNoStates
	}
	return state, refusedItem(err)
}
