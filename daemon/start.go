package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"chimera/api"
	"chimera/cores"
	"chimera/engine"
	"chimera/scheduler"
	"chimera/socket"
	"chimera/systemd"
	"chimera/tokenizer"
	"chimera/weights"
)

// This file owns the parts of the daemon, in the order in which Serve starts them; what ends each is
// given to onStop.

func (s *server) nameModels() (err error) {
	if s.models, err = parseModels(s.config.Model); err != nil {
		return &ConfigError{err}
	}
	if s.pins, err = s.config.readPins(); err != nil {
		return &ConfigError{err}
	}
	return checkOpens(s.models[1:])
}

// listen binds the sockets.
func (s *server) listen() (err error) {
	if s.listeners, err = systemd.Listeners(); err != nil {
		return err
	}
	s.onStop(func() {
		for _, l := range s.listeners {
			l.Close() // again, if they were served: the server has closed them
		}
	})
	if len(s.listeners) == 0 { // a socket unit takes the place of --socket
		l, err := socket.ListenUnix(s.config.Socket)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	if s.config.HTTP != "" {
		l, err := socket.ListenTCP(s.config.HTTP)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	for _, l := range s.listeners {
		switch at := l.Addr().(type) {
		case *net.TCPAddr:
			s.tcp = at
		case *net.UnixAddr:
			s.unix = at.Name // an inherited one need not be --socket
		}
	}
	return nil
}

func (s *server) loadModel() error {
	began := time.Now()
	systemd.Status("loading %s", s.models[0].path)
	f, p, err := Open(s.models[0].path)
	if err != nil {
		return err
	}
	tok, template, err := s.openText(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if s.loaded, err = s.loadUnlessTerminated(f, p); err != nil {
		return err
	}
	s.whenReloaded(s.recountThreads)
	s.onStop(func() {
		if err := s.loaded.Close(); err != nil {
			slog.Error("closing the model", "cause", err)
		}
	})
	limits := s.loaded.Instance.Limits()
	s.api = &api.Model{
		Name: s.models[0].name, Created: began, Tokenizer: tok, Template: template.Template, NoTemplate: template.Problem,
		MaxContext: limits.MaxContext, MaxLogprobs: min(limits.MaxTop, limits.Vocab),
		NumericsID: s.loaded.NumericsID(), Ended: s.ended,
	}
	plan := s.loaded.Instance.Plan()
	_, boundBy := s.config.Engine().threads()
	s.api.Compute = api.Compute{Backend: plan.Backend, ISA: plan.ISA, KVType: s.loaded.Policy.KV.String(), Threads: plan.Threads, ThreadsBoundBy: boundBy}
	slog.Info("model loaded", "model", s.api.Name, "seconds", time.Since(began).Seconds(), "backend", plan.Backend, "isa", plan.ISA,
		"threads", plan.Threads, "threads_bound_by", boundBy, "kv_type", s.loaded.Policy.KV.String(), "ctx", limits.MaxContext, "numerics", s.api.NumericsID)
	_, bound := s.loaded.backend.Available()
	logGroups(plan)
	logDeviceMemory(bound, plan)
	if n, bound := cores.Available(); plan.Threads > n {
		slog.Warn("there are more threads than cores: they will wait for one another", "threads", plan.Threads, "cores", n, "bound_by", bound)
	}
	limitHeap(s.config.heapBytes())
	debug.FreeOSMemory() // the vocabulary's building blocks are of no use any more
	return nil
}

// recountThreads follows a control group whose quota has changed.
func (s *server) recountThreads(c Config) { s.loaded.countThreads(c.Engine()) }

// openText gives the model's way from text to tokens. It takes moments, and comes before the weights.
func (s *server) openText(f *weights.File) (*tokenizer.Tokenizer, Template, error) {
	tok, err := NewTokenizer(f)
	if err != nil {
		return nil, Template{}, err
	}
	template, err := NewTemplate(f, tok, &s.config)
	if template.Problem != "" {
		slog.Warn("chat is off: "+template.Problem, "file", f.Name())
	}
	return tok, template, err
}

// loadUnlessTerminated loads, which may take minutes, and tells how far it is.
func (s *server) loadUnlessTerminated(f *weights.File, p *engine.Program) (l *Loaded, err error) {
	options := s.config.Engine()
	options.Progress = s.loading.Progress
	ended := make(chan struct{})
	go tellLoading(s.models[0].name, s.loading, loadingEvery, ended)
	var loaded *Loaded // not l, which is returned while a load that is left goes on
	err = s.unlessTerminated(func() (err error) {
		defer close(ended)
		loaded, err = load(f, p, options)
		return err
	})
	switch {
	case errors.Is(err, errTerminated):
		return nil, err
	case err != nil:
		return nil, errors.Join(err, f.Close())
	}
	return loaded, nil
}

// unlessTerminated does a part of the start that may take long, or hang. When the daemon is told to stop it leaves that to
// the end of the process, which is near.
func (s *server) unlessTerminated(part func() error) error {
	done := make(chan error, 1)
	go func() { done <- part() }()
	select {
	case err := <-done:
		return err
	case sig := <-s.terminate:
		slog.Info("stopped while loading", "signal", sig.String())
		s.asked++
		return errTerminated
	}
}

func (s *server) startLoop() (err error) {
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	s.scheduler, err = loop.Add(s.loaded.Instance, scheduler.Config{StepTokens: s.config.StepTokens, QueueLength: s.config.QueueLength, HalfLife: s.config.Cache.HalfLife.Duration})
	if err != nil {
		return err
	}
	inForce := func(c Config) {
		s.scheduler.SetITL(time.Duration(c.Scheduler.ITL) * time.Millisecond)
		loop.SetTenants(c.weights())
	}
	inForce(s.config)
	s.whenReloaded(inForce)
	s.api.Engine, s.api.Cache = s.scheduler, laneCache{s.scheduler}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopLoop, s.loopEnd = cancel, make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		_ = loop.Run(ctx)
		close(ended)
	}()
	go func() { s.loopEnd <- s.scheduler.Err() }()
	s.onStop(func() {
		cancel()
		<-ended
	})
	s.gpus.serve(s.loaded.GPUs, s.scheduler, s.loaded.Instance.Limits().MaxSequences)
	logMemory()
	return nil
}

// checkDecode decodes one token: a daemon that is ready has done what it is for.
func (s *server) checkDecode() error {
	return s.unlessTerminated(func() error {
		return (&served{s.api, s.scheduler}).probe().decode(context.Background(), func() bool { return false })
	})
}

// startHTTP answers from here on: of the model, that it is loading.
func (s *server) startHTTP() (err error) {
	s.whenReloaded(func(c Config) { s.inForce.Store(c.inForce()) })
	s.inForce.Store(s.config.inForce())
	handlers := api.New(api.Config{
		Registry: &registry{names(s.models), &s.served, s.loading}, Metrics: api.NewMetrics(s.snapshot),
		RequestContext: socket.RequestContext, Written: socket.OnWritten, Peer: peer, Sites: s.config.sites(),
		GPUs: s.gpus.watcher, Memory: memoryUse, Loading: s.loading, Ready: s.ready,
		Tenant:         func(p api.Peer, key string) string { return s.inForce.Load().tenants.of(p, key) },
		Deadline:       func(c scheduler.Class) time.Duration { return s.inForce.Load().deadlines[c] },
		IsolateTenants: s.isolates(), MaxBody: s.config.MaxBody,
	})
	s.http, err = socket.NewServer(socket.Config{Handler: handlers.Handle, Refuse: handlers.Refuse, MaxBody: s.config.MaxBody, Stopped: scheduler.ErrDraining})
	if err != nil {
		return err
	}
	for _, l := range s.listeners {
		s.http.Serve(l)
	}
	return nil
}

func names(models []namedModel) (list []string) {
	for _, m := range models {
		list = append(list, m.name)
	}
	return list
}

// shutdownHTTP lets requests end for drainTime: the scheduler admits nothing new, what it has goes on.
func (s *server) shutdownHTTP() {
	systemd.Stopping()
	s.loading.End(scheduler.ErrDraining) // if it has not ended: nobody needs to wait for it
	if s.scheduler != nil {
		slog.Info("draining", "at_most", drainTime.String())
		s.scheduler.Drain()
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		slog.Warn("requests were cut off", "cause", err)
	}
}
