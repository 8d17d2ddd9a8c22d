package daemon

import (
	"cmp"
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

	"chimera/config"
	"chimera/gpu"
	"chimera/socket"
	"chimera/systemd"
)

// This file owns chimera serve: its life from start to stop.

// drainTime is how long requests may go on after SIGTERM; the unit's TimeoutStopSec is longer.
const drainTime = 45 * time.Second

// server is the running daemon.
type server struct {
	config    config.Config
	reload    func() (config.Config, error) // reads the settings again
	reloaded  []func(config.Config)         // see whenReloaded
	inForce   atomic.Pointer[inForce]
	models    *runtimes
	pins      []config.Pin
	device    *heldDevice
	history   *history
	measuring *measuring
	kept      *keptAnswers // nil: but for a verb's own
	gpus      *gpuController
	http      *socket.Server
	listeners []net.Listener
	tcp       net.Addr
	unix      string           // path of the Unix socket, as clients reach it
	terminate <-chan os.Signal // SIGTERM and SIGINT
	asked     time.Time        // when the first of those was taken
	hurried   chan struct{}    // closed when there was a second; of the end
	stops     []func()         // in the order of starting
}

// errTerminated ends a start that the administrator no longer wants.
var errTerminated = errors.New("stopped while loading")

// Serve runs the daemon until a signal or a fatal error. When it is ready, one line of JSON goes to
// out; the log goes to log. reload gives the settings anew on SIGHUP.
func Serve(ctx context.Context, c config.Config, reload func() (config.Config, error), out, log io.Writer) error {
	startLog(&c, log)
	logFallbacks()
	terminate, hangup := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(hangup, syscall.SIGHUP) // one that comes while loading waits
	defer signal.Stop(terminate)
	defer signal.Stop(hangup)
	s := &server{config: c, reload: reload, terminate: terminate}
	s.gpus = newGPUController(gpu.Open, func() { s.models.cutOff() })
	return s.end(s.run(ctx, hangup, out))
}

// end stops what runs. Whatever began it, a signal or a fault, the way out is the same: requests go on for drainTime, a
// GPU's verdict or a second signal cuts them off, and what hangs then ends with the process.
func (s *server) end(cause error) error {
	s.hurried = make(chan struct{})
	ended := make(chan struct{})
	defer close(ended)
	go s.hearSecond(ended, func() { os.Exit(max(1, ExitCode(s.gpus.last(cause)))) })
	err := s.gpus.why(cause)
	s.gpus.leaveNow()
	stopped := lastResort(err, os.Exit)
	s.stop()
	stopped()
	return cmp.Or(s.gpus.last(err), s.inHurry())
}

// run starts the parts and lives until there is a reason to end.
//
// What fails in a moment is tried before what takes minutes: a port that is taken is known before the
// model is loaded. A client that connects meanwhile waits a moment, or is told how far the load is.
func (s *server) run(ctx context.Context, hangup <-chan os.Signal, out io.Writer) error {
	for _, start := range []func() error{
		s.nameModels, s.openShelf, s.makeGuardian, s.openHistory, s.startMeasuring, s.startWebhook, s.recordTrace, s.listen, s.watchGPUs, s.startHTTP, s.openDevice, s.loadModels, s.checkGPUs, s.watchTiers, s.watchLive, s.watchExperiments,
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
	line := readyLine{Ready: true, Socket: s.unix, Models: s.models.Names()}
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
	s.models.announce()
	slog.Info("ready", "socket", line.Socket, "http", address, "models", line.Models)
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// wait is the daemon's life: until a signal, a GPU's verdict, a dead loop or a dead listener.
func (s *server) wait(ctx context.Context, hangup <-chan os.Signal) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go systemd.Watchdog(watched, moving(s.models.lanes))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.gpus.orders:
			return s.gpus.ordered(nil)
		case <-s.device.ended:
			return fmt.Errorf("the engine stopped: %w", s.device.why())
		case err := <-s.http.Errors():
			return err
		case <-hangup:
			s.reloadConfig()
		case sig := <-s.terminate:
			slog.Info("stopping", "signal", sig.String())
			s.asked = time.Now()
			return nil
		}
	}
}
