package daemon

import (
	"context"
	"log/slog"
	"net"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/cores"
	"chimera/loader"
	"chimera/quality/report"
	"chimera/scheduler"
	"chimera/socket"
	"chimera/systemd"
)

// This file owns the parts of the daemon, in the order in which Serve starts them; what ends each is
// given to onStop.

func (s *server) nameModels() error {
	names, err := namedModels(s.config.Model)
	if err != nil {
		return &config.Error{Err: err}
	}
	if s.pins, err = s.config.ReadPins(); err != nil {
		return &config.Error{Err: err}
	}
	s.whenReloaded(func(c config.Config) {
		s.inForce.Store(inForceOf(&c))
		s.models.setEdgeBudget(c.Quality.EdgeBudget)
	})
	s.inForce.Store(inForceOf(&s.config))
	s.models = newRuntimes(s.config, names)
	s.models.pins = s.pins
	return checkOpens(names, loader.OptionsOf(&s.config))
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

// openDevice takes the device that all models are computed on.
func (s *server) openDevice() error {
	return s.unlessTerminated(func() error {
		name := "the models" // in the device's errors
		if len(s.config.Model) == 1 {
			name = s.config.Model[0].Path
		}
		backend, err := loader.OptionsOf(&s.config).OpenBackend(name)
		if err != nil {
			return err
		}
		s.serveOn(backend)
		return nil
	})
}

// serveOn lets the models have a backend that is open.
func (s *server) serveOn(backend loader.Backend) {
	loader.LimitHeap(loader.HeapBytes(&s.config))
	s.device = holdDevice(backend)
	s.gpus.serve(backend.GPUs(), s.models, s.config.MaxSequences)
	s.whenReloaded(func(c config.Config) { s.device.countThreads(loader.OptionsOf(&c)) })
	follow := func(c config.Config) {
		s.device.loop.SetTenants(c.Weights())
		s.models.setITL(time.Duration(c.Scheduler.ITL) * time.Millisecond)
	}
	follow(s.config)
	s.whenReloaded(follow)
	s.onStop(s.models.end)
	s.models.share(backend)
	s.models.begin(s.device)
}

// loadModels waits for the models that are to be there from the start.
func (s *server) loadModels() error { return s.unlessTerminated(s.models.loadAtStart) }

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
		s.asked = time.Now()
		return errTerminated
	}
}

// startHTTP answers from here on: of models that are not there yet, that they are loading.
func (s *server) startHTTP() (err error) {
	metrics := api.NewMetrics(s.models.Lanes)
	metrics.CountCosts(api.CostFigures{Spent: s.models.coreSeconds, Joules: s.measuring.joules, Work: s.models.workCounts, Cores: cores.Usable})
	metrics.CountQuality(api.QualityFigures{Scores: s.models.scores.list, Alarms: s.models.alarms.raised, Webhook: s.models.webhookCounts})
	handlers := api.New(api.Config{
		Registry: s.models, Models: s.models, Tiers: s.models, Experiments: &s.models.trials, Metrics: metrics,
		RequestContext: socket.RequestContext, Written: socket.OnWritten, Peer: peer, Sites: sites(&s.config),
		GPUs: s.gpus.watcher, Memory: memoryUse, Utilisation: s.measuring.utilisation, State: s.models.State, Ready: s.models.ready,
		Tenant:      func(p api.Peer, key string) string { return s.inForce.Load().tenants.of(p, key) },
		Tenants:     s.tenantNames,
		Deadline:    func(c scheduler.Class) time.Duration { return s.inForce.Load().deadlines[c] },
		Escalations: s.models.escalations,
		Answered:    s.answered, KeepsTexts: s.history.keepsTexts, History: s.history, Draw: s.draw,
		Reports:        newReports(s.history, s.models.Names, func() report.Objectives { return s.inForce.Load().wanted }, &s.config),
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

// shutdownHTTP lets requests end for drainTime, or until the administrator asks again: nothing new is admitted, what holds a model
// goes on.
func (s *server) shutdownHTTP() {
	systemd.Stopping()
	if s.models.refuseAll() {
		slog.Info("draining", "at_most", drainTime.String())
	}
	limit, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	ctx, cut := context.WithCancelCause(limit)
	go func() {
		select {
		case <-s.hurried:
			cut(errAskedTwice)
		case <-ctx.Done():
		}
	}()
	if err := s.http.Shutdown(ctx); err != nil {
		slog.Warn("requests were cut off", "cause", err)
	}
}
