package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"chimera/quality/score"
	"chimera/quality/suite"
)

// This file owns a run: all items of a suite, several at a time, each once.

// Settings are what answers depend on beside suite and model.
type Settings struct {
	MaxTokens   int     `json:"max_tokens"`            // of an answer
	Choices     string  `json:"choices"`               // ByLikelihood or ByLetter; empty for a suite without choices
	Repeats     int     `json:"repeats,omitempty"`     // how often each item is asked; 0: once
	Temperature float64 `json:"temperature,omitempty"` // 0: answers are greedy
}

// times is how often each item is asked.
func (s *Settings) times() int { return max(1, s.Repeats) }

// likens tells whether an item's choices are compared by their likelihoods: there is no chance in these.
func (s *Settings) likens(i *suite.Item) bool {
	return i.Kind == suite.Choice && s.Choices == ByLikelihood
}

// Run is one evaluation.
type Run struct {
	Suite     *suite.Suite
	Answerer  Answerer
	Clients   int // requests at a time
	Settings  Settings
	Who       Identity
	Metrics   []string // that the report has; none: all
	ControlBy string   // the control's name; empty: nobody reads the answers
	// RelevanceBy is whose states relevance is measured by; empty: by nobody's, so there is none. See Relate.
	RelevanceBy string
	Progress    func(done, total int)
	control     Control
	states      *states // nil: there is no relevance
}

// Begin finds out who answers, and how its choices can be told.
func Begin(ctx context.Context, s *suite.Suite, a Answerer, settings Settings, clients int) (*Run, error) {
	who, err := a.Identify(ctx)
	if err != nil {
		return nil, err
	}
	r := &Run{Suite: s, Answerer: a, Clients: clients, Settings: settings, Who: who, Progress: func(_, _ int) {}}
	if s.Has(suite.Choice) {
		r.Settings.Choices, err = chooses(ctx, a)
	}
	return r, err
}

// wants tells whether the report is to have a metric.
func (r *Run) wants(metric string) bool {
	return len(r.Metrics) == 0 || slices.Contains(r.Metrics, metric)
}

// WantsReader tells whether there are answers that a control is to read.
func (r *Run) WantsReader() bool {
	return r.wants(fluency) && slices.ContainsFunc(r.Suite.Items, func(i suite.Item) bool { return !r.Settings.likens(&i) })
}

// ReadBy has a control read each answer from here on.
func (r *Run) ReadBy(ctx context.Context, c Control) error {
	name, err := c.Name(ctx)
	if err == nil {
		r.control, r.ControlBy = c, name
	}
	return err
}

// Key names all that the outcomes depend on: suite, model as it computes, settings, who reads the answers and by whose states they are related. A run goes on with a journal of its own key alone.
func (r *Run) Key() string {
	s := &r.Settings
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %d %q %d %v %q %s %t %q", r.Suite.Digest(), r.Who.Model, r.Who.Numerics, s.MaxTokens, s.Choices, s.times(), s.Temperature, r.ControlBy, score.Version, r.states != nil, r.RelevanceBy))
	return hex.EncodeToString(sum[:])
}

// Outcomes asks what the journal does not have, and returns all: the suite's items in their order, and these once more for each repeat. A nil journal has
// and keeps nothing.
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
				o, err := r.ask(ctx, r.item(n), n/len(r.Suite.Items))
				if err == nil {
					err = r.MeasureRelevance(ctx, &o, r.item(n))
				}
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
	r.repeatCertain(list)
	return list, context.Cause(ctx)
}

// item is the one that an outcome is of, by the outcome's number.
func (r *Run) item(n int) *suite.Item { return &r.Suite.Items[n%len(r.Suite.Items)] }

// known are the outcomes that the journal has, and the numbers of those that are to be asked. What has no chance in it is asked once.
func (r *Run) known(j *Journal) (list []Outcome, left []int) {
	list = make([]Outcome, r.Settings.times()*len(r.Suite.Items))
	for n := range list {
		item, repeat := r.item(n), n/len(r.Suite.Items)
		if repeat > 0 && r.Settings.likens(item) {
			continue
		}
		if j != nil {
			if o, ok := j.done[asked{item.ID, repeat}]; ok {
				list[n] = o
				continue
			}
		}
		left = append(left, n)
	}
	return list, left
}

// repeatCertain gives repeats what has no chance in it, as the first time had it.
func (r *Run) repeatCertain(list []Outcome) {
	for n := len(r.Suite.Items); n < len(list); n++ {
		if r.Settings.likens(r.item(n)) {
			list[n] = list[n%len(r.Suite.Items)]
			list[n].Repeat = n / len(r.Suite.Items)
		}
	}
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
