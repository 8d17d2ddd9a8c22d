package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/eval"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns how suites are asked: by a model of the daemon, or out of what it has answered before. The source's answers are pinned by its
// numerics id and what it was asked, so that a restart asks it nothing again, and so that it shows when it answers otherwise.

// suiteRun is a suite as one tier has answered it.
type suiteRun struct {
	run    *eval.Run
	report *eval.Report
	asked  []pinnedAnswer // by item; of one that was refused the zero value
	tokens int            // that were computed for it
	device time.Duration
	// agrees are by item's id the tokens of the control's answer that this tier would have chosen too, and how many there are.
	agrees map[string][]float64
	// change is by metric what it has above the run that its series began with, where that is of other weights and known item by item.
	change map[string]stats.Interval
	read   bool // the control has read its answers
}

// pinnedAnswer is an answer as it is kept. To choices it is how likely they are, and of each of their tokens which one the model would have chosen there.
type pinnedAnswer struct {
	prompt      []int32   // it is rendered anew
	Tokens      []int32   `json:"tokens"`
	Text        string    `json:"text"`
	Finish      string    `json:"finish"`
	Likelihoods []float64 `json:"likelihoods,omitempty"`
	// Agrees are, of weights that are not the source's, the tokens of the source's answer that they would have chosen too, and how many there are.
	Agrees []float64 `json:"agrees,omitempty"`
}

// asker implements eval.Answerer by a model of the daemon.
type asker struct {
	model *api.Model
	who   eval.Identity
	known map[string]pinnedAnswer // by the prompt's digest
	mu    sync.Mutex
	said  map[string]pinnedAnswer // as well
	done  *suiteRun
}

// askSuite has all items answered, but those of which the answer is known.
func askSuite(ctx context.Context, model *api.Model, s *suite.Suite, known map[string]pinnedAnswer) (*suiteRun, error) {
	who := eval.Identity{Model: model.Name, Numerics: model.Numerics("")}
	a := &asker{model: model, who: who, known: known, said: map[string]pinnedAnswer{}, done: &suiteRun{}}
	run := &eval.Run{Suite: s, Answerer: a, Clients: shadowSequences, Settings: eval.Settings{MaxTokens: suiteAnswer}, Who: who, Progress: func(_, _ int) {}}
	if s.Has(suite.Choice) {
		run.Settings.Choices = eval.ByLikelihood // which all models of a daemon tell
	}
	outcomes, err := run.Outcomes(ctx, nil)
	if err != nil {
		return nil, err
	}
	a.done.run = run
	for _, prompt := range promptsOf(model, s) {
		a.done.asked = append(a.done.asked, a.said[group.AnswerDigest(prompt)])
	}
	a.done.report, err = run.Report(outcomes)
	return a.done, err
}

// promptsOf are what the model reads of each item; nil of one that it can't.
func promptsOf(model *api.Model, s *suite.Suite) [][]int32 {
	list := make([][]int32, len(s.Items))
	for i := range s.Items {
		if item := &s.Items[i]; item.Kind == suite.Choice {
			_, list[i], _ = continuations(model, eval.Behind(item), eval.Continuations(item))
		} else {
			list[i], _ = model.Prompt(turnsOf(eval.Conversation(item)))
		}
	}
	return list
}

// continuations are how a model reads choices, each behind the same text, and the ids of all, by which their likelihoods are known again.
func continuations(model *api.Model, behind string, texts []string) (list []api.Continuation, ids []int32, err error) {
	for _, text := range texts {
		c, err := model.Continuation(behind, text)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, c)
		ids = append(append(append(append(ids, c.Before...), noToken), c.Tokens...), noToken)
	}
	return list, ids, nil
}

// noToken stands between texts.
const noToken = -1

// Identify implements eval.Answerer.
func (a *asker) Identify(context.Context) (eval.Identity, error) {
	return a.who, nil
}

// Answer implements eval.Answerer.
func (a *asker) Answer(ctx context.Context, messages []suite.Message, as eval.Sampling) (eval.Reply, error) {
	turns := turnsOf(messages)
	prompt, err := a.model.Prompt(turns)
	if err != nil {
		return eval.Reply{}, refusedItem(err)
	}
	key := group.AnswerDigest(prompt)
	if known, is := a.known[key]; is {
		known.prompt = prompt
		a.note(key, known, 0, 0)
		return eval.Reply{Text: known.Text, Finish: known.Finish}, nil
	}
	asked, err := persist(ctx, func() (api.Asked, error) { return a.model.Ask(ctx, turns, as.MaxTokens) })
	if err != nil {
		return eval.Reply{}, refusedItem(err)
	}
	a.note(key, pinnedAnswer{prompt: asked.Prompt, Tokens: asked.Tokens, Text: asked.Text, Finish: asked.Finish}, len(asked.Tokens), asked.Device)
	return eval.Reply{Text: asked.Text, Finish: asked.Finish, Numerics: a.model.Numerics(asked.Weights)}, nil
}

// refusedItem tells an item that can't be answered from a model that can't answer.
func refusedItem(err error) error {
	if own := (*api.HTTPError)(nil); errors.As(err, &own) && own.Status == http.StatusBadRequest {
		return &eval.RefusedError{Err: errors.New(own.Message)}
	}
	return err
}

func (a *asker) note(key string, said pinnedAnswer, tokens int, device time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said[key] = said
	a.done.tokens, a.done.device = a.done.tokens+tokens, a.done.device+device
}

// Likelihoods implements eval.Answerer.
func (a *asker) Likelihoods(ctx context.Context, behind string, texts []string) ([]float64, error) {
	list, ids, err := continuations(a.model, behind, texts)
	if err != nil {
		return nil, refusedItem(err)
	}
	key := group.AnswerDigest(ids)
	if known, is := a.known[key]; is && len(known.Likelihoods) == len(texts) {
		known.prompt = ids
		a.note(key, known, 0, 0)
		return known.Likelihoods, nil
	}
	said, device := pinnedAnswer{prompt: ids}, time.Duration(0)
	for _, c := range list {
		read, err := persist(ctx, func() (api.Read, error) { return a.model.Likely(ctx, c) })
		if err != nil {
			return nil, refusedItem(err)
		}
		if now := a.model.Numerics(read.Weights); now != a.who.Numerics {
			return nil, fmt.Errorf("%s has read a choice: the model was replaced meanwhile", now)
		}
		said.Likelihoods, device = append(said.Likelihoods, read.LogProbability()), device+read.Device
		for _, e := range read.Expected {
			said.Tokens = append(said.Tokens, e.Top[0].Token)
		}
	}
	a.note(key, said, len(said.Tokens), device)
	return said.Likelihoods, nil
}

// persist asks again as long as clients leave no place in the queue.
func persist[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		got, err := ask()
		if !errors.Is(err, scheduler.ErrQueueFull) {
			return got, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}

// inParallel does n things, some at a time, until one fails.
func inParallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	places := make(chan struct{}, shadowSequences)
	for i := range n {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if ctx.Err() == nil {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// agreements has a model read the control's answers. Of choices it is known already: both have read the same.
func agreements(ctx context.Context, model *api.Model, s *suite.Suite, done, control *suiteRun) (map[string][]float64, error) {
	rows := make([][]float64, len(s.Items))
	err := inParallel(ctx, len(s.Items), func(ctx context.Context, i int) error {
		a := control.asked[i]
		if len(a.Tokens) == 0 {
			return nil
		}
		if s.Items[i].Kind == suite.Choice {
			rows[i] = []float64{float64(alike(done.asked[i].Tokens, a.Tokens)), float64(len(a.Tokens))}
			return nil
		}
		same, err := persist(ctx, func() (int, error) { return model.Agrees(ctx, a.prompt, a.Tokens) })
		rows[i] = []float64{float64(same), float64(len(a.Tokens))}
		return err
	})
	return byItem(s, rows), err
}

// alike is at how many places two lists have the same token; none where one is longer.
func alike(a, b []int32) (same int) {
	if len(a) != len(b) {
		return 0
	}
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return same
}

// ofItself is a control's agreement.
func (done *suiteRun) ofItself(s *suite.Suite) {
	rows := make([][]float64, len(s.Items))
	for i, a := range done.asked {
		if n := float64(len(a.Tokens)); n > 0 {
			rows[i] = []float64{n, n}
		}
	}
	done.agrees = byItem(s, rows)
}

func byItem(s *suite.Suite, rows [][]float64) map[string][]float64 {
	all := map[string][]float64{}
	for i, row := range rows {
		if row != nil {
			all[s.Items[i].ID] = row
		}
	}
	return all
}

// ofSource is what the source answers to a suite, as it is pinned; fresh asks the model that is there all the same, and raises an alarm where it answers
// otherwise.
func (g *guardian) ofSource(ctx context.Context, model *api.Model, s *suite.Suite, fresh bool) (*suiteRun, error) {
	numerics, prompts := model.Numerics(""), promptsOf(model, s)
	content, err := g.all.golden(ctx, store.Suite, group.DigestOf(prompts, suiteAnswer), numerics)
	if err != nil {
		return nil, fmt.Errorf("the source's pinned answers can't be read: %w", err)
	}
	known := map[string]pinnedAnswer{}
	if content != nil {
		if known, err = readAnswers(content, prompts); err != nil {
			return nil, err
		}
	}
	ask := known
	if fresh {
		ask = nil
	}
	done, err := askSuite(ctx, model, s, ask)
	if err != nil {
		return nil, err
	}
	done.ofItself(s)
	if content == nil {
		text, err := json.Marshal(done.asked)
		if err != nil {
			return nil, err
		}
		g.pinSuite(ctx, prompts, numerics, text)
	} else if places := done.otherwise(known); len(places) > 0 {
		g.all.raise(alarm{model: model.Name, series: fmt.Sprintf("suite %s, tier %s, numerics %s", s.Name, api.SourceTier, numerics), detector: goldenDetector,
			evidence: map[string]any{"items": len(done.asked), "changed": len(places), "first": s.Items[places[0]].ID}})
		pinned, err := askSuite(ctx, model, s, known)
		if err != nil {
			return nil, err
		}
		pinned.ofItself(s)
		g.controls[controlKey(model, s)] = pinned // nothing is held against what has changed
		return done, nil
	}
	g.controls[controlKey(model, s)] = done
	return done, nil
}

// controlKey names what a model's source has answered to a suite.
func controlKey(model *api.Model, s *suite.Suite) string { return model.Name + " " + s.Digest() }

// pinSuite pins what the source has answered.
func (g *guardian) pinSuite(ctx context.Context, prompts [][]int32, numerics string, answers json.RawMessage) {
	g.all.pin(ctx, store.Golden{Kind: store.Suite, Digest: group.DigestOf(prompts, suiteAnswer), Numerics: numerics, Content: answers})
}

// readAnswers are pinned answers, by their prompts' digests.
func readAnswers(content json.RawMessage, prompts [][]int32) (map[string]pinnedAnswer, error) {
	var list []pinnedAnswer
	if err := json.Unmarshal(content, &list); err != nil || len(list) != len(prompts) {
		return nil, fmt.Errorf("there are %d pinned answers to %d questions: %w", len(list), len(prompts), err)
	}
	known := map[string]pinnedAnswer{}
	for i, a := range list {
		if len(a.Tokens) > 0 {
			a.prompt = prompts[i]
			known[group.AnswerDigest(prompts[i])] = a
		}
	}
	return known, nil
}

// otherwise are the items whose answers are not those that are pinned.
func (done *suiteRun) otherwise(known map[string]pinnedAnswer) (places []int) {
	for i, a := range done.asked {
		if pinned, is := known[group.AnswerDigest(a.prompt)]; is && !(slices.Equal(pinned.Tokens, a.Tokens) && slices.Equal(pinned.Likelihoods, a.Likelihoods)) {
			places = append(places, i)
		}
	}
	return places
}
