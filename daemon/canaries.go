package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/eval"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns canaries at work: the weights that serve answer them after each change and then on the timer, and an answer that is not the golden
// one raises an alarm. They decide nothing: the suites are asked. Each is asked twice, at first without the prefix cache and then with what that has of it: the
// cache saves time and changes no byte of an answer, or an alarm tells of it.

// suiteCanaries are how many items of each suite's beginning are canaries too: what is served is of their kind, if the suite was chosen well.
const suiteCanaries = 4

// canaryPatience is how long a model has been loaded before its canaries are asked: who waited for the load comes first, and a model that is loaded for one
// request does not stay for them.
const canaryPatience = 10 * time.Second

// canaryState is what is known of a model's canaries. It is behind the lock of runtimes, with the rest of watched.
type canaryState struct {
	of      string // the weights that were asked last; empty: they are to be asked
	changed []int  // canaries that had changed then
	unlike  []int  // that were answered otherwise with the prefix cache
	cached  int    // tokens of prompts that it had
	at      time.Time
	tier    string
	asked   int
}

// canary is one of a set.
type canary struct {
	name   string
	prompt []int32
}

// canaries are what a model is asked. What it can't read is left out.
func (g *guardian) canariesFor(m *api.Model) (list []canary) {
	add := func(name string, prompt []int32) {
		if n := len(prompt); n > 0 && n+group.CanaryTokens <= m.MaxContext {
			list = append(list, canary{name, prompt})
		}
	}
	for i, text := range group.Prompts {
		add(fmt.Sprint("prompt ", i+1), m.PrefixIDs(text))
	}
	for _, s := range g.suites {
		for i := range min(suiteCanaries, len(s.Items)) {
			if prompt, err := m.Prompt(turnsOf(eval.Conversation(&s.Items[i]))); err == nil {
				add(s.Name+" "+s.Items[i].ID, prompt)
			}
		}
	}
	return list
}

func turnsOf(messages []suite.Message) []api.Turn {
	turns := make([]api.Turn, len(messages))
	for i, m := range messages {
		turns[i] = api.Turn(m)
	}
	return turns
}

// canaries asks those of a model whose weights have changed, or whose time has come.
func (g *guardian) canaries(ctx context.Context, r *Runtime) error {
	all := g.all
	all.mu.Lock()
	if r.state != api.StateReady || r.swap != nil {
		all.mu.Unlock()
		return nil
	}
	g.see(r)
	held, of := all.borrow(r, ctx), r.up
	weights, was, rest := r.weights(), r.watched.canaries, g.patience-time.Since(r.up.since)
	all.mu.Unlock()
	defer held.Release()
	if was.of == weights {
		return nil
	}
	if rest > 0 {
		time.AfterFunc(rest, g.look)
		return nil
	}
	if !g.takeTurn(ctx) {
		return context.Cause(ctx)
	}
	defer g.leaveTurn()
	m := *held.Model
	m.Ended = nil
	list := g.canariesFor(&m)
	now, err := answersOf(held.Context, &m, list)
	if err != nil || len(list) == 0 {
		return err
	}
	changed, err := all.heldAgainst(ctx, list, now.alone, now.numerics)
	if err != nil {
		return err
	}
	state := canaryState{weights, changed, group.Changed(now.alone, now.again), now.cached, time.Now(), m.Tier(""), len(list)}
	slog.Info("control: canaries were asked", "model", r.name, "tier", state.tier, "numerics", now.numerics, "canaries", len(list), "changed", len(changed), "changed_by_cache", len(state.unlike))
	all.tellOfCanaries(r.name, now.numerics, list, &was, &state)
	all.mu.Lock()
	if r.watched.of == of {
		r.watched.canaries = state
	}
	all.mu.Unlock()
	if len(changed) > 0 {
		g.doubt(r.name)
	}
	return nil
}

// The detectors of canaries, as alarms name them.
const (
	goldenDetector = "golden"       // what is pinned is answered otherwise
	cacheDetector  = "prefix cache" // with the prefix cache another answer is given than without
)

// tellOfCanaries raises an alarm of what has changed, once.
func (all *runtimes) tellOfCanaries(model, numerics string, list []canary, was, now *canaryState) {
	tell := func(detector string, before, places []int, more map[string]any) {
		if len(places) == 0 || slices.Equal(places, before) {
			return
		}
		maps.Copy(more, map[string]any{"tier": now.tier, "numerics": numerics, "canaries": len(list), "changed": namesOf(list, places)})
		all.raise(alarm{model: model, series: fmt.Sprintf("canaries, tier %s, numerics %s, %s", now.tier, numerics, list[places[0]].name), detector: detector, evidence: more})
	}
	tell(goldenDetector, was.changed, now.changed, map[string]any{})
	tell(cacheDetector, was.unlike, now.unlike, map[string]any{"cached_tokens": now.cached})
}

// weights names the weights in memory that serve: the same tier that was made twice is two.
func (r *Runtime) weights() string {
	newest := r.up.generations.newest()
	return fmt.Sprint(newest.id, " ", r.up.model.Numerics(""))
}

// canaryAnswers are a model's answers to canaries, by their digests.
type canaryAnswers struct {
	alone    []string // by canary, without the prefix cache
	again    []string // once more, with what it has of the prompt
	cached   int      // tokens of prompts, together
	numerics string   // of all
}

// answersOf has a model answer canaries, each twice. A salt that nobody has had keeps the first from what is cached.
func answersOf(ctx context.Context, m *api.Model, list []canary) (said canaryAnswers, err error) {
	weights, cached := make([]string, 2*len(list)), make([]int, len(list))
	said.alone, said.again = make([]string, len(list)), make([]string, len(list))
	round := time.Now().UnixNano()
	err = inParallel(ctx, len(list), func(ctx context.Context, i int) error {
		for n, digests := range [][]string{said.alone, said.again} {
			a, err := persist(ctx, func() (api.Asked, error) {
				return m.Continue(ctx, list[i].prompt, group.CanaryTokens, fmt.Sprintf(" %d %d", round, i))
			})
			if err != nil {
				return err
			}
			digests[i], weights[2*i+n], cached[i] = group.AnswerDigest(a.Tokens), a.Weights, a.Cached
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return said, err
	}
	if slices.ContainsFunc(weights, func(w string) bool { return w != weights[0] }) {
		return said, errors.New("the weights were replaced while canaries were asked")
	}
	for _, n := range cached {
		said.cached += n
	}
	said.numerics = m.Numerics(weights[0])
	return said, nil
}

// heldAgainst are the places at which answers have changed since they were pinned; the first of a numerics id are pinned.
func (all *runtimes) heldAgainst(ctx context.Context, list []canary, now []string, numerics string) ([]int, error) {
	prompts := make([][]int32, len(list))
	for i := range list {
		prompts[i] = list[i].prompt
	}
	digest := group.DigestOf(prompts, group.CanaryTokens)
	content, err := all.golden(ctx, store.Canaries, digest, numerics)
	if err != nil {
		return nil, fmt.Errorf("the golden answers of %s can't be read: %w", numerics, err)
	}
	if content == nil {
		text, err := json.Marshal(now)
		if err != nil {
			return nil, err
		}
		content = all.pin(ctx, store.Golden{Kind: store.Canaries, Digest: digest, Numerics: numerics, Content: text})
	}
	var golden []string
	if err := json.Unmarshal(content, &golden); err != nil {
		return nil, err
	}
	return group.Changed(golden, now), nil
}

// mostNamed bounds what an alarm's evidence names.
const mostNamed = 50

func namesOf(list []canary, places []int) (names []string) {
	for _, i := range places[:min(len(places), mostNamed)] {
		if i < len(list) {
			names = append(names, list[i].name)
		}
	}
	return names
}
