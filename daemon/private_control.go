package daemon

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/scheduler"
)

// This file owns the control of a daemon within a verb: its model's source, which reads what was answered. What it reads are the tokens that were served,
// and not the text: a text may be made of others.

// keptAnswers are answers by their names, from their end until somebody takes them, who may come first. Its zero value has none.
type keptAnswers struct {
	mu     sync.Mutex
	places map[api.AnswerID]chan servedAnswer // (1)
}

func (k *keptAnswers) place(id api.AnswerID) chan servedAnswer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.places == nil {
		k.places = map[api.AnswerID]chan servedAnswer{}
	}
	if k.places[id] == nil {
		k.places[id] = make(chan servedAnswer, 1)
	}
	return k.places[id]
}

// answered keeps an answer that has ended. Prompts that were only read are none.
func (k *keptAnswers) answered(a api.Answered) {
	if w := a.Work; w != nil && w.Drawn != nil && len(w.Answers) == 1 && !w.Requests[0].ScorePrompt {
		r := w.Requests[0]
		r.Prompt = slices.Clone(r.Prompt)
		k.place(w.ID) <- servedAnswer{r, w.Answers[0].IDs}
	}
}

// take waits for an answer. A client may have the last of it before it has ended here.
func (k *keptAnswers) take(ctx context.Context, id api.AnswerID) (servedAnswer, error) {
	select {
	case a := <-k.place(id):
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.places, id)
		return a, nil
	case <-ctx.Done():
		return servedAnswer{}, context.Cause(ctx)
	}
}

// draw implements api.Config.Draw: of a verb's own answers each is kept.
func (s *server) draw(id api.AnswerID, model string, class scheduler.Class) *api.Drawn {
	if s.kept != nil {
		return &api.Drawn{}
	}
	return s.models.live.drawn(id, model, class)
}

// Name implements eval.Control. It has the control loaded, if what serves is not the source itself.
func (p *Private) Name(ctx context.Context) (string, error) {
	control, err := p.control(ctx)
	if err != nil {
		return "", err
	}
	defer control.Release()
	return control.Model.Numerics(""), nil
}

// Read implements eval.Control.
func (p *Private) Read(ctx context.Context, answer eval.Reply) (eval.Reading, error) {
	id, named := api.ParseAnswerID(answer.ID)
	if !named {
		return eval.Reading{}, fmt.Errorf("the answer has no name, but %q", answer.ID)
	}
	served, err := p.server.kept.take(ctx, id)
	if err != nil {
		return eval.Reading{}, err
	}
	control, err := p.control(ctx)
	if err != nil {
		return eval.Reading{}, err
	}
	defer control.Release()
	return readingOf(control.Context, control.Model, served.request.Prompt, served.tokens)
}

func (p *Private) control(ctx context.Context) (api.Held, error) {
	all := p.server.models
	return all.control(ctx, all.list[0], all.borrow)
}
