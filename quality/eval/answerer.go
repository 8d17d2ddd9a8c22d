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
	// Answer is the continuation of a conversation.
	Answer(ctx context.Context, messages []suite.Message, as Sampling) (Reply, error)
	// Likelihoods are the natural log-probabilities of texts, each behind the same text. The error is ErrNoLikelihoods where the
	// answerer can't tell any.
	Likelihoods(ctx context.Context, behind string, texts []string) ([]float64, error)
}

// Sampling is how an answer is drawn. Of equal sampling it is the same, where the answerer keeps to the seed.
type Sampling struct {
	MaxTokens   int
	Temperature float64 // 0: the likeliest token each time
	Seed        int64   // 0 to 2^31-1, which all servers take; at temperature 0 it counts for nothing
}

// Control is a model that reads what another has answered.
type Control interface {
	// Name is what a control is told from others by, as its numerics id. It is asked once, before all else.
	Name(ctx context.Context) (string, error)
	// Read is how likely the control holds an answer, which was given a moment ago.
	Read(ctx context.Context, answer Reply) (Reading, error)
}

// Reading is what a control has made of an answer. The zero value is that of none.
type Reading struct {
	LogProbability float64 `json:"log_probability"` // natural, the sum over its tokens behind the question
	Tokens         int     `json:"tokens"`
}

// Identity names a model as it computes: answers of equal identities are the same.
type Identity struct {
	Model    string `json:"model"`
	Numerics string `json:"numerics"` // Chimera's numerics id; what another server says of itself, which may be nothing
}

// Reply is an answer.
type Reply struct {
	ID       string // its name, by which a control finds it; empty where the answerer gives none
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
