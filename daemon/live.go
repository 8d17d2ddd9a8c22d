package daemon

import (
	"context"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"chimera/api"
	"chimera/config"
	group "chimera/quality/control"
	"chimera/quality/coverage"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns the live part of the control group: which answers are drawn, the samples that wait, and what they say when they were scored.

// What samples take of memory at most. A sample is its tokens' ids, some KiB: so many are an hour of a small machine's share, and what is older than that
// says little of now.
const (
	mostSamples     = 4096
	mostSampleBytes = 64 << 20
)

// liveGroup draws answers and keeps them until they are scored. While its own lock is held none is taken but that of the history's queue, which takes no other.
type liveGroup struct {
	all        *runtimes
	keepsTexts bool          // of what is drawn; see store.Samples
	patience   time.Duration // see livePatience
	draw       *group.Draw
	share      atomic.Uint64 // bits of a float64; see quality.control_share
	size       atomic.Int64  // requests of a window; see quality.window
	wake       chan struct{} // (1)

	mu     sync.Mutex
	memory group.Memory[*sample] // what was drawn, until it is scored
	recent group.Memory[*sample] // what was not, while somebody may rate it; see live_rated.go
	rated  group.Memory[*sample] // of that, what was rated, until it is scored
	now    *sample               // that is being scored; nil: none
	models map[string]*liveModel
}

// liveModel is what is known of a model's live answers.
type liveModel struct {
	counts         group.Counts
	tier, numerics string // of the window under way
	control        string // the control's numerics id
	traffic        coverage.Traffic
	named          map[string]bool // parts that suites lack and of which it was told
	window         group.Window
	last           []group.Estimate // of the last whole window
	lastAt         time.Time
	lastOf         string // its numerics
	lastRequests   int
	triggered      time.Time
}

// sample is a request whose answers are scored, if they were drawn or are rated.
type sample struct {
	id                    api.AnswerID
	tenant                string
	ended                 time.Time
	model, tier, numerics string // of what served, also where the source's answer was given for the draft
	escalated             string // the numerics id of the answer that was given then
	control               string // the control's numerics id, when it was scored
	stratum               group.Stratum
	share                 float64 // the probability that it was drawn with; 0: it was not
	answers               []servedAnswer
	tries                 int  // that ended before it was scored
	forgotten             bool // nothing is to be written of it; liveGroup's lock guards it

	rated                          bool
	correction                     []byte   // what somebody said that the answer should have been; empty: nobody did
	relevance, correctionRelevance *float64 // nil: nobody has measured it
}

// isDrawn tells whether it stands for others.
func (s *sample) isDrawn() bool { return s.share > 0 }

// servedAnswer is one of its answers: what was asked, and the tokens that were served.
type servedAnswer struct {
	request scheduler.Request
	tokens  []int32
}

// Bytes implements group.Kept.
func (s *sample) Bytes() int {
	n := sampleBytes + cap(s.correction)
	for i := range s.answers {
		r := &s.answers[i].request
		n += answerBytes + 4*(cap(r.Prompt)+cap(s.answers[i].tokens)) + 8*len(r.Sampling.Biases)
	}
	return n
}

// What a sample and each of its answers take without what they point to. Names are others', too.
var sampleBytes, answerBytes = int(reflect.TypeFor[sample]().Size()), int(reflect.TypeFor[servedAnswer]().Size())

// Erase implements group.Kept.
func (s *sample) Erase() {
	for i := range s.answers {
		clear(s.answers[i].request.Prompt)
		clear(s.answers[i].tokens)
		s.answers[i].request.Sampling.Biases = nil // which others have, too
	}
	clear(s.correction)
}

func newLive(all *runtimes, c *config.Config) *liveGroup {
	l := &liveGroup{
		all: all, keepsTexts: c.Privacy.Store == string(store.Samples), patience: livePatience, draw: group.NewDraw(), wake: make(chan struct{}, 1), models: map[string]*liveModel{},
		memory: group.Memory[*sample]{MostSamples: mostSamples, MostBytes: mostSampleBytes},
		recent: group.Memory[*sample]{MostSamples: mostRecent, MostBytes: mostRecentBytes},
		rated:  group.Memory[*sample]{MostSamples: mostRated, MostBytes: mostRatedBytes},
	}
	l.follow(*c)
	return l
}

// follow takes over what a reload may change.
func (l *liveGroup) follow(c config.Config) {
	l.share.Store(math.Float64bits(c.Quality.ControlShare))
	l.size.Store(int64(c.Quality.Window))
}

// drawn implements api.Config.Draw. What the daemon asks itself has no id, and background work waits for idle time, in which it is like no other.
func (l *liveGroup) drawn(id api.AnswerID, model string, class scheduler.Class) *api.Drawn {
	share := math.Float64frombits(l.share.Load())
	if class == scheduler.Background || !l.draw.Takes(id, share) {
		return nil
	}
	return &api.Drawn{Load: l.all.loadFor(model), Share: share, KeepsText: l.keepsTexts}
}

// loadFor is what a request finds that has just been given a model.
func (all *runtimes) loadFor(model string) string {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(model)
	if r == nil || r.up == nil {
		return group.Idle
	}
	others := max(0, r.inFront-1)
	return group.LoadOf(others, min(others, r.up.lane.Snapshot().Waiting))
}

// answered takes a request that has ended into the sample, if it was drawn, and else keeps it for whoever rates it. It does not wait.
func (l *liveGroup) answered(a api.Answered) {
	if l == nil || a.Work == nil {
		return
	}
	if a.Work.Drawn == nil {
		l.remember(a)
		return
	}
	s := l.sampleOf(a)
	if len(s.answers) == 0 { // nothing was served
		return
	}
	features := l.featuresOf(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.models[s.model]
	if m == nil {
		m = &liveModel{counts: group.Counts{}}
		l.models[s.model] = m
	}
	m.traffic.Add(features)
	m.counts.Of(s.stratum).Drawn++
	for _, lost := range l.memory.Add(s) {
		l.lose(lost)
	}
	l.wakes()
}

// wakes tells who scores that something waits.
func (l *liveGroup) wakes() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// sampleOf copies what is scored, so that it can be erased.
func (l *liveGroup) sampleOf(a api.Answered) *sample {
	w := a.Work
	s := &sample{id: w.ID, tenant: a.Tenant, ended: a.Ended, model: a.Model, tier: w.Tier, numerics: w.Numerics}
	if e := w.Extra; e != nil && e.From != "" {
		s.tier, s.numerics, s.escalated = e.From, e.Numerics, w.Numerics
	}
	tokens, truncated := 0, a.Status >= 400
	var prompt []int32 // the last that was copied: choices share theirs
	for i := range w.Answers {
		answer, r := &w.Answers[i], w.Requests[i]
		if r.Choice == 0 {
			prompt = slices.Clone(r.Prompt)
		}
		if r.Prompt = prompt; len(answer.IDs) == 0 {
			continue
		}
		tokens += len(r.Prompt) + len(answer.IDs)
		truncated = truncated || answer.Finish != string(store.Stopped)
		s.answers = append(s.answers, servedAnswer{r, answer.IDs})
	}
	if w.Drawn != nil && len(s.answers) > 0 {
		s.share = w.Drawn.Share
		s.stratum = group.Stratum{Load: w.Drawn.Load, Class: a.Class.String(), Length: group.LengthOf(tokens), Script: l.scriptOf(s), Truncated: truncated}
	}
	return s
}

// scriptTokens are as many as show what script a text is in.
const scriptTokens = 128

// scriptOf is that of the end of a prompt and the beginning of its answer. What a model's template writes between is in no script but Latin, and short.
func (l *liveGroup) scriptOf(s *sample) string {
	m, _ := l.all.Lookup(s.model)
	if m == nil { // it has just gone
		return group.ScriptOf("")
	}
	prompt, answer := s.answers[0].request.Prompt, s.answers[0].tokens
	return group.ScriptOf(m.Tokenizer.Decode(prompt[max(0, len(prompt)-scriptTokens):], false) + m.Tokenizer.Decode(answer[:min(len(answer), scriptTokens)], false))
}

// lose takes note of a sample that will not be scored, and was erased. Nobody counts what stands for itself alone.
func (l *liveGroup) lose(s *sample) {
	if !s.isDrawn() {
		return
	}
	m := l.models[s.model]
	m.counts.Of(s.stratum).Lost++
	if m.numerics == s.numerics || m.numerics == "" {
		m.window.Lose(s.stratum, s.share)
	}
}

// note takes note of a sample that was scored.
func (l *liveGroup) note(s *sample, answers []group.Paired) {
	l.judged(s, answers)
	if !s.isDrawn() {
		return
	}
	l.mu.Lock()
	m := l.models[s.model]
	m.counts.Of(s.stratum).Scored++
	var ended group.Window
	tier, numerics, control := m.tier, m.numerics, m.control
	if m.numerics != s.numerics {
		if m.numerics != "" { // else what was lost before the first was scored is of this window
			ended, m.window = m.window, group.Window{}
		}
		m.tier, m.numerics = s.tier, s.numerics
	}
	m.control = s.control
	m.window.Score(s.stratum, s.share, answers...)
	if int64(m.window.Requests()) >= l.size.Load() {
		ended, m.window = m.window, group.Window{}
		tier, numerics, control = m.tier, m.numerics, m.control
	}
	l.mu.Unlock()
	if ended.Requests() >= group.LeastRequests {
		l.close(s.model, tier, numerics, control, &ended)
	}
}

// close writes what a window says. It may take a second, in which serving goes on.
func (l *liveGroup) close(model, tier, numerics, control string, w *group.Window) {
	estimates, err := w.Estimates()
	if err != nil {
		slog.Warn("control: a window says nothing", "model", model, "tier", tier, "cause", err)
		return
	}
	now := time.Now()
	var worse []*drifted
	for _, e := range estimates {
		row := store.Score{Time: now, Model: model, Suite: liveSuite, Digest: liveDigest, Metric: e.Metric, Tag: e.Tag, Tier: tier, Value: e.Estimate, Low: e.Low, High: e.High, N: int64(e.Requests), Numerics: numerics}
		if ideal, known := perfect[e.Metric]; known && tier != api.SourceTier { // which agrees with itself, by what the metrics are
			own := row
			own.Tier, own.Numerics, own.Value = api.SourceTier, control, ideal
			own.Low, own.High = own.Value, own.Value
			l.all.addScore(own, 0)
		}
		if d := l.all.addScore(row, standardError(row)); d != nil {
			worse = append(worse, d)
		}
		if e.Tag == "" {
			slog.Info("control: a window was scored", "model", model, "tier", tier, "metric", e.Metric, "value", e.Estimate, "low", e.Low, "high", e.High, "requests", e.Requests)
		}
	}
	l.mu.Lock()
	m := l.models[model]
	below := l.all.guardian.doubts(estimates)
	m.last, m.lastAt, m.lastOf, m.lastRequests = estimates, now, numerics, w.Requests()
	trigger := below && now.Sub(m.triggered) >= l.all.config.Quality.Interval.Duration
	if trigger {
		m.triggered = now
	}
	l.mu.Unlock()
	if l.all.tellDrift(worse) || trigger {
		slog.Warn("control: live answers are worse than they should be: the suites are asked", "model", model, "tier", tier, "drifted", len(worse))
		l.all.guardian.doubt(model)
	}
	l.tellUncovered(model)
}

// The name that live scores have in the history, and what stands in the place of a suite's digest: the metrics' definition.
const (
	liveSuite  = "live"
	liveDigest = "live-1"
)

// perfect is what metrics are of a model beside itself, of those that say so by what they are.
var perfect = map[string]float64{group.Agreement: 1, group.KL: 0, group.ChrF: 100}

// watchLive scores what was drawn from here on.
func (s *server) watchLive() error {
	l := s.models.live
	s.whenReloaded(l.follow)
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(ctx)
	}()
	s.onStop(func() {
		cancel(scheduler.ErrDraining)
		<-ended
		l.forget(func(*sample) bool { return true })
	})
	return nil
}
