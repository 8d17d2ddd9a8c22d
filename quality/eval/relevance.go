package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns relevance: how near an answer is to what it should be about, by the states of one model. Whose these are is told: a cosine of one model's
// states says nothing beside another's, and a tier's are another's.

const relevance = "relevance"

// Embedder tells what a model makes of a text as a whole.
type Embedder interface {
	// Embed is of a text as the model reads it alone. The error is ErrNoStates where it tells none.
	Embed(ctx context.Context, text string) (State, error)
}

// State is the mean of a model's final states over a text's tokens.
type State struct {
	Mean []float32 // as wide as the model's states; nil of a text without tokens
	By   string    // whose it is: a numerics id, or of a server that has none its model's name
}

// ErrNoStates is somebody who tells no states: at first of no text, so that there is no relevance; later of one, whose item has none.
var ErrNoStates = errors.New("the server tells no states of a text")

// relevant are the kinds whose answers have a relevance. What is said of a choice is a letter, which is about nothing.
var relevant = map[suite.Kind]bool{suite.QA: true, suite.Edge: true, suite.Text: true, suite.Translation: true}

// states are what a run's relevance is measured by.
type states struct {
	of    Embedder
	mu    sync.Mutex
	known map[string][]float32 // of what answers are held against, which comes again with each repeat
	bytes int                  // of these
}

// mostStates bounds what is kept of states, in bytes: those of ten thousand texts of a large model. Of more they are computed each time.
const mostStates = 256 << 20

// Relate has the relevance of answers measured from here on, by somebody who tells states, if he does, it is asked for and there are answers that have one.
// Servers refuse in many ways what they don't have, so a harmless text is asked of first.
func (r *Run) Relate(ctx context.Context, e Embedder) error {
	if !r.wants(relevance) || !slices.ContainsFunc(r.Suite.Items, func(i suite.Item) bool { return relevant[i.Kind] }) {
		return nil
	}
	first, err := e.Embed(ctx, "One, two, three")
	if refused := (*RefusedError)(nil); errors.Is(err, ErrNoStates) || errors.As(err, &refused) {
		return nil
	}
	if err == nil {
		r.states, r.RelevanceBy = &states{of: e, known: map[string][]float32{}}, first.By
	}
	return err
}

// MeasureRelevance adds to an outcome the cosine of the answer's mean state and that of the reference which it is nearest to; where the item has none, of
// the question's. A cosine may be negative. Where there is no answer, or one that is longer than what the model reads, it is 0; where the states could not
// be told at that moment it is missing, and the outcome says why: the answer is worth no less for that.
func (r *Run) MeasureRelevance(ctx context.Context, o *Outcome, i *suite.Item) error {
	if r.states == nil || !relevant[i.Kind] {
		return nil
	}
	cosine, err := r.cosine(ctx, o.Text, i)
	switch {
	case errors.Is(err, ErrNoStates):
		o.RelevanceMissing = err.Error()
	case err != nil:
		return fmt.Errorf("item %s: its relevance: %w", i.ID, err)
	default:
		o.Relevance = &cosine
	}
	return nil
}

func (r *Run) cosine(ctx context.Context, answer string, i *suite.Item) (best float64, err error) {
	own, err := r.state(ctx, answer)
	if err != nil || own == nil {
		return 0, err
	}
	to := i.References
	if len(to) == 0 {
		to = []string{i.Question()}
	}
	best = -1
	for _, text := range to {
		other, err := r.stateOnce(ctx, text)
		if err != nil || other == nil {
			return 0, err
		}
		cosine, err := score.Relevance(own, other)
		if err != nil {
			return 0, err
		}
		best = max(best, cosine)
	}
	return best, nil
}

// state is that of a text, or nil of one that has none or that the model can't read.
func (r *Run) state(ctx context.Context, text string) ([]float32, error) {
	state, err := r.states.of.Embed(ctx, text)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil || len(state.Mean) == 0 {
		return nil, err
	}
	if state.By != r.RelevanceBy {
		return nil, fmt.Errorf("a state is of %s, the run began with those of %s: the model was replaced meanwhile; begin anew", state.By, r.RelevanceBy)
	}
	return state.Mean, nil
}

// stateOnce is state of a text that will come again.
func (r *Run) stateOnce(ctx context.Context, text string) ([]float32, error) {
	s := r.states
	s.mu.Lock()
	state, known := s.known[text]
	s.mu.Unlock()
	if known {
		return state, nil
	}
	state, err := r.state(ctx, text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if size := len(text) + 4*len(state); s.bytes+size <= mostStates {
		s.known[text], s.bytes = state, s.bytes+size
	}
	return state, nil
}

// relevance adds what was measured.
func (t *table) relevance(n int, o Outcome) {
	if o.Relevance != nil {
		t.of(relevance, mean).rows[n] = []float64{*o.Relevance, 1}
	}
}
