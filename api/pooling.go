package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns computing the states of a client's texts: all together or none, by the same weights, and for whose account.

// pooledText is a text's mean state, and what computed it.
type pooledText struct {
	state   []float32
	weights string // their digest
}

// pooling is texts on their way.
type pooling struct {
	call     *call
	model    *Model
	requests []scheduler.Request
	arrived  time.Time
	done     []pooledText // as many as requests
}

// pool computes the mean states of texts. What it took counts for the caller as an answer's does, whatever comes of it.
func (c *call) pool(m *Model, requests []scheduler.Request) ([]pooledText, error) {
	p := &pooling{call: c, model: m, requests: requests, arrived: time.Now(), done: make([]pooledText, len(requests))}
	f := &c.figures
	f.model = m.Name
	for i := range requests {
		f.promptTokens += len(requests[i].Prompt)
	}
	defer p.account()
	return p.done, p.compute(c.context())
}

// account says whose tokens these were, as far as any were computed.
func (p *pooling) account() {
	if by := p.lastWeights(); by != "" {
		p.call.figures.work = &Work{Numerics: p.model.Numerics(by), Tier: p.model.Tier(by), Requests: p.requests, Came: p.arrived}
	}
}

func (p *pooling) lastWeights() string {
	for _, t := range slices.Backward(p.done) {
		if t.weights != "" {
			return t.weights
		}
	}
	return ""
}

// mostRounds bounds how often texts are computed again: weights are replaced no oftener than once in many seconds.
const mostRounds = 4

// compute has all texts computed by the same weights: vectors of different ones can't be compared. Where others came meanwhile, what is of those before
// is computed again.
func (p *pooling) compute(ctx context.Context) error {
	which := make([]int, len(p.requests))
	for i := range which {
		which[i] = i
	}
	for range mostRounds {
		if err := p.ask(ctx, which); err != nil {
			return err
		}
		if which = p.outdated(); len(which) == 0 {
			return nil
		}
	}
	return &HTTPError{Status: 503, Type: "server_error", Code: "weights_changed", Message: "the model's weights are replaced again and again: try again in a moment"}
}

// outdated are the texts that must be computed again: those of weights that answer no more, where not all are of the same.
func (p *pooling) outdated() (which []int) {
	if !slices.ContainsFunc(p.done, func(t pooledText) bool { return t.weights != p.done[0].weights }) {
		return nil
	}
	now := p.model.Numerics("")
	for i, t := range p.done {
		if p.model.Numerics(t.weights) != now {
			which = append(which, i)
		}
	}
	return which
}

// ask computes some of the texts. The first that fails ends the others.
func (p *pooling) ask(ctx context.Context, which []int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group := make([]scheduler.Request, len(which))
	for n, i := range which {
		group[n] = p.requests[i]
	}
	all, err := p.model.Engine.SubmitGroup(ctx, group)
	if err != nil {
		for _, i := range which {
			p.ended(i, Ended{Refused: err})
		}
		return p.refused(err, which)
	}
	var failed error
	for n, i := range which {
		e, err := all[n].Next(ctx)
		if err = cmp.Or(err, cutOff(&e)); err != nil && failed == nil {
			failed = p.failed(err, i)
			cancel()
		}
		p.ended(i, Ended{Err: err})
		p.done[i] = pooledText{e.Pooled, all[n].Weights()}
		f := &p.call.figures
		f.queued, f.cachedTokens = max(f.queued, all[n].Waited()), f.cachedTokens+all[n].Cached()
	}
	return failed
}

// ended tells whoever asks what became of a text.
func (p *pooling) ended(i int, e Ended) {
	if tell := p.model.Ended; tell != nil {
		e.Request, e.Arrived = p.requests[i], p.arrived
		tell(e)
	}
}

// refused is why a group was not taken, with the name of the text that it was not taken for.
func (p *pooling) refused(err error, which []int) error {
	refused := (&job{model: p.model, manyBy: embedded}).refused(err)
	if one := (*scheduler.RequestError)(nil); errors.As(err, &one) {
		return p.named(refused, which[one.Request])
	}
	return refused
}

// failed is why a text has no state, with its name where others might have one.
func (p *pooling) failed(err error, i int) error {
	if notFinite := (*engine.NotFiniteError)(nil); errors.As(err, &notFinite) {
		return p.named(err, i)
	}
	return err
}

// named is an error about one of the texts.
func (p *pooling) named(err error, i int) error {
	about := *toHTTP(err)
	about.Param = entryOf(embedded, i, len(p.requests))
	about.Message = about.Param + ": " + about.Message
	return &about
}
