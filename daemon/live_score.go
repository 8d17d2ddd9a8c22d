package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/score"
)

// This file owns how a sample is scored: in idle time, by the tier that served it and by the control, which both read what was served.
//
// What the tier expects is computed again, and not taken from what was computed when it served: that would cost passes over the vocabulary in steps that
// clients wait for, and it is the same to the bit. Its weights are those that served, or the sample is lost.

const (
	// liveLook is how often it is looked whether the device is idle.
	liveLook = 20 * time.Millisecond
	// livePatience is how long a sample may take: it gets on in idle time alone, and what else is to be measured waits for it.
	livePatience = time.Minute
	// noControl is how long samples wait until it is looked again whether there may be a control for them; see absence.
	noControl = time.Second
	// mostAgain is how many tokens of an answer are computed again for its text: decoding takes as long as serving did, and what differs does so
	// early.
	mostAgain = 256
)

// run scores samples until the context ends.
func (l *liveGroup) run(ctx context.Context) {
	looked := time.Now()
	for ctx.Err() == nil {
		if now := time.Now(); now.Sub(looked) >= recentLook {
			l.forgetOld(now)
			looked = now
		}
		wait := time.Duration(0)
		switch {
		case !l.waits():
			select {
			case <-l.wake:
			case <-time.After(recentLook):
			case <-ctx.Done():
			}
		case !l.all.idle():
			wait = liveLook
		default:
			wait = l.next(ctx)
		}
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
}

func (l *liveGroup) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	drawn, _ := l.memory.Waiting()
	rated, _ := l.rated.Waiting()
	return drawn+rated > 0
}

// idle tells whether nobody is served or waits to be.
func (all *runtimes) idle() bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, r := range all.list {
		if len(r.waiters) > 0 || r.inFront > 0 {
			return false
		}
	}
	return true
}

// next scores the sample that waits longest, drawn ones before rated ones, when the guardian measures nothing; wait says how long to leave the others alone.
func (l *liveGroup) next(ctx context.Context) (wait time.Duration) {
	select {
	case l.all.measuring <- struct{}{}:
		defer func() { <-l.all.measuring }()
	case <-ctx.Done():
		return 0
	}
	s := l.take()
	if s == nil {
		return 0
	}
	defer l.leave()
	paired, err := l.patiently(ctx, s)
	switch none := (*noControlError)(nil); {
	case err == nil:
		l.note(s, paired)
	case errors.Is(err, errServed) && s.triesAgain() && l.keep(s):
		return liveLook
	case errors.As(err, &none) && l.keep(s):
		slog.Debug("control: samples wait for one", "model", s.model, "cause", err)
		return noControl
	default:
		slog.Debug("control: a sample is lost", "model", s.model, "cause", err)
		l.mu.Lock()
		l.lose(s)
		l.mu.Unlock()
	}
	s.Erase()
	return 0
}

// take is the next sample; nil: none waits. Whoever has it leaves it.
func (l *liveGroup) take() *sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, any := l.memory.Take()
	if !any {
		s, _ = l.rated.Take()
	}
	l.now = s
	return s
}

func (l *liveGroup) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = nil
}

// keep puts a sample back.
func (l *liveGroup) keep(s *sample) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.forgotten:
		return false
	case s.isDrawn():
		return l.memory.Return(s)
	}
	return l.rated.Return(s)
}

// noControlError says that there is no control at the moment: samples may wait for one.
type noControlError struct{ error }

func (e *noControlError) Unwrap() error { return e.error }

// errServed ends a sample for which there was no time: clients were served, or it is a long one.
var errServed = errors.New("there was no time to score it")

// mostTries is how often a sample begins: one that takes longer than livePatience in an idle machine would else hold up all others for good.
const mostTries = 3

func (s *sample) triesAgain() bool {
	s.tries++
	return s.tries < mostTries
}

// patiently scores a sample, or gives up for now.
func (l *liveGroup) patiently(ctx context.Context, s *sample) ([]group.Paired, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.patience, errServed)
	defer cancel()
	paired, err := l.score(ctx, s)
	if err != nil && errors.Is(context.Cause(ctx), errServed) {
		return nil, errServed
	}
	return paired, err
}

// score asks both models.
func (l *liveGroup) score(ctx context.Context, s *sample) (paired []group.Paired, err error) {
	tier, of, err := l.all.pair(ctx, s)
	if err != nil {
		return nil, err
	}
	defer tier.Release()
	defer of.Release()
	served, frozen := *tier.Model, *of.Model
	served.Ended, served.Idle, frozen.Idle = nil, true, true
	s.control = frozen.Numerics("")
	if s.escalated != "" {
		paired, err = ofControl(s, &frozen)
	} else {
		paired, err = l.compareAll(of.Context, &served, &frozen, s)
	}
	if err == nil {
		err = s.relate(of.Context, &frozen)
	}
	return paired, err
}

// compareAll holds all answers of a sample against the control's view of them.
func (l *liveGroup) compareAll(ctx context.Context, tier, frozen *api.Model, s *sample) (paired []group.Paired, err error) {
	for i := range s.answers {
		p, err := l.compare(ctx, tier, frozen, s, &s.answers[i])
		if err != nil {
			return nil, err
		}
		paired = append(paired, p)
	}
	return paired, nil
}

// ofControl are the scores of an escalated answer. What its client got is the control's own, so that both expect the same and say the same, and nothing
// is computed of it. It has waited like any other, for a control too, and is lost like any other: if these went ahead, they would stand for those that were lost.
func ofControl(s *sample, frozen *api.Model) (list []group.Paired, err error) {
	if s.control != s.escalated {
		return nil, errors.New("another source is the control by now")
	}
	for i := range s.answers {
		tokens := s.answers[i].tokens
		p := group.Paired{Tokens: float64(len(tokens)), Same: float64(len(tokens))}
		if len(tokens) <= mostAgain {
			text := frozen.Tokenizer.Decode(tokens, false)
			p.ChrF = score.ChrF{}.Counts(text, []string{text})
		}
		list = append(list, p)
	}
	return list, nil
}

// pair gives the model whose weights served a sample, and its control. The context of the second ends with either.
func (all *runtimes) pair(ctx context.Context, s *sample) (tier, of api.Held, err error) {
	all.mu.Lock()
	r := all.find(s.model)
	if r == nil || r.state != api.StateReady {
		all.mu.Unlock()
		return tier, of, errUnloaded
	}
	tier = all.borrow(r, ctx)
	all.mu.Unlock()
	if tier.Model.Numerics("") != s.numerics {
		tier.Release()
		return tier, of, errors.New("other weights serve by now")
	}
	if of, err = all.controlInTime(tier.Context, r); err != nil {
		tier.Release()
		if !errors.Is(err, errUnloaded) && ctx.Err() == nil {
			err = &noControlError{err}
		}
		return tier, of, err
	}
	return tier, of, nil
}

// compare holds one answer against the control's view of it.
func (l *liveGroup) compare(ctx context.Context, tier, frozen *api.Model, s *sample, a *servedAnswer) (p group.Paired, err error) {
	now, read, err := expectations(ctx, tier, a)
	if err != nil {
		return p, err
	}
	if tier.Numerics(read.Weights) != s.numerics {
		return p, errors.New("other weights serve by now")
	}
	wanted := now
	if frozen.Numerics("") != s.numerics {
		if wanted, read, err = expectations(ctx, frozen, a); err != nil {
			return p, err
		}
	}
	if p, err = group.Compare(wanted, now); err != nil {
		return p, err
	}
	if p.Fluency, err = score.FluencyCounts(read.LogProbability(), len(read.Expected)); err != nil || len(a.tokens) > mostAgain {
		return p, err
	}
	return p, l.again(ctx, frozen, s, a, &p)
}

// expectations are what a model expects at each position of an answer, and how it has read that.
func expectations(ctx context.Context, m *api.Model, a *servedAnswer) (list []group.Position, read api.Read, err error) {
	top := min(group.TopTokens, m.Tokenizer.VocabSize())
	if read, err = m.Expect(ctx, a.request.Prompt, a.tokens, top, a.request.Salt); err != nil {
		return nil, read, err
	}
	for _, e := range read.Expected {
		position := make(group.Position, len(e.Top))
		for i, t := range e.Top {
			position[i] = group.Likely{Token: t.Token, LogProbability: min(0, float64(t.Logprob))}
		}
		list = append(list, position)
	}
	return list, read, nil
}

// again has the control answer by itself, drawn as the served answer was, and holds the two texts against each other. Of the same numerics id they are the
// same tokens: where they are not, something is broken.
func (l *liveGroup) again(ctx context.Context, frozen *api.Model, s *sample, a *servedAnswer, p *group.Paired) error {
	r := a.request
	r.Prompt = slices.Clone(r.Prompt)
	if last := a.tokens[len(a.tokens)-1]; !slices.Contains(r.Ends, last) { // it was cut off there
		r.MaxTokens = len(a.tokens)
	}
	r.MaxTokens = min(r.MaxTokens, mostAgain)
	own, err := frozen.Again(ctx, r)
	clear(r.Prompt)
	if err != nil {
		return err
	}
	if frozen.Numerics(own.Weights) == s.numerics && !slices.Equal(own.Tokens, a.tokens) {
		l.all.raise(alarm{
			model: s.model, series: fmt.Sprintf("live answers, tier %s, numerics %s", s.tier, s.numerics), detector: "same numerics id",
			evidence: map[string]any{"tokens": len(a.tokens), "same": common(own.Tokens, a.tokens)},
		})
	}
	text := frozen.Tokenizer.Decode
	p.ChrF = score.ChrF{}.Counts(text(a.tokens, false), []string{text(own.Tokens, false)})
	clear(own.Tokens)
	return nil
}

// common is how many tokens two answers begin with alike.
func common(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
