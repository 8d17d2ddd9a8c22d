package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
	group "chimera/quality/control"
	"chimera/quality/coverage"
	"chimera/quality/guard"
	"chimera/quality/suite"
	"chimera/scheduler"
	"chimera/store"
	"chimera/tokenizer"
)

// This file owns the guard at work: when it looks at a model, and what it does with what the rule says.

// guardian watches how good each model is, by canaries and suites, and keeps it at the lowest tier that speed asks for and quality allows, if it is
// asked to. It is one goroutine, which measures and moves one model at a time: what it measures with takes memory.
type guardian struct {
	all      *runtimes
	suites   []*suite.Suite // of each the tuning half, which tiers are chosen by
	sealed   []*suite.Suite // and the other, which is written down and decides nothing
	wholes   []*suite.Suite
	criteria guard.Criteria
	ladder   []string
	mode     string        // see tiers.mode
	interval time.Duration // see quality.interval
	patience time.Duration // see canaryPatience
	wake     chan struct{} // (1)
	controls map[string]*suiteRun
	next     atomic.Pointer[time.Time] // when it measures by the timer
	reading  sync.Mutex                // held by who reads or makes items
	items    map[string]itemFeatures   // by model
}

// itemFeatures are those of suites' items, as a tokenizer has them.
type itemFeatures struct {
	of   *tokenizer.Tokenizer
	list []coverage.Features
}

// watched is what is known of a model's tiers. It is behind the lock of runtimes.
type watched struct {
	of       *serving // the load that it is known of: another may be of another file
	known    map[string]tierFigures
	pressure guard.Pressure
	advice   string // the last, which is told once
	fresh    bool   // what serves is doubted: it is asked anew, also what is pinned of it
	canaries canaryState
	verified string                  // digest of weights that were found to be their tier's own
	end      context.CancelCauseFunc // of a measurement under way
}

// stop ends a measurement under way.
func (w *watched) stop(cause error) {
	if w.end != nil {
		w.end(cause)
	}
}

// newGuardian is one that follows the settings. Without suites it asks canaries alone.
func (all *runtimes) newGuardian() (*guardian, error) {
	c := &all.config
	g := &guardian{
		all: all, ladder: c.Tiers.Rungs(), mode: c.Tiers.Mode, interval: c.Quality.Interval.Duration, patience: canaryPatience, wake: make(chan struct{}, 1),
		controls: map[string]*suiteRun{}, items: map[string]itemFeatures{},
	}
	if len(c.Quality.Suites) == 0 {
		return g, nil
	}
	var err error
	if g.wholes, err = readSuites(&c.Quality); err != nil {
		return g, err
	}
	if g.suites, err = tuningHalves(&c.Quality, g.wholes); err == nil {
		g.criteria, err = criteria(&c.Tiers, g.suites)
	}
	for _, s := range g.wholes {
		g.sealed = append(g.sealed, halfOf(s, suite.Sealed))
	}
	return g, err
}

// makeGuardian reads the suites before anything is loaded: a slip in them is known at once.
func (s *server) makeGuardian() error {
	g, err := s.models.newGuardian()
	if err != nil {
		return &config.Error{Err: err}
	}
	s.models.guardian = g
	return nil
}

// watchTiers has the guardian look at the models from here on.
func (s *server) watchTiers() error {
	g := s.models.guardian
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.run(ctx)
	}()
	s.onStop(func() {
		cancel(scheduler.ErrDraining)
		<-ended
	})
	return nil
}

// look has the guardian look at the models now.
func (g *guardian) look() {
	if g == nil {
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run looks at all models when something has changed, and measures what serves anew when its time has come.
func (g *guardian) run(ctx context.Context) {
	timer := time.NewTicker(g.interval)
	defer timer.Stop()
	g.next.Store(new(time.Now().Add(g.interval)))
	for {
		for _, r := range g.all.list {
			if err := g.watch(ctx, r); err != nil && ctx.Err() == nil {
				slog.Warn("tier: the guard can't go on with a model for now", "model", r.name, "cause", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
			g.next.Store(new(time.Now().Add(g.interval)))
			for _, r := range g.all.list {
				g.doubt(r.name)
			}
		}
	}
}

// watch looks at one model: what has changed of it, which tier it is to have, and how good that is.
func (g *guardian) watch(ctx context.Context, r *Runtime) error {
	if err := g.canaries(ctx, r); err != nil {
		return fmt.Errorf("its canaries: %w", err)
	}
	if err := g.attend(ctx, r); err != nil {
		return err
	}
	return g.publish(ctx, r)
}

// see begins anew with what is known of a model where it was loaded anew.
func (g *guardian) see(r *Runtime) *watched {
	w := &r.watched
	if w.of != r.up {
		*w = watched{of: r.up, known: map[string]tierFigures{}}
	}
	return w
}

// doubt forgets what is known of the tier that a model serves: weights in memory are what is to be watched, not those that were made once.
func (g *guardian) doubt(model string) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	r := g.all.find(model)
	if r == nil {
		return
	}
	delete(r.watched.known, r.tier)
	r.watched.fresh, r.watched.canaries.of = true, ""
	g.look()
}

// doubts tells whether live answers agree surely less than tiers must.
func (g *guardian) doubts(live []group.Estimate) bool {
	for _, c := range g.criteria {
		for _, e := range live {
			if e.Tag == "" && c.Metric == agreement && e.Metric == group.Agreement && e.High < c.Floor {
				return true
			}
		}
	}
	return false
}

// windows takes note of what the models have missed in a window in which they were asked.
func (g *guardian) windows(list []store.Window) {
	if g == nil {
		return
	}
	missed := map[string][]string{}
	for _, w := range list {
		missed[w.Model] = nil
		if w.Missed != "" {
			missed[w.Model] = strings.Split(w.Missed, ",")
		}
	}
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	for name, m := range missed {
		if r := g.all.find(name); r != nil && name != "" {
			r.watched.pressure.Add(m)
		}
	}
	g.look()
}

// attend does what the rule says of a model until it is to stay. Each turn measures a tier or goes to one.
func (g *guardian) attend(ctx context.Context, r *Runtime) error {
	for range 4 * len(g.ladder) {
		d, wanted, err := g.decide(r)
		if err != nil || !wanted || d.Action == guard.Stay {
			return err
		}
		switch {
		case d.Action == guard.Measure:
			err = g.learn(ctx, r, d)
		case d.Action == guard.Verify:
			err = g.verify(ctx, r, d)
		case g.mode == config.ModeGuard:
			err = g.move(ctx, r, d)
		default:
			g.advise(r, d)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errors.New("it does not come to rest: it looks again later")
}

// decide is what the rule says of a model; wanted is false of one that is not there, or on its way. Of one whose tier somebody else has chosen,
// it is measured how good that is.
func (g *guardian) decide(r *Runtime) (d guard.Decision, wanted bool, err error) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	if r.state != api.StateReady || r.swap != nil || len(g.suites) == 0 {
		return d, false, nil
	}
	w := g.see(r)
	if r.manual || g.mode == config.ModeFixed {
		return w.missing(r.tier), true, nil
	}
	ladder, at := g.rungs(r)
	d, err = ladder.Decide(g.criteria, guard.Situation{
		At: at, Missed: w.pressure.Missed(), Short: len(g.all.short) > 0, Verified: w.verified == r.up.lane.Weights(),
	})
	if d.Action == guard.Stay {
		slog.Debug("tier: it stays", "model", r.name, "tier", r.tier, "reason", d.Reason)
	}
	return d, true, err
}

// missing is to measure what is not known: the source, which all is held against, and what serves.
func (w *watched) missing(tier string) guard.Decision {
	for _, t := range []string{api.SourceTier, tier} {
		if !w.known[t].measured {
			return guard.Decision{Action: guard.Measure, Tier: t, Reason: "suites are asked now and then"}
		}
	}
	return guard.Decision{Action: guard.Stay, Tier: tier}
}

// rungs are the tiers of a model that are smaller than those above, and which of them serves. Of a model that has few bits already, several tiers
// are the same weights.
func (g *guardian) rungs(r *Runtime) (l guard.Ladder, at string) {
	at = r.tier
	for i, tier := range config.TierNames() {
		if !slices.Contains(g.ladder, tier) {
			continue
		}
		if tier == api.SourceTier || r.ladder[i] > 0 && r.ladder[i] < l[len(l)-1].Bytes {
			known := r.watched.known[tier]
			l = append(l, guard.Rung{Tier: tier, Bytes: r.ladder[i], Speed: known.speed, Evidence: known.evidence})
		}
		if tier == r.tier {
			at = l[len(l)-1].Tier
		}
	}
	return l, at
}

// learn measures a tier.
func (g *guardian) learn(ctx context.Context, r *Runtime, d guard.Decision) error {
	slog.Info("tier: measuring", "model", r.name, "tier", d.Tier, "reason", d.Reason)
	if !g.takeTurn(ctx) {
		return context.Cause(ctx)
	}
	defer g.leaveTurn()
	m, of, err := g.measure(ctx, r, d.Tier)
	if err != nil {
		return err
	}
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	if r.watched.of == of {
		r.watched.known[d.Tier] = m
	}
	return nil
}

// move has the model served at another tier.
func (g *guardian) move(ctx context.Context, r *Runtime, d guard.Decision) error {
	return g.make(ctx, r, &swap{to: d.Tier, reason: d.Reason, evidence: evidenceOf(d), byGuard: true})
}

// evidenceOf is what a decision went by, as the history has it; nil where a figure is no number.
func evidenceOf(d guard.Decision) []byte {
	evidence, err := json.Marshal(d.Evidence)
	if err != nil {
		return nil
	}
	return evidence
}

// make has a swap made, and waits for it.
func (g *guardian) make(ctx context.Context, r *Runtime, s *swap) error {
	if err := g.all.beginSwap(r.name, s); err != nil {
		return err
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.err == nil {
		g.all.mu.Lock()
		r.watched.pressure.Forget()
		g.all.mu.Unlock()
	}
	return s.err
}

// takeTurn waits until nobody measures: two at a time would be in each other's way, and samples give way to suites.
func (g *guardian) takeTurn(ctx context.Context) bool {
	select {
	case g.all.measuring <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *guardian) leaveTurn() { <-g.all.measuring }

// advise tells what it would do, once.
func (g *guardian) advise(r *Runtime, d guard.Decision) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	advice := d.Tier + d.Reason
	if r.watched.advice == advice {
		return
	}
	r.watched.advice = advice
	slog.Info("tier: advised", "model", r.name, "from", r.tier, "to", d.Tier, "reason", d.Reason)
	r.tell(api.TierEvent{Time: time.Now(), From: r.tier, To: d.Tier, Reason: d.Reason, Evidence: evidenceOf(d), State: stateAdvised})
}

// stateAdvised is the state of a step that the guard would make if it were let.
const stateAdvised = "advised"
