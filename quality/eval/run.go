package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns a run: all items of a suite, several at a time, each once.

// Settings are what answers depend on beside suite and model.
type Settings struct {
	MaxTokens int    `json:"max_tokens"` // of an answer
	Choices   string `json:"choices"`    // ByLikelihood or ByLetter; empty for a suite without choices
}

// Run is one evaluation.
type Run struct {
	Suite    *suite.Suite
	Answerer Answerer
	Clients  int // requests at a time
	Settings Settings
	Who      Identity
	Progress func(done, total int)
}

// Begin finds out who answers, and how its choices can be told.
func Begin(ctx context.Context, s *suite.Suite, a Answerer, maxTokens, clients int) (*Run, error) {
	who, err := a.Identify(ctx)
	if err != nil {
		return nil, err
	}
	r := &Run{Suite: s, Answerer: a, Clients: clients, Settings: Settings{MaxTokens: maxTokens}, Who: who, Progress: func(_, _ int) {}}
	if s.Has(suite.Choice) {
		r.Settings.Choices, err = chooses(ctx, a)
	}
	return r, err
}

// Key names all that the outcomes depend on: suite, model as it computes, settings. A run goes on with a journal of its own key alone.
func (r *Run) Key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %d %q %s", r.Suite.Digest(), r.Who.Model, r.Who.Numerics, r.Settings.MaxTokens, r.Settings.Choices, score.Version))
	return hex.EncodeToString(sum[:])
}

// Outcomes asks what the journal does not have, and returns all in the suite's order. A nil journal has and keeps nothing.
func (r *Run) Outcomes(ctx context.Context, j *Journal) ([]Outcome, error) {
	list, left := r.known(j)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		group sync.WaitGroup
		mu    sync.Mutex // of the journal and progress
		next  = make(chan int)
		done  = len(list) - len(left)
	)
	r.Progress(done, len(list))
	for range min(r.Clients, len(left)) {
		group.Go(func() {
			for n := range next {
				o, err := ask(ctx, r.Answerer, &r.Suite.Items[n], r.Who, r.Settings)
				mu.Lock()
				if err == nil && j != nil {
					err = j.Write(o)
				}
				if err == nil {
					list[n], done = o, done+1
					r.Progress(done, len(list))
				}
				mu.Unlock()
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	feed(ctx, next, left)
	group.Wait()
	return list, context.Cause(ctx)
}

// known are the outcomes that the journal has, and the numbers of the items that it has not.
func (r *Run) known(j *Journal) (list []Outcome, left []int) {
	list = make([]Outcome, len(r.Suite.Items))
	for n, item := range r.Suite.Items {
		if j != nil {
			if o, ok := j.Done[item.ID]; ok {
				list[n] = o
				continue
			}
		}
		left = append(left, n)
	}
	return list, left
}

// feed hands out numbers until the context ends.
func feed(ctx context.Context, next chan<- int, numbers []int) {
	defer close(next)
	for _, n := range numbers {
		select {
		case next <- n:
		case <-ctx.Done():
			return
		}
	}
}
