package eval

import (
	"context"
	"errors"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns relevance: how near an answer is to what it should be about, by the states of the model that gave it.

const relevance = "relevance"

// Embedder is an Answerer that tells what it makes of a text as a whole: the mean of its final states over the text's tokens. Of a text without
// tokens that is nothing.
type Embedder interface {
	Embed(ctx context.Context, text string) ([]float32, error)
}

// ErrNoStates is an answerer that tells no states: its answers have no relevance then.
var ErrNoStates = errors.New("the server tells no states of a text")

// relevant are the kinds whose answers have a relevance. What is said of a choice is a letter, which is about nothing.
var relevant = map[suite.Kind]bool{suite.QA: true, suite.Edge: true, suite.Text: true, suite.Translation: true}

// embedderOf is the answerer, if it tells states of a harmless text, or nil: servers refuse in many ways what they don't have.
func embedderOf(ctx context.Context, s *suite.Suite, a Answerer) (Embedder, error) {
	e, is := a.(Embedder)
	if !is || !s.Has(suite.QA) && !s.Has(suite.Edge) && !s.Has(suite.Text) && !s.Has(suite.Translation) {
		return nil, nil
	}
	_, err := e.Embed(ctx, "One, two, three")
	if refused := (*RefusedError)(nil); errors.Is(err, ErrNoStates) || errors.As(err, &refused) {
		return nil, nil
	}
	return e, err
}

// Relate has the relevance of answers measured from here on, if the answerer tells states.
func (r *Run) Relate(ctx context.Context) (err error) {
	r.embedder, err = embedderOf(ctx, r.Suite, r.Answerer)
	return err
}

// addRelevance measures an outcome's: the cosine of the answer's mean state and that of the reference which it is nearest to; where the item has none, of
// the question's. A cosine may be negative. Where there is no answer, or one that is longer than what the model reads, it is 0.
func (r *Run) addRelevance(ctx context.Context, o *Outcome, i *suite.Item) error {
	if r.embedder == nil || !relevant[i.Kind] {
		return nil
	}
	o.Relevance = new(0.0)
	own, err := r.state(ctx, o.Text)
	if err != nil || own == nil {
		return err
	}
	to := i.References
	if len(to) == 0 {
		to = []string{i.Question()}
	}
	best := -1.0
	for _, text := range to {
		other, err := r.state(ctx, text)
		if err != nil || other == nil {
			return err
		}
		cosine, err := score.Relevance(own, other)
		if err != nil {
			return err
		}
		best = max(best, cosine)
	}
	o.Relevance = &best
	return nil
}

// state is that of a text, or nil of one that has none or that the model can't read.
func (r *Run) state(ctx context.Context, text string) ([]float32, error) {
	state, err := r.embedder.Embed(ctx, text)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		return nil, nil
	}
	if len(state) == 0 {
		return nil, err
	}
	return state, err
}

// relevance adds what was measured.
func (t *table) relevance(n int, o Outcome) {
	if o.Relevance != nil {
		t.of(relevance, mean).rows[n] = []float64{*o.Relevance, 1}
	}
}
