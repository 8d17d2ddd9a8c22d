// Package eval asks a model the requests of a suite and says how good its answers are: each metric with its interval, over all items, by tag
// and by half, and against a baseline. A run that was ended goes on where it was, and gives what it would have given.
//
// This file owns what a model is to an evaluation: who answers.
package eval

import (
	"context"
	"errors"
	"fmt"

	"chimera/quality/suite"
)

// Answerer answers requests, several at a time.
type Answerer interface {
	// Identify says who answers. It is asked once, before all else.
	Identify(ctx context.Context) (Identity, error)
	// Answer is the greedy continuation of a conversation, of so many tokens at most.
	Answer(ctx context.Context, messages []suite.Message, maxTokens int) (Reply, error)
	// Likelihoods are the natural log-probabilities of texts, each behind the same text. The error is ErrNoLikelihoods where the
	// answerer can't tell any.
	Likelihoods(ctx context.Context, behind string, texts []string) ([]float64, error)
}

// Identity names a model as it computes: answers of equal identities are the same.
type Identity struct {
	Model    string `json:"model"`
	Numerics string `json:"numerics"` // Chimera's numerics id; what another server says of itself, which may be nothing
}

// Reply is an answer.
type Reply struct {
	Text     string
	Finish   string // why it ended: stop, or length where it was cut off
	Numerics string // whose it is; empty where the answerer does not say
}

// ErrNoLikelihoods is an answerer that tells no log-probabilities: choices are then asked for by letters.
var ErrNoLikelihoods = errors.New("the server tells no log-probabilities of a prompt")

// RefusedError is one request that can't be answered, as one that is longer than the context. It is that item's failure; any other error ends
// the run.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// Ways to tell what a model chooses.
const (
	ByLikelihood = "log-likelihood" // the choice that is the likeliest continuation of the question
	ByLetter     = "letter"         // the letter that it answers
)

// chooses finds out how choices can be told.
func chooses(ctx context.Context, a Answerer) (string, error) {
	_, err := a.Likelihoods(ctx, "One, two,", []string{" three"})
	var refused *RefusedError // some servers refuse the fields
	switch {
	case errors.Is(err, ErrNoLikelihoods), errors.As(err, &refused):
		return ByLetter, nil
	case err != nil:
		return "", fmt.Errorf("asking for log-probabilities: %w", err)
	}
	return ByLikelihood, nil
}
