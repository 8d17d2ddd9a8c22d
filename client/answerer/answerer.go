// Package answerer lets any server of OpenAI's endpoints answer an evaluation: a Chimera over its Unix socket, or another at a URL.
package answerer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/client"
	"chimera/quality/eval"
	"chimera/quality/suite"
)

// Server is one model of a server, as what answers.
type Server struct {
	Client *client.Client
	Model  string // its name there; empty: the server's default
}

// patience is how long a request that a busy server sends away is brought again: loads of batch class may have to wait for others.
const patience = 5 * time.Minute

// leastPause is between two attempts at a server that does not say when to come again.
const leastPause = time.Second

// Identify implements eval.Answerer by a question of one token. A model without a chat template has a text to continue: its choices can be
// told all the same.
func (s *Server) Identify(ctx context.Context) (eval.Identity, error) {
	_, stats, err := s.chat(ctx, []client.Message{{Role: "user", Content: "Hello"}}, eval.Sampling{MaxTokens: 1})
	if has(err, ofTheRequest) || has(err, notThere) {
		one, greedy := 1, 0.0
		continued, problem := s.Client.Complete(ctx, "Hello", client.Options{Model: s.Model, MaxTokens: &one, Temperature: &greedy}, func(string) {})
		if problem == nil {
			stats, err = continued, nil
		}
	}
	return eval.Identity{Model: stats.Model, Numerics: stats.Fingerprint}, err
}

// Answer implements eval.Answerer.
func (s *Server) Answer(ctx context.Context, messages []suite.Message, as eval.Sampling) (eval.Reply, error) {
	turns := make([]client.Message, len(messages))
	for i, m := range messages {
		turns[i] = client.Message(m)
	}
	text, stats, err := s.chat(ctx, turns, as)
	return eval.Reply{ID: stats.ID, Text: text, Finish: stats.Finish, Numerics: stats.Fingerprint}, refused(err)
}

func (s *Server) chat(ctx context.Context, turns []client.Message, as eval.Sampling) (text string, stats client.Stats, err error) {
	o := client.Options{Model: s.Model, MaxTokens: &as.MaxTokens, Temperature: &as.Temperature}
	if as.Temperature > 0 {
		o.Seed = jsontext.Value(strconv.FormatInt(as.Seed, 10))
	}
	err = persist(ctx, func() (err error) {
		text = ""
		stats, err = s.Client.Chat(ctx, turns, o, func(piece string) { text += piece })
		return err
	})
	return text, stats, err
}

// Likelihoods implements eval.Answerer.
func (s *Server) Likelihoods(ctx context.Context, behind string, texts []string) ([]float64, error) {
	list := make([]float64, len(texts))
	for i, text := range texts {
		err := persist(ctx, func() (err error) {
			list[i], err = s.Client.LogLikelihood(ctx, behind, text, client.Options{Model: s.Model})
			return err
		})
		if errors.Is(err, client.ErrNoEcho) || knowsNoEcho(err) {
			return nil, fmt.Errorf("%w: %w", eval.ErrNoLikelihoods, err)
		}
		if err != nil {
			return nil, refused(err)
		}
	}
	return list, nil
}

// Statuses of a request that is at fault itself, and those of an endpoint or a field that a server does not have.
var (
	ofTheRequest = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}
	notThere     = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}
)

func has(err error, statuses []int) bool {
	var status *client.StatusError
	return errors.As(err, &status) && slices.Contains(statuses, status.Status)
}

// knowsNoEcho tells of the first request with echo, a harmless one, that the server takes none.
func knowsNoEcho(err error) bool { return has(err, notThere) }

// refused marks the error of a request that would be refused whenever it came.
func refused(err error) error {
	if has(err, ofTheRequest) {
		return &eval.RefusedError{Err: err}
	}
	return err
}

// persist asks again where the server is too busy for now.
func persist(ctx context.Context, ask func() error) error {
	for end := time.Now().Add(patience); ; {
		err := ask()
		var status *client.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusTooManyRequests && status.Status != http.StatusServiceUnavailable {
			return err
		}
		wait := max(status.RetryAfter(), leastPause)
		if time.Until(end) < wait {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
