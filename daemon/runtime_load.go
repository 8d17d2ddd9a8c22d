package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/cores"
	"chimera/engine"
	"chimera/loader"
	"chimera/scheduler"
	"chimera/systemd"
	"chimera/weights"
)

// This file owns bringing a model up beside those that are served.

// Load implements api.Models. Who asks by hand needs not wait until a model that has failed has been left alone for long enough.
func (all *runtimes) Load(ctx context.Context, name string) error {
	all.mu.Lock()
	r, err := all.find(name), error(nil)
	switch {
	case r == nil:
		err = api.ErrNoModel
	case all.closed:
		err = scheduler.ErrDraining
	}
	if err != nil || r.state == api.StateReady {
		all.mu.Unlock()
		return err
	}
	w := all.enqueue(ctx, r, api.Wait{})
	all.mu.Unlock()
	held, err := all.wait(r, w, 0)
	if err == nil {
		held.Release()
	}
	return err
}

// want has a model loaded, unless that is under way. One that is on its way out, failed or not, is loaded when it has gone: others are
// loaded while its last clients leave.
func (all *runtimes) want(r *Runtime) {
	if r.state == api.StateLoading || r.up != nil {
		return
	}
	r.state, r.load = api.StateLoading, &loadUnderWay{memory: r.took, front: slices.ContainsFunc(r.waiters, (*waiter).isForeground)}
	all.queue = append(all.queue, r)
	all.loadNext()
}

// loadNext loads what was wanted first, before what background work alone wants.
func (all *runtimes) loadNext() {
	if all.device == nil || all.busy != nil || all.closed || len(all.queue) == 0 {
		return
	}
	at := max(0, slices.IndexFunc(all.queue, func(r *Runtime) bool { return r.load.front }))
	r := all.queue[at]
	all.queue = slices.Delete(all.queue, at, at+1)
	ctx, cancel := context.WithCancelCause(context.Background())
	l, began := r.load, time.Now()
	l.cancel, all.busy = cancel, r
	l.began.Store(&began)
	all.work.Go(func() {
		defer cancel(nil)
		all.load(ctx, r, l)
	})
}

// load brings a model up, or takes note of why that failed.
func (all *runtimes) load(ctx context.Context, r *Runtime, l *loadUnderWay) {
	ended := make(chan struct{})
	go tellLoading(r.name, l.percent, loadingEvery, ended)
	up, err := all.bringUp(ctx, r, l)
	close(ended)
	all.mu.Lock()
	defer all.mu.Unlock()
	defer all.loadNext()
	defer all.leaveRoom(r, l)
	switch {
	case err == nil:
		up.since = *l.began.Load()
		all.becomeReady(r, up)
		all.work.Go(func() { all.watch(r, up) })
		if ctx.Err() != nil { // in the last moment
			all.empty(r, "it is not wanted any more")
		}
	case ctx.Err() != nil:
		r.state, r.load = api.StateConfigured, nil
		r.refuse(context.Cause(ctx))
		slog.Info("load ended early", "model", r.name)
	case !errors.Is(err, engine.ErrDevicePoisoned) && all.loadBack(r, err):
	default:
		all.fail(r, err)
		if all.announced || !r.atStart() { // else the start says it
			logFailed(r.name, err)
		}
		if errors.Is(err, engine.ErrDevicePoisoned) {
			all.device.lose(err)
		}
	}
	all.tellServing()
}

// watch takes note of a lane that breaks: the model has failed, alone.
func (all *runtimes) watch(r *Runtime, up *serving) {
	<-up.lane.Done()
	all.mu.Lock()
	defer all.mu.Unlock()
	if r.up != up || r.state != api.StateReady || all.closed {
		return
	}
	err := cmp.Or(up.lane.Err(), scheduler.ErrLoopEnded)
	slog.Error("model failed", "model", r.name, "cause", err)
	all.fail(r, err)
	all.work.Go(func() { all.dismantle(r, up) })
}

// bringUp loads a model up to an answer: one that is ready has decoded a token. What it has taken when it fails is given back.
func (all *runtimes) bringUp(ctx context.Context, r *Runtime, l *loadUnderWay) (_ *serving, err error) {
	began := time.Now()
	systemd.Status("loading %s", r.name)
	f, p, err := loader.Open(r.path)
	if err != nil {
		return nil, err
	}
	up := &serving{since: began}
	defer func() {
		if err != nil {
			err = errors.Join(err, up.discard(f))
		}
	}()
	if up.model, err = all.openText(f); err != nil {
		return nil, err
	}
	all.mu.Lock()
	options, anew := all.engineAt(r.tier), r.swap != nil && r.swap.remake
	all.mu.Unlock()
	options.Progress = l.progress
	has := (*engine.Plan)(nil)
	room := func(plan *engine.Plan) error {
		if has != nil { // a tier that can't be read from the disk, or takes wider types, is made in the same room
			return all.fitsToo(plan.WeightBytes - has.WeightBytes)
		}
		err := all.makeRoom(ctx, r, plan)
		if err == nil {
			has = plan
		}
		return err
	}
	err = all.atTier(f, p, options.Tier, anew, func(w engine.Weights) error {
		up.loaded, err = loader.LoadOn(all.device.backend, f, p, options, leavable{w, ctx}, room)
		return err
	})
	if err != nil {
		return nil, err
	}
	up.keys = all.tierKeys(f, p)
	plan := up.loaded.Instance.Plan()
	up.bytes, up.generations = loader.ServingBytes(plan)-plan.WeightBytes, newGenerations(up.loaded.Instance, options.Tier)
	up.ladder = ladderOf(all.device.backend, up.loaded, options)
	up.lane, err = all.device.loop.Add(up.loaded.Instance, scheduler.Config{
		StepTokens: all.config.StepTokens, QueueLength: all.config.QueueLength, Wait: time.Duration(all.config.Scheduler.Wait) * time.Millisecond, HalfLife: all.config.Cache.HalfLife.Duration,
	})
	if err != nil {
		return nil, err
	}
	up.life, up.end = context.WithCancelCause(context.Background())
	all.describe(r, up)
	if r == all.list[0] {
		if err := pinPrefixes(up.lane, up.model.PrefixIDs, all.pins); err != nil {
			return nil, err
		}
	}
	r.kept.restore(r.name, up.lane)
	return up, up.probe().decode(ctx, func() bool { return false })
}

// openText gives a model's way from text to tokens. It takes moments, and comes before the weights.
func (all *runtimes) openText(f *weights.File) (*api.Model, error) {
	tok, err := loader.NewTokenizer(f)
	if err != nil {
		return nil, err
	}
	template, err := loader.NewTemplate(f, tok, &all.config)
	if template.Problem != "" {
		slog.Warn("chat is off: "+template.Problem, "file", f.Name())
	}
	return &api.Model{Tokenizer: tok, Template: template.Template, NoTemplate: template.Problem}, err
}

// describe fills in what is known when the weights are there.
func (all *runtimes) describe(r *Runtime, up *serving) {
	in, m := up.loaded.Instance, up.model
	limits, plan := in.Limits(), in.Plan()
	_, boundBy := loader.OptionsOf(&all.config).Workers()
	m.Name, m.Created, m.Engine, m.Cache, m.Ended = r.name, up.since, up.lane, modelCache{up.lane, &r.kept}, all.ended
	m.MaxContext, m.MaxLogprobs, m.StateWidth = limits.MaxContext, min(all.config.MaxLogprobs, limits.Vocab), limits.TapWidth
	m.Numerics = up.numerics(plan.Backend)
	m.Tier = func(weights string) string { return up.generations.tier(cmp.Or(weights, up.lane.Weights())) }
	m.Escalation, m.Tiers = all.escalation(r, up), config.TierNames()
	m.At = func(ctx context.Context, tier string, class scheduler.Class) (api.Held, error) {
		return all.heldAt(ctx, r, tier, class)
	}
	m.Compute = api.Compute{Backend: plan.Backend, ISA: plan.ISA, KVType: up.loaded.Policy.KV.String(), Threads: plan.Threads, ThreadsBoundBy: boundBy}
	slog.Info("model loaded", "model", m.Name, "seconds", time.Since(up.since).Seconds(), "backend", plan.Backend, "isa", plan.ISA,
		"threads", plan.Threads, "threads_bound_by", boundBy, "kv_type", m.Compute.KVType, "tier", m.Tier(""), "ctx", limits.MaxContext, "numerics", m.Numerics(""))
	_, bound := all.device.backend.Available()
	logGroups(plan)
	logDeviceMemory(bound, plan)
	if n, bound := cores.Available(); plan.Threads > n {
		slog.Warn("there are more threads than cores: they will wait for one another", "threads", plan.Threads, "cores", n, "bound_by", bound)
	}
	logMemory()
	debug.FreeOSMemory() // the vocabulary's building blocks are of no use any more
}

// numerics names what weights of a digest compute, the newest for "".
func (up *serving) numerics(backend string) func(weights string) string {
	return func(weights string) string {
		return up.loaded.Policy.NumericsID(cmp.Or(weights, up.lane.Weights()), backend)
	}
}

// leavable are weights whose reading ends when nobody wants them any more.
type leavable struct {
	engine.Weights
	ctx context.Context
}

// Read implements engine.Weights.
func (w leavable) Read(name string, firstRow int, dst []byte) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return w.Weights.Read(name, firstRow, dst)
}

// loadAtStart waits for the models that are to be there from the start. It fails where a setting is wrong, the device is poisoned, or
// none of them can be had; one that fails beside others leaves the daemon not ready.
func (all *runtimes) loadAtStart() error {
	var failed []error
	var names []string // of those
	n := 0
	for _, r := range all.list {
		if !r.atStart() {
			continue
		}
		n++
		err := all.Load(context.Background(), r.name)
		if err == nil {
			continue
		}
		all.mu.Lock()
		err = cmp.Or(r.failure.err, err)
		all.mu.Unlock()
		if wrong := (*config.Error)(nil); errors.As(err, &wrong) || errors.Is(err, engine.ErrDevicePoisoned) {
			return err
		}
		failed, names = append(failed, err), append(names, r.name)
	}
	if n > 0 && len(failed) == n {
		return failed[0]
	}
	for i, err := range failed {
		logFailed(names[i], err)
	}
	return nil
}

func logFailed(name string, err error) { slog.Error("model not loaded", "model", name, "cause", err) }

// tellServing tells the service manager which models are there.
func (all *runtimes) tellServing() {
	if !all.announced || all.closed {
		return
	}
	text := ""
	for _, r := range all.list {
		if r.state == api.StateReady {
			text += ", " + r.name
		}
	}
	systemd.Status("serving %s", cmp.Or(text, ", nothing yet: models are loaded on demand")[2:])
}
