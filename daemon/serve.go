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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/gpu"
	"chimera/scheduler"
	"chimera/socket"
	"chimera/systemd"
)

// This file owns chimera serve: its life from start to stop.

// drainTime is how long requests may go on after SIGTERM; the unit's TimeoutStopSec is longer.
const drainTime = 45 * time.Second

// server is the running daemon.
type server struct {
	config    Config
	reload    func() (Config, error) // reads the settings again
	reloaded  []func(Config)         // see whenReloaded
	inForce   atomic.Pointer[inForce]
	models    []namedModel
	pins      []pinned
	loaded    *Loaded
	api       *api.Model
	scheduler *scheduler.Lane
	ended     func(api.Ended) // is told of requests; nil: nobody asks
	gpus      *gpuController
	loading   *api.Loading
	served    atomic.Pointer[served] // nil until the model answers
	loopEnd   chan error
	stopLoop  context.CancelFunc
	http      *socket.Server
	listeners []net.Listener
	tcp       net.Addr
	unix      string           // path of the Unix socket, as clients reach it
	terminate <-chan os.Signal // SIGTERM and SIGINT
	asked     int              // how many of those have been taken
	stops     []func()         // in the order of starting
}

// errTerminated ends a start that the administrator no longer wants.
var errTerminated = errors.New("stopped while loading")

// Serve runs the daemon until a signal or a fatal error. When it is ready, one line of JSON goes to
// out; the log goes to log. reload gives the settings anew on SIGHUP.
func Serve(ctx context.Context, c Config, reload func() (Config, error), out, log io.Writer) error {
	startLog(&c, log)
	logFallbacks()
	terminate, hangup := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangup, syscall.SIGHUP) // one that comes while loading waits
	defer signal.Stop(terminate)
	defer signal.Stop(hangup)
	s := &server{config: c, reload: reload, terminate: terminate, loading: api.NewLoading()}
	s.gpus = newGPUController(gpu.Open, func() { s.stopLoop() })
	return s.end(s.run(ctx, hangup, out))
}

// end stops what runs. Whatever began it, a signal or a fault, the way out is the same: requests go on for drainTime, a
// GPU's verdict may cut them off, a second signal ends the process at once, and so does a stop that hangs.
func (s *server) end(cause error) error {
	go killWhenAskedTwice(s.terminate, s.asked, func() { os.Exit(max(1, ExitCode(s.gpus.last(cause)))) })
	err := s.gpus.why(cause)
	s.gpus.leaveNow()
	stopped := lastResort(err, os.Exit)
	s.stop()
	stopped()
	return s.gpus.last(err)
}

// run starts the parts and lives until there is a reason to end.
//
// What fails in a moment is tried before what takes minutes: a port that is taken is known before the
// model is loaded. A client that connects meanwhile waits a moment, or is told how far the load is.
func (s *server) run(ctx context.Context, hangup <-chan os.Signal, out io.Writer) error {
	for _, start := range []func() error{
		s.nameModels, s.recordTrace, s.listen, s.mayPin, s.watchGPUs, s.startHTTP, s.loadModel, s.startLoop, s.checkGPUs, s.checkDecode, s.serveModel,
	} {
		if err := start(); errors.Is(err, errTerminated) {
			return nil
		} else if err != nil {
			return err
		}
	}
	if err := s.announce(out); err != nil {
		return err
	}
	return s.wait(ctx, hangup)
}

func (s *server) onStop(f func()) { s.stops = append(s.stops, f) }

// stop lets requests end first: they need all the rest.
func (s *server) stop() {
	if s.http != nil {
		s.shutdownHTTP()
	}
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
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
	address := "none"
	if s.tcp != nil {
		address = s.tcp.String()
		line.HTTP = &address
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	systemd.Ready()
	systemd.Status("serving %s", s.api.Name)
	slog.Info("ready", "socket", line.Socket, "http", address, "models", line.Models)
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// wait is the daemon's life: until a signal, a GPU's verdict, a dead loop or a dead listener.
func (s *server) wait(ctx context.Context, hangup <-chan os.Signal) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go systemd.Watchdog(watched, moving(s.scheduler))
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
		case <-hangup:
			s.reloadConfig()
		case sig := <-s.terminate:
			slog.Info("stopping", "signal", sig.String())
			s.asked++
			return nil
		}
	}
}

// moving tells, each time it is asked, whether the loop has computed a step since, or has nothing to
// compute. A backend that hangs does neither, and the service manager's watchdog then ends the daemon.
func moving(loop *scheduler.Lane) func() bool {
	var last uint64
	return func() bool {
		now := loop.Snapshot()
		steps := now.Steps + now.Aborts
		moved := steps != last
		last = steps
		return moved || now.Running+now.Waiting == 0
	}
}

// killWhenAskedTwice ends the process at once when the administrator has asked twice, of which so many times already. Who
// asks once while the daemon drains for its GPU's sake gets what is under way.
func killWhenAskedTwice(terminate <-chan os.Signal, asked int, kill func()) {
	for ; asked < 1; asked++ {
		slog.Info("stopping already: a second signal ends it at once", "signal", (<-terminate).String())
	}
	slog.Error("killed while draining", "signal", (<-terminate).String())
	kill()
}
