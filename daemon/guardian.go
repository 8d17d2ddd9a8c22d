package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/quality/guard"
	"chimera/quality/suite"
	"chimera/scheduler"
	"chimera/store"
)

// This file owns the guard at work: when it looks at a model, and what it does with what the rule says.

// guardian keeps each model at the lowest tier that speed asks for and quality allows. It is one goroutine, which measures and moves one model at
// a time: what it measures with takes memory.
type guardian struct {
	all      *runtimes
	suites   []*suite.Suite // of each the tuning half
	criteria guard.Criteria
	ladder   []string
	moves    bool          // else it only advises
	interval time.Duration // see quality.interval
	wake     chan struct{} // (1)
	controls map[string]*suiteRun
}

// watched is what is known of a model's tiers. It is behind the lock of runtimes.
type watched struct {
	of       *serving // the load that it is known of: another may be of another file
	known    map[string]tierFigures
	pressure guard.Pressure
	advice   string                  // the last, which is told once
	end      context.CancelCauseFunc // of a measurement under way
}

// stop ends a measurement under way.
func (w *watched) stop(cause error) {
	if w.end != nil {
		w.end(cause)
	}
}

// newGuardian is nil where nobody asks for one.
func (all *runtimes) newGuardian() (*guardian, error) {
	c := &all.config
	if c.Tiers.Mode == modeFixed {
		return nil, nil
	}
	g := &guardian{
		all: all, ladder: c.Tiers.ladder(), moves: c.Tiers.Mode == modeGuard, interval: c.Quality.Interval.Duration, wake: make(chan struct{}, 1),
		controls: map[string]*suiteRun{},
	}
	var err error
	if g.suites, err = c.Quality.tuning(); err == nil {
		g.criteria, err = c.Tiers.criteria(g.suites)
	}
	return g, err
}

// makeGuardian reads the suites before anything is loaded: a slip in them is known at once.
func (s *server) makeGuardian() error {
	g, err := s.models.newGuardian()
	if err != nil {
		return &ConfigError{err}
	}
	s.models.guardian = g
	return nil
}

// watchTiers has the guardian look at the models from here on.
func (s *server) watchTiers() error {
	g := s.models.guardian
	if g == nil {
		return nil
	}
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
	for {
		for _, r := range g.all.list {
			if err := g.attend(ctx, r); err != nil && ctx.Err() == nil {
				slog.Warn("tier: the guard can't go on with a model for now", "model", r.name, "cause", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-g.wake:
		case <-timer.C:
			g.doubt()
		}
	}
}

// doubt forgets what is known of the tiers that serve: weights in memory are what is to be watched, not those that were made once.
func (g *guardian) doubt() {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	for _, r := range g.all.list {
		delete(r.watched.known, r.tier)
	}
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
		case g.moves:
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

// decide is what the rule says of a model; wanted is false of one that is not there, on its way, or the administrator's choice.
func (g *guardian) decide(r *Runtime) (d guard.Decision, wanted bool, err error) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	if r.state != api.StateReady || r.manual || r.swap != nil {
		return d, false, nil
	}
	w := &r.watched
	if w.of != r.up {
		*w = watched{of: r.up, known: map[string]tierFigures{}}
	}
	ladder, at := g.rungs(r)
	d, err = ladder.Decide(g.criteria, guard.Situation{At: at, Missed: w.pressure.Missed(), Short: len(g.all.short) > 0})
	if d.Action == guard.Stay {
		slog.Debug("tier: it stays", "model", r.name, "tier", r.tier, "reason", d.Reason)
	}
	return d, true, err
}

// rungs are the tiers of a model that are smaller than those above, and which of them serves. Of a model that has few bits already, several tiers
// are the same weights.
func (g *guardian) rungs(r *Runtime) (l guard.Ladder, at string) {
	at = r.tier
	for i, tier := range tierNames() {
		if !slices.Contains(g.ladder, tier) {
			continue
		}
		if tier == sourceTier || r.ladder[i] > 0 && r.ladder[i] < l[len(l)-1].Bytes {
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
	evidence, err := json.Marshal(d.Evidence)
	if err != nil { // a figure that is no number
		evidence = nil
	}
	s := &swap{to: d.Tier, reason: d.Reason, evidence: evidence, byGuard: true}
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
	evidence, err := json.Marshal(d.Evidence)
	if err != nil {
		evidence = nil
	}
	r.tell(api.TierEvent{Time: time.Now(), From: r.tier, To: d.Tier, Reason: d.Reason, Evidence: evidence, State: stateAdvised})
}

// stateAdvised is the state of a step that the guard would make if it were let.
const stateAdvised = "advised"
