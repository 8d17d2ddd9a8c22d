package daemon

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"chimera/config"
	"chimera/gpu"
	"chimera/socket"
)

// This file owns a daemon within a verb: the same parts and the same endpoints, for one model and for the verb alone.
//
// Rejected: a loop of the verb's own over the instance, as the offline verbs have. Answers go through the template, the scheduler and the
// decoder; a second way there would have to be shown to give the same answers, and would compute one at a time.

// Private is such a daemon. Its control, which implements eval.Control and eval.Embedder, is the model as its file has it.
type Private struct {
	At     string       // path of its socket
	Stop   func() error // ends it, once
	server *server
}

// ServePrivately serves a model file on a Unix socket that nobody else finds, until it is stopped. Warnings go to log. An error of ctx
// ends the load.
func ServePrivately(ctx context.Context, c config.Config, model string, log io.Writer) (*Private, error) {
	c.LogLevel = "warn"
	startLog(&c, log)
	folder, err := os.MkdirTemp("", "chimera-")
	if err != nil {
		return nil, err
	}
	c.Model, c.Socket, c.HTTP = []config.Model{{Path: model, Load: config.LoadAtStart}}, filepath.Join(folder, "socket"), ""
	c.History.File = ""      // what a verb asks is nobody's history
	c.Quality.EdgeBudget = 0 // what is measured is the tier that was asked for
	terminate := make(chan os.Signal, 1)
	defer context.AfterFunc(ctx, func() { terminate <- syscall.SIGTERM })()
	s := &server{config: c, terminate: terminate, kept: &keptAnswers{}}
	s.gpus = newGPUController(gpu.Open, func() { s.models.cutOff() })
	stop := func() error {
		s.stop()
		return os.RemoveAll(folder)
	}
	for _, start := range []func() error{
		s.nameModels, s.openHistory, s.startMeasuring, s.listenPrivately, s.watchGPUs, s.startHTTP, s.openDevice, s.loadModels, s.checkGPUs,
	} {
		switch err := start(); {
		case errors.Is(err, errTerminated):
			return nil, errors.Join(context.Cause(ctx), stop())
		case err != nil:
			return nil, errors.Join(err, stop())
		}
	}
	return &Private{At: s.unix, Stop: stop, server: s}, nil
}

// listenPrivately takes no socket of the service manager's, as listen does.
func (s *server) listenPrivately() error {
	l, err := socket.ListenUnix(s.config.Socket)
	if err != nil {
		return err
	}
	s.listeners, s.unix = append(s.listeners, l), s.config.Socket
	s.onStop(func() { l.Close() })
	return nil
}
