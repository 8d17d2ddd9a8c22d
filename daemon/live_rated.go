package daemon

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"chimera/api"
	"chimera/loader"
	"chimera/quality/score"
	"chimera/scheduler"
)

// This file owns answers that were not drawn and may be rated: what is remembered of them until then, and what their ratings have measured.
//
// A draw of a tenth would leave nine ratings of ten without a score. So a rating has its answer scored, as long as its tokens are remembered. It stands for
// itself alone: people rate what they choose, so it is in no window, and drawn samples go first.

const (
	// What is remembered for ratings at most: some minutes of a busy machine.
	mostRecent      = 2048
	mostRecentBytes = 4 << 20
	// recentFor is how long, where less comes: who rates does so in the conversation, or not at all.
	recentFor  = time.Hour
	recentLook = time.Minute // at what is older
	// What was rated and waits for idle time at most.
	mostRated      = 1024
	mostRatedBytes = 4 << 20
	// mostRelated is how many tokens a prompt or an answer has at most of which a relevance is measured: both are read once more for it.
	mostRelated = 2048
)

const _ = uint(loader.RatedBytes - mostRecentBytes - mostRatedBytes) // the heap's plan has them

// remember keeps an answer for whoever rates it, if anybody can, and there is a control group at all.
func (l *liveGroup) remember(a api.Answered) {
	if l.all.history.keepsNothing() || a.Work.ID == (api.AnswerID{}) || math.Float64frombits(l.share.Load()) == 0 {
		return
	}
	s := l.sampleOf(a)
	if len(s.answers) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent.Add(s)
}

// rate has an answer scored that was rated, if its tokens are remembered, and returns its text where it is one answer.
func (l *liveGroup) rate(id api.AnswerID, correction string) (text string, known bool) {
	model, tokens := l.promote(id, correction)
	defer clear(tokens)
	l.wakes()
	if m, _ := l.all.Lookup(model); m != nil && len(tokens) > 0 {
		return m.Tokenizer.Decode(tokens, false), true
	}
	return "", false
}

// promote has a sample wait to be scored as one that was rated, and returns a copy of its tokens where it is one answer; none where it is not there.
func (l *liveGroup) promote(id api.AnswerID, correction string) (model string, tokens []int32) {
	is := func(s *sample) bool { return s.id == id }
	l.mu.Lock()
	defer l.mu.Unlock()
	s, there := l.memory.Pull(is)
	to := &l.memory
	if !there {
		s, there = l.recent.Pull(is)
		to = &l.rated
	}
	if !there {
		return "", nil
	}
	if model = s.model; len(s.answers) == 1 {
		tokens = slices.Clone(s.answers[0].tokens)
	}
	if s.rated = true; len(correction) <= mostCorrected {
		s.correction = []byte(correction)
	}
	for _, lost := range to.Add(s) {
		l.lose(lost)
	}
	return model, tokens
}

// forgetOld erases what nobody is going to rate any more.
func (l *liveGroup) forgetOld(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent.Drop(func(s *sample) bool { return now.Sub(s.ended) > recentFor })
}

// forget erases what a condition names; of a sample that is being scored nothing will be written, and it is erased then.
func (l *liveGroup) forget(of func(*sample) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.memory.Drop(of) {
		l.lose(s)
	}
	l.recent.Drop(of)
	l.rated.Drop(of)
	if l.now != nil && of(l.now) {
		l.now.forgotten = true
	}
}

// forgetSamples has samples forgotten, where there are any.
func (all *runtimes) forgetSamples(of func(*sample) bool) {
	if all != nil {
		all.live.forget(of)
	}
}

// relate measures the relevance of an answer that was rated, by the control's states: the cosine of the answer's mean and the prompt's, which is all that the
// model was given, and the correction's.
func (s *sample) relate(ctx context.Context, m *api.Model) error {
	if !s.rated || len(s.answers) != 1 {
		return nil
	}
	a := &s.answers[0]
	if len(a.tokens) > mostRelated || len(a.request.Prompt) > mostRelated {
		return nil
	}
	text := m.Tokenizer.Decode
	own, err := stateOf(ctx, m, text(a.tokens, false))
	if err != nil || own == nil {
		return err
	}
	for _, other := range []struct {
		text      string
		relevance **float64
	}{{text(a.request.Prompt, false), &s.relevance}, {string(s.correction), &s.correctionRelevance}} {
		state, err := stateOf(ctx, m, other.text)
		if err != nil {
			return err
		}
		if cosine, err := score.Relevance(own, state); err == nil {
			*other.relevance = &cosine
		}
	}
	return nil
}

// stateOf is a text's mean state; nil where it has none, or the model can't read it.
func stateOf(ctx context.Context, m *api.Model, text string) ([]float32, error) {
	state, _, err := m.Embed(ctx, text)
	if own := (*api.HTTPError)(nil); errors.Is(err, scheduler.ErrNoStates) || errors.As(err, &own) && own.Status == http.StatusBadRequest {
		return nil, nil
	}
	return state, err
}
