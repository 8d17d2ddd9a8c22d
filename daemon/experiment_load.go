package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/eval"
	"chimera/quality/experiment"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns what arms are asked: the load of late for their speed, and questions for their quality.

// What is looked back at, and how much of it is taken: a block asks a few hundred requests, and some blocks are to differ.
const (
	loadSince   = 24 * time.Hour
	mostLoad    = 4096
	leastLoad   = 8
	mostReceipt = 8 << 20 // tokens of all together
)

// mostQuestions are asked of a suite: two hundred tell two points of agreement.
const mostQuestions = 200

// question is one that quality is measured by.
type question struct {
	prompt []int32
	tags   []string
}

// laboratory is a run of experiments on one model.
type laboratory struct {
	all  *runtimes
	r    *Runtime
	up   *serving
	tier string        // that serves
	each time.Duration // time for a factor
	seed uint64

	load      []experiment.Request
	replayed  string // what it is, in words
	cuts      []int  // see armSpec
	questions []question
	of        int          // that these were drawn from
	suite     *suite.Suite // they are of; nil: they are canaries
	control   []api.Tried  // the source's answers to them
	turns     int
}

// served is how the model is served.
func (l *laboratory) served() armSpec {
	return armSpec{tier: l.tier, kv: l.all.config.KVType, budget: l.budget(), better: api.SourceTier}
}

// budget is what answers of the tier that serves are escalated within; 0: they are not.
func (l *laboratory) budget() float64 {
	if !l.up.isBelow(l.tier) {
		return 0
	}
	return l.r.edge.Of(l.tier).Budget
}

// prepare finds what arms are asked.
func (l *laboratory) prepare(ctx context.Context) error {
	recorded, err := l.recorded(ctx)
	if err != nil {
		return err
	}
	if len(recorded) < leastLoad {
		return api.CannotExperiment("there is nothing to replay: the history has %d answers of %s of the last %.0f hours, and it takes %d. Experiments replay what clients asked", len(recorded), l.r.name, loadSince.Hours(), leastLoad)
	}
	limits := l.up.loaded.Instance.Limits()
	l.load = experiment.MakeUp(recorded, limits.Vocab, limits.MaxContext, l.seed)
	kept := 0
	for i := range l.load {
		if !l.load[i].MadeUp {
			kept++
		}
	}
	l.replayed = fmt.Sprintf("replay of %d requests", len(l.load))
	switch kept {
	case len(l.load):
	case 0:
		l.replayed += " by their lengths and sharing"
	default:
		l.replayed += fmt.Sprintf(", %d of them by their lengths and sharing", len(l.load)-kept)
	}
	l.ask()
	return nil
}

// recorded are the newest requests of late that had an answer, and how long their answers were let become.
func (l *laboratory) recorded(ctx context.Context) (list []experiment.Recorded, err error) {
	h := l.all.history
	ctx, cancel, err := h.written(ctx)
	defer cancel()
	if err != nil {
		return nil, err
	}
	for r, err := range h.store.Receipts(ctx, store.Span{From: time.Now().Add(-loadSince)}) {
		if err != nil {
			return nil, err
		}
		if r.Model != l.r.name || r.Outcome != store.Stopped && r.Outcome != store.Lengthy || r.Answers != 1 || r.PromptTokens == 0 {
			continue
		}
		list = append(list, experiment.Recorded{At: r.Time, Prompt: int(r.PromptTokens), Cached: int(r.CachedTokens), Answer: int(r.AnswerTokens), Tokens: tokensKept(&r)})
		switch {
		case r.IgnoresEnd != 0: // no answer of it has an end
		case r.Outcome == store.Lengthy:
			l.cuts = append(l.cuts, int(r.AnswerTokens))
		default:
			l.cuts = append(l.cuts, 0)
		}
	}
	l.cuts = l.cuts[max(0, len(l.cuts)-mostLoad):]
	list = list[max(0, len(list)-mostLoad):]
	tokens, from := 0, len(list)
	for from > 0 && tokens+list[from-1].Prompt <= mostReceipt {
		from--
		tokens += list[from].Prompt
	}
	return list[from:], nil
}

// tokensKept is the prompt of a receipt, if its text was kept.
func tokensKept(r *store.Receipt) []int32 {
	var prompts [][]int32
	if r.Prompt == nil || json.Unmarshal([]byte(*r.Prompt), &prompts) != nil || len(prompts) != 1 || len(prompts[0]) == 0 {
		return nil
	}
	return prompts[0]
}

// ask chooses the questions: of the tuning half of the first suite as many as there is time for, of all tags, or where there is no suite the canaries of
// the program.
func (l *laboratory) ask() {
	m := l.up.model
	fits := func(prompt []int32) bool { return len(prompt) > 0 && len(prompt) < m.MaxContext }
	g := l.all.guardian
	if g == nil || len(g.suites) == 0 {
		for _, text := range group.Prompts {
			if prompt := m.PrefixIDs(text); fits(prompt) {
				l.questions = append(l.questions, question{prompt, nil})
			}
		}
		l.of = len(l.questions)
		return
	}
	var all []question
	var items []suite.Item
	var tags [][]string
	for _, item := range g.suites[0].Items {
		if prompt, err := m.Prompt(turnsOf(eval.Conversation(&item))); err == nil && fits(prompt) {
			all, items, tags = append(all, question{prompt, item.Tags}), append(items, item), append(tags, item.Tags)
		}
	}
	l.of, l.suite = len(all), &suite.Suite{Name: g.suites[0].Name}
	for _, i := range experiment.Draw(tags, mostQuestions, l.seed) {
		l.questions, l.suite.Items = append(l.questions, all[i]), append(l.suite.Items, items[i])
	}
}

// askedBy is of what the questions are, in words.
func (l *laboratory) askedBy() string {
	switch {
	case l.suite == nil:
		return fmt.Sprintf("%d canaries", len(l.questions))
	case l.of > len(l.questions):
		return fmt.Sprintf("%d of %d questions of suite %s, drawn by tag", len(l.questions), l.of, l.suite.Name)
	}
	return fmt.Sprintf("%d questions of suite %s", len(l.questions), l.suite.Name)
}

// answers are what an arm says to all questions. What others have computed of a question is found where the arm shares: each is asked twice then, and the
// second answer counts.
func (l *laboratory) answers(ctx context.Context, a *arm) ([]api.Tried, error) {
	list := make([]api.Tried, len(l.questions))
	l.turns++
	turn := fmt.Sprint("questions ", l.turns)
	err := l.all.trials.undisturbed(ctx, func(ctx context.Context) error {
		times := 2
		if a.spec.alone {
			times = 1
		}
		for range times {
			err := inParallel(ctx, len(list), func(ctx context.Context, i int) (err error) {
				list[i], err = a.model.Try(ctx, api.Trial{Prompt: l.questions[i].prompt, MaxTokens: a.spec.longest(i), Salt: a.salt(turn, i)})
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// longest is how many tokens the answer to the n-th question may have.
func (s *armSpec) longest(n int) int {
	if len(s.cuts) == 0 || s.cuts[n%len(s.cuts)] == 0 {
		return suiteAnswer
	}
	return min(suiteAnswer, s.cuts[n%len(s.cuts)])
}
