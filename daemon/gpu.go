package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chimera/engine"
	"chimera/gpu"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns what the daemon does about a GPU's verdict. All GPUs are watched and shown; those that the model
// computes on are obeyed.

// ErrPoisoned is in the chain of every error after which an instance cannot go on.
var ErrPoisoned = engine.ErrPoisoned

// Exit codes that the unit acts on: RestartForceExitStatus and RestartPreventExitStatus.
const (
	ExitRestart      = 10 // a new process cures it: the instance is poisoned, or its GPU met a contained fault
	ExitOutOfService = 11 // a person must act: reset the GPU, restart the machine or change the card
)

// GPUError ends the daemon because of a verdict.
type GPUError struct {
	Device  gpu.Device
	Verdict gpu.Verdict
	Cause   error // what the instance said of it, if it was first
}

func (e *GPUError) Error() string {
	text := fmt.Sprintf("GPU %d (%s, %s): %s: %s; it needs a %s", e.Device.Index, e.Device.Name, e.Device.Bus, e.Verdict.Action, e.Verdict.Reason, e.Verdict.Needs)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *GPUError) Unwrap() error { return e.Cause }

// ExitCode is the code for an error that the unit should act on, 0 for all others.
func ExitCode(err error) int {
	var g *GPUError
	var m *loader.MachineError
	switch {
	case errors.As(err, &m), errors.As(err, &g) && g.Verdict.Needs.ByHand():
		return ExitOutOfService
	case errors.As(err, &g), errors.Is(err, ErrPoisoned):
		return ExitRestart
	}
	return 0
}

// governor is what a slow GPU asks to admit less; *scheduler.Lane is one.
type governor interface {
	Govern(scheduler.Governance)
}

// gpuController obeys the verdicts of the GPUs that the model computes on.
type gpuController struct {
	watcher *gpu.Watcher
	end     func()        // ends what runs, at once
	orders  chan struct{} // holds one when there is an order to leave

	mu       sync.Mutex
	verdicts map[string]gpuVerdict // by bus address, of all GPUs
	serving  map[string]bool       // those that are obeyed
	governor governor              // nil until something is served
	most     int                   // sequences that run at once on a GPU at full speed
	cut      bool
	order    *GPUError // the worst one
	leaving  bool      // the daemon has stopped to serve; what ends it at once must not wait for the drain
}

type gpuVerdict struct {
	device  gpu.Device
	verdict gpu.Verdict
}

func newGPUController(open func(*gpu.Call) (gpu.Reader, error), end func()) *gpuController {
	c := &gpuController{end: end, orders: make(chan struct{}, 1), verdicts: map[string]gpuVerdict{}}
	c.watcher = gpu.New(open, c.hear)
	return c
}

// serve says where the model computes, and whom to ask to admit less.
func (c *gpuController) serve(on []gpu.Place, g governor, most int) {
	c.watcher.ComputesOn(on)
	c.mu.Lock()
	c.governor, c.most, c.serving = g, most, map[string]bool{}
	for _, place := range on {
		c.serving[place.Bus] = true
	}
	c.mu.Unlock()
	c.obey()
}

// computing are the GPUs that the models compute on, as they were last read.
func (c *gpuController) computing() (list []gpu.DeviceState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.watcher.State().Devices {
		if c.serving[d.Bus] {
			list = append(list, d)
		}
	}
	return list
}

// hear is told by the watcher; it never waits.
func (c *gpuController) hear(n gpu.Notice) {
	at := []any{"gpu", n.Device.Index, "bus", n.Device.Bus}
	if n.Xid != 0 {
		rule := gpu.Xid(n.Xid)
		at = append(at, "xid", n.Xid, "meaning", rule.Meaning)
		switch {
		case n.Foreign:
			at = append(at, "of", "another MIG instance")
		case rule.Look:
			at = append(at, "advice", "find out what is behind it: dmesg, nvidia-bug-report.sh")
		}
		slog.Warn("gpu xid", at...)
		return
	}
	slog.Log(context.Background(), gravity(n.Verdict), "gpu verdict",
		append(at, "verdict", n.Verdict.Action.String(), "was", n.Was.Action.String(), "needs", n.Verdict.Needs.String(), "reason", n.Verdict.Reason)...)
	c.mu.Lock()
	c.verdicts[n.Device.Bus] = gpuVerdict{n.Device, n.Verdict}
	c.mu.Unlock()
	c.obey()
}

func gravity(v gpu.Verdict) slog.Level {
	switch {
	case v.Needs.ByHand():
		return slog.LevelError
	case v.Action > gpu.Serve:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// obey does what the worst verdict of the GPUs in service asks for.
func (c *gpuController) obey() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var worst gpuVerdict
	for bus, v := range c.verdicts {
		if c.serving[bus] && worse(v.verdict, worst.verdict) {
			worst = v
		}
	}
	switch v := worst.verdict; {
	case v.Action >= gpu.Drain:
		c.leave(worst)
	case v.Action == gpu.Degrade && !c.cut:
		c.cut = true
		c.governor.Govern(scheduler.Governance{MaxRunning: max(1, c.most/2), Reason: v.Reason}) // a slowdown halves the clock or worse
	case v.Action == gpu.Serve && c.cut:
		c.cut = false
		c.governor.Govern(scheduler.Governance{})
	} // unknown: what was ordered last goes on
}

func worse(a, b gpu.Verdict) bool {
	return a.Action > b.Action || a.Action == b.Action && a.Needs > b.Needs
}

// leave orders the daemon to end, for the worst reason there has been.
func (c *gpuController) leave(v gpuVerdict) {
	if c.order == nil || worse(v.verdict, c.order.Verdict) {
		c.order = &GPUError{Device: v.device, Verdict: v.verdict}
	}
	select {
	case c.orders <- struct{}{}:
	default:
	}
	if c.leaving && v.verdict.Action == gpu.Restart {
		c.end()
	}
}

// settleTime is how long the driver may take to report the Xid of a fault that a step has met already.
const settleTime = 3 * time.Second

// why is asked when the instance has died of err: the GPU's verdict, if it comes soon, tells whether a new process would fare
// any better.
func (c *gpuController) why(err error) error {
	c.mu.Lock()
	watched := len(c.serving) > 0
	c.mu.Unlock()
	if !watched || !errors.Is(err, ErrPoisoned) {
		return err
	}
	select {
	case <-c.orders:
		return c.ordered(err)
	case <-time.After(settleTime):
		return err
	}
}

// ordered is the order to leave, with what the instance said.
func (c *gpuController) ordered(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &GPUError{Device: c.order.Device, Verdict: c.order.Verdict, Cause: cause}
}

// leaveNow begins the end: from here on an order to restart does not wait for requests.
func (c *gpuController) leaveNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	if c.order != nil && c.order.Verdict.Action == gpu.Restart {
		c.end()
	}
}

// last is the error to exit with: what became known while the daemon drained counts too.
func (c *gpuController) last(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ExitCode(err) == 0 || c.order == nil {
		return err
	}
	if g := (*GPUError)(nil); errors.As(err, &g) {
		if !worse(c.order.Verdict, g.Verdict) {
			return err
		}
		err = g.Cause
	}
	return &GPUError{Device: c.order.Device, Verdict: c.order.Verdict, Cause: err}
}

// stuckTime is how long the daemon may take to end, the drain not counted: freeing what lies on a lost device may hang in
// the driver. With the drain it is less than the unit's TimeoutStopSec.
const stuckTime = 10 * time.Second

// lastResort ends the process if stopping hangs, until stopped is called.
func lastResort(err error, end func(int)) (stopped func() bool) {
	limit := drainTime + stuckTime
	if g := (*GPUError)(nil); errors.As(err, &g) && g.Verdict.Action == gpu.Restart {
		limit = stuckTime
	}
	return time.AfterFunc(limit, func() {
		slog.Error("stopping hangs", "cause", err)
		end(max(1, ExitCode(err)))
	}).Stop
}

// watchGPUs starts the watch; the first verdicts come while the model loads.
func (s *server) watchGPUs() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		s.gpus.watcher.Run(ctx)
		close(ended)
	}()
	s.onStop(func() {
		cancel()
		<-ended
	})
	return nil
}

// checkGPUs refuses to start on a GPU that should not be served on.
func (s *server) checkGPUs() error {
	select {
	case <-s.gpus.orders:
		return s.gpus.ordered(nil)
	default:
		return nil
	}
}

// GPUs reads the machine's GPUs once, without a daemon.
func GPUs(ctx context.Context) gpu.State {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	return gpu.Look(ctx, gpu.Open)
}
