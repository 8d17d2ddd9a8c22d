package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"chimera/api"
	"chimera/gpu"
	"chimera/scheduler"
	"chimera/socket"
	"chimera/systemd"
)

// This file owns chimera serve: parts are started in order and stopped in reverse.

// drainTime is how long requests may go on after SIGTERM; the unit's TimeoutStopSec is longer.
const drainTime = 45 * time.Second

// readyTime bounds the decode that readiness stands for.
const readyTime = 30 * time.Second

// server is the running daemon.
type server struct {
	config    Config
	reload    func() (Config, error) // reads the settings again
	models    []namedModel
	loaded    *Loaded
	api       *api.Model
	scheduler *scheduler.Scheduler
	gpus      *warden
	loopEnd   chan error
	stopLoop  context.CancelFunc
	http      *socket.Server
	listeners []net.Listener
	tcp       net.Addr
	unix      string   // path of the Unix socket, as clients reach it
	stops     []func() // in the order of starting
}

// Serve runs the daemon until a signal or a fatal error. When it is ready, one line of JSON goes to
// out. reload gives the settings anew on SIGHUP.
func Serve(ctx context.Context, c Config, reload func() (Config, error), out io.Writer) error {
	startLog(&c)
	logFallbacks()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	s := &server{config: c, reload: reload}
	s.gpus = newWarden(gpu.Open, func() { s.stopLoop() })
	err := s.gpus.why(s.run(ctx, signals, out))
	s.gpus.leaveNow(err)
	lastResort(err, os.Exit)
	s.stop()
	return s.gpus.last(err)
}

// run starts the parts and lives until there is a reason to end.
func (s *server) run(ctx context.Context, signals <-chan os.Signal, out io.Writer) error {
	for _, start := range []func() error{s.watchGPUs, s.loadModel, s.startLoop, s.checkGPUs, s.checkDecode, s.listen} {
		if err := start(); err != nil {
			return err
		}
	}
	if err := s.announce(out); err != nil {
		return err
	}
	return s.wait(ctx, signals)
}

func (s *server) onStop(f func()) { s.stops = append(s.stops, f) }

func (s *server) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

func (s *server) loadModel() (err error) {
	if s.models, err = parseModels(s.config.Model); err != nil {
		return &ConfigError{err}
	}
	began := time.Now()
	systemd.Status("loading %s", s.models[0].path)
	if s.loaded, err = Load(s.models[0].path, s.config.Engine()); err != nil {
		return err
	}
	s.onStop(func() {
		if err := s.loaded.Close(); err != nil {
			slog.Error("closing the model", "cause", err)
		}
	})
	tok, err := NewTokenizer(s.loaded.File)
	if err != nil {
		return err
	}
	template, err := NewTemplate(s.loaded.File, tok, s.config.ChatTemplate)
	if err != nil {
		return err
	}
	limits := s.loaded.Instance.Limits()
	s.api = &api.Model{
		Name: s.models[0].name, Created: began, Tokenizer: tok, Template: template,
		MaxContext: limits.MaxContext, MaxLogprobs: limits.MaxTop,
		NumericsID: s.loaded.Policy.NumericsID(modelIdentity(s.loaded), s.loaded.Instance.Plan().Backend),
	}
	plan := s.loaded.Instance.Plan()
	slog.Info("model loaded", "model", s.api.Name, "seconds", time.Since(began).Seconds(), "backend", plan.Backend, "isa", plan.ISA,
		"threads", plan.Threads, "kv_type", s.loaded.Policy.KV.String(), "ctx", limits.MaxContext, "numerics", s.api.NumericsID)
	debug.FreeOSMemory() // the vocabulary's building blocks are of no use any more
	return nil
}

// modelIdentity tells models apart without reading all their bytes: name, size and tensor table.
func modelIdentity(l *Loaded) string {
	id := filepath.Base(l.File.Name())
	for _, t := range l.File.Tensors() {
		id += fmt.Sprintf("|%s %s %d", t.Name, t.Type, t.Shape)
	}
	return id
}

func (s *server) startLoop() (err error) {
	s.scheduler, err = scheduler.New(s.loaded.Instance, scheduler.Config{StepTokens: s.config.StepTokens, QueueLength: s.config.QueueLength})
	if err != nil {
		return err
	}
	s.api.Engine = s.scheduler
	ctx, cancel := context.WithCancel(context.Background())
	s.stopLoop, s.loopEnd = cancel, make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		s.loopEnd <- s.scheduler.Run(ctx)
		close(ended)
	}()
	s.onStop(func() {
		cancel()
		<-ended
	})
	s.gpus.serve(s.loaded.GPUs, s.scheduler, s.loaded.Instance.Limits().MaxSequences)
	logMemory()
	return nil
}

// checkDecode decodes one token: a daemon that is ready has done what it is for.
func (s *server) checkDecode() error { return s.decode(context.Background()) }

func (s *server) decode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	prompt := []int32{max(s.api.Tokenizer.BOS(), 0)}
	seq, err := s.scheduler.Submit(ctx, scheduler.Request{Prompt: prompt, MaxTokens: 1, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
	if err != nil {
		return err
	}
	e, err := seq.Next(ctx)
	if err == nil && !e.HasToken {
		err = fmt.Errorf("no token was decoded: %w", errors.Join(e.Err, context.Cause(ctx)))
	}
	return err
}

func (s *server) listen() (err error) {
	metrics := api.NewMetrics(s.scheduler.Snapshot)
	metrics.RegisterMemory(memoryUse)
	handlers := api.New(api.Config{
		Registry: &registry{names: names(s.models), loaded: s.api},
		Metrics:  metrics, RequestContext: socket.RequestContext,
		GPUs: s.gpus.watcher, Ready: s.decode, Peer: socket.Peer, MaxBody: s.config.MaxBody,
	})
	s.http, err = socket.NewServer(socket.Config{Handler: handlers.Handle, Refuse: refuse, MaxBody: s.config.MaxBody})
	if err != nil {
		return err
	}
	s.onStop(s.shutdownHTTP)
	if s.listeners, err = systemd.Listeners(); err != nil {
		return err
	}
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
			for _, open := range s.listeners { // not served yet, so that nobody else takes the socket file away
				err = errors.Join(err, open.Close())
			}
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

// refuse answers what never reaches a handler.
func refuse(ctx *fasthttp.RequestCtx, status int, reason string) {
	api.WriteError(ctx, &api.HTTPError{Status: status, Type: "invalid_request_error", Message: reason, Code: "bad_request"})
}

// shutdownHTTP lets requests end for drainTime: the scheduler admits nothing new, what it has goes on.
func (s *server) shutdownHTTP() {
	systemd.Stopping()
	slog.Info("draining", "at_most", drainTime)
	s.scheduler.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		slog.Warn("requests were cut off", "cause", err)
	}
}

// readyLine is what a program that starts the daemon waits for.
type readyLine struct {
	Ready  bool     `json:"ready"`
	Socket string   `json:"socket"`
	HTTP   *string  `json:"http"`
	Models []string `json:"models"`
}

func (s *server) announce(out io.Writer) error {
	line := readyLine{Ready: true, Socket: s.unix, Models: names(s.models)}
	if s.tcp != nil {
		address := s.tcp.String()
		line.HTTP = &address
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	systemd.Ready()
	systemd.Status("serving %s", s.api.Name)
	slog.Info("ready", "socket", line.Socket, "http", s.tcp, "models", line.Models)
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// wait is the daemon's life: until a signal, a GPU's verdict, a dead loop or a dead listener.
func (s *server) wait(ctx context.Context, signals <-chan os.Signal) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go systemd.Watchdog(watched, func() bool { return len(s.loopEnd) == 0 })
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.gpus.orders:
			return s.gpus.ordered(nil)
		case err := <-s.loopEnd:
			return fmt.Errorf("the engine stopped: %w", err)
		case err := <-s.http.Errors():
			return err
		case sig := <-signals:
			if sig == syscall.SIGHUP {
				s.reloadConfig()
				continue
			}
			slog.Info("stopping", "signal", sig.String())
			go killOnSecond(signals)
			return nil
		}
	}
}

// killOnSecond ends the process at once when the administrator asks twice.
func killOnSecond(signals <-chan os.Signal) {
	for sig := range signals {
		if sig != syscall.SIGHUP {
			slog.Error("killed while draining", "signal", sig.String())
			os.Exit(1)
		}
	}
}

// reloadConfig reads the settings again. A bad file leaves the old ones; what cannot change while
// running is named in the log.
func (s *server) reloadConfig() {
	systemd.Reloading()
	defer systemd.Ready()
	c, err := s.reload()
	if err != nil {
		slog.Error("reload refused, the old settings stay", "cause", err)
		return
	}
	level, _ := c.level()
	logLevel.Set(level)
	s.config.LogLevel = c.LogLevel
	slog.Info("reloaded", "log_level", c.LogLevel)
	if waiting := s.config.differences(c); len(waiting) > 0 {
		slog.Warn("some changed settings need a restart", "settings", waiting)
	}
}
