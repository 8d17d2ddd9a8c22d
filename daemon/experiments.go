package daemon

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/quality/experiment"
	"chimera/scheduler"
)

// This file owns experiments: when they may run, that they give way, and what is told of them.
//
// An experiment about speed must have the device for itself. So it runs while nobody is served, block by block; who comes ends the block under way, which
// counts for nothing, and waits for one step at most. Rejected: class background, whose steps are computed in gaps, so that it would be the
// gaps that are measured.

// experiments are those of all models. It is behind the lock of runtimes, but for all.
type experiments struct {
	all      *runtimes
	run      *experimentRun // nil: none is under way
	problems []api.ExperimentFailed
	left     time.Time // when the last client let go of a model, or came
}

// experimentRun is one under way.
type experimentRun struct {
	shown api.ExperimentRun
	end   context.CancelCauseFunc
	yield context.CancelCauseFunc // ends the block under way; nil: none is
}

// errClientsCame ends a block.
var errClientsCame = errors.New("a client came")

// giveWay ends a block under way, since somebody wants a model who is no background work.
func (e *experiments) giveWay(class scheduler.Class) {
	if !isForeground(class) {
		return
	}
	e.left = time.Now()
	if e.run != nil && e.run.yield != nil && !e.run.shown.Now {
		e.run.yield(errClientsCame)
	}
}

// stop ends a run.
func (e *experiments) stop(cause error) {
	if e.run != nil {
		e.run.end(cause)
	}
}

// breath is how long nobody has been served before a block begins: clients that ask one thing after the other are not let in between.
const breath = time.Second

// begin waits until nobody is served and nothing else measures. The context that it gives ends when somebody comes.
func (e *experiments) begin(ctx context.Context) (turns context.Context, end func(), err error) {
	all, run := e.all, e.run
	for {
		if err := e.untilQuiet(ctx); err != nil {
			return nil, nil, err
		}
		select {
		case all.measuring <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
		all.mu.Lock()
		if run.shown.Now || all.served() == nil {
			break
		}
		all.mu.Unlock()
		<-all.measuring
	}
	defer all.mu.Unlock()
	turns, run.yield = context.WithCancelCause(ctx)
	return turns, func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		run.yield(nil)
		run.yield = nil
		<-all.measuring
	}, nil
}

// untilQuiet waits until nobody has been served for a breath.
func (e *experiments) untilQuiet(ctx context.Context) error {
	all, run := e.all, e.run
	all.mu.Lock()
	defer all.mu.Unlock()
	for !run.shown.Now {
		run.shown.Waiting = true
		if err := all.until(ctx, func() bool { return all.served() == nil }); err != nil {
			return err
		}
		rest := time.Until(e.left.Add(breath))
		if rest <= 0 {
			break
		}
		all.mu.Unlock()
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
		all.mu.Lock()
	}
	run.shown.Waiting = false
	return context.Cause(ctx)
}

// served is a model that clients hold or wait for; nil: there is none.
func (all *runtimes) served() *Runtime {
	at := slices.IndexFunc(all.list, func(r *Runtime) bool {
		return r.inFront > 0 || slices.ContainsFunc(r.waiters, (*waiter).isForeground)
	})
	if at < 0 {
		return nil
	}
	return all.list[at]
}

// undisturbed does something that gives way as blocks do, again until nobody came meanwhile.
func (e *experiments) undisturbed(ctx context.Context, do func(ctx context.Context) error) error {
	for {
		turns, end, err := e.begin(ctx)
		if err != nil {
			return err
		}
		err = interrupted(turns, do(turns))
		end()
		if !errors.Is(err, experiment.ErrInterrupted) {
			return err
		}
	}
}

// interrupted is what a turn fails with where somebody came.
func interrupted(turns context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(turns), errClientsCame) {
		return experiment.ErrInterrupted
	}
	return err
}

// RunExperiments implements api.Experiments.
func (e *experiments) RunExperiments(ctx context.Context, ask api.ExperimentAsk) (api.ExperimentState, error) {
	if err := e.conduct(ctx, ask); err != nil {
		return api.ExperimentState{}, err
	}
	return e.Experiments(ctx)
}

// conduct is a run from its beginning to its end.
func (e *experiments) conduct(ctx context.Context, ask api.ExperimentAsk) error {
	all := e.all
	wanted, err := factorsNamed(ask.Factors)
	if err != nil {
		return err
	}
	if all.history.keepsNothing() {
		return api.CannotExperiment("there is no history that an experiment could be written to: see history in GET /v1/status")
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	held, l, err := e.start(ctx, end, ask, len(wanted))
	if err != nil {
		return err
	}
	defer held.Release()
	defer func() {
		all.mu.Lock()
		e.run = nil
		all.mu.Unlock()
	}()
	slog.Info("experiment: begun", "model", l.r.name, "factors", len(wanted), "for", ask.For.String(), "beside_clients", ask.Now)
	if err := l.prepare(held.Context); err != nil {
		return err
	}
	return l.runAll(held.Context, wanted)
}

// start takes the model and the turn, or says why not.
func (e *experiments) start(ctx context.Context, end context.CancelCauseFunc, ask api.ExperimentAsk, factors int) (api.Held, *laboratory, error) {
	all := e.all
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(ask.Model)
	switch {
	case all.closed:
		return api.Held{}, nil, scheduler.ErrDraining
	case e.run != nil:
		return api.Held{}, nil, api.Experimenting()
	case r.state != api.StateReady || r.swap != nil:
		return api.Held{}, nil, api.CannotExperiment("the model %s is %s: load it first (chimera load), or wait until its tier is there", r.name, r.state)
	}
	e.run = &experimentRun{end: end, shown: api.ExperimentRun{Model: r.name, Of: factors, Since: time.Now(), Now: ask.Now}}
	e.problems = nil
	l := &laboratory{all: all, r: r, up: r.up, tier: r.tier, each: ask.For / time.Duration(factors), seed: uint64(time.Now().UnixMicro())} // below 2^53, which any JSON can hold
	return all.borrow(r, ctx), l, nil
}

// runAll measures one factor after the other. What fails for one is told, and the others are measured all the same.
func (l *laboratory) runAll(ctx context.Context, wanted []knownFactor) error {
	e := &l.all.trials
	for _, f := range wanted {
		l.all.mu.Lock()
		e.run.shown.Factor = f.key
		l.all.mu.Unlock()
		err := f.measure(l, ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		l.all.mu.Lock()
		e.run.shown.Done++
		if err != nil {
			e.problems = append(e.problems, api.ExperimentFailed{Model: l.r.name, Factor: f.key, Problem: err.Error()})
		}
		l.all.mu.Unlock()
		if err != nil {
			slog.Info("experiment: not measured", "model", l.r.name, "factor", f.key, "cause", err)
		}
	}
	return nil
}

// factorsNamed are the factors of those names, all for none.
func factorsNamed(names []string) (list []knownFactor, err error) {
	var known []string
	for _, f := range knownFactors() {
		known = append(known, f.key)
		if len(names) == 0 || slices.Contains(names, f.key) {
			list = append(list, f)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, api.NoFactor(name, strings.Join(known, ", "))
		}
	}
	return list, nil
}

// When experiments run of their own: nobody has come for so long, nothing was measured for a day, and so much time is given.
const (
	idleBefore = 5 * time.Minute
	idleEvery  = 24 * time.Hour
	idleFor    = 10 * time.Minute
	idleLook   = time.Minute
)

// watchExperiments runs experiments in idle time, where the settings ask for that.
func (s *server) watchExperiments() error {
	if s.config.Quality.Experiments != config.ExperimentsInIdle {
		return nil
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.models.trials.runIdle(ctx)
	}()
	s.onStop(func() {
		cancel(scheduler.ErrDraining)
		<-ended
	})
	return nil
}

func (e *experiments) runIdle(ctx context.Context) {
	last := map[string]time.Time{}
	for tick := time.NewTicker(idleLook); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		for _, name := range e.due(last) {
			last[name] = time.Now()
			if _, err := e.RunExperiments(ctx, api.ExperimentAsk{Model: name, For: idleFor}); err != nil && ctx.Err() == nil {
				slog.Info("experiment: none for now", "model", name, "cause", err)
			}
		}
	}
}

// due are the models that are to be measured now.
func (e *experiments) due(last map[string]time.Time) (names []string) {
	e.all.mu.Lock()
	defer e.all.mu.Unlock()
	if e.all.served() != nil || time.Since(e.left) < idleBefore {
		return nil
	}
	for _, r := range e.all.list {
		if r.state == api.StateReady && time.Since(last[r.name]) >= idleEvery {
			names = append(names, r.name)
		}
	}
	return names
}
