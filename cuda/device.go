//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gorgonia.org/cu"

	"chimera/engine"
)

// This file owns the device: its thread, its context, and what happens when a call fails or hangs.
//
// Everything that touches the driver runs inside do. The calls themselves (memory.go, module.go, graph.go,
// device_streams.go) are methods of device and must only be made there. Each is written
//
//	if err := d.begin("cuMemFree", 0); err != nil { ... }
//	return d.end(cu.MemFree(...))
//
// so that a poisoned device is never touched again, and whoever waits knows what a hanging thread is in.

// Pointer is an address in device memory; 0 is none.
type Pointer uint64

// callLimit is how long do waits. A usual step takes well below a second, a copy of 16 MiB a millisecond: what
// has not answered in this time never will. What may take longer (JIT compilation, long contexts) says so by doWithin.
// Tests lower it.
var callLimit = 30 * time.Second

// device is one GPU at work for one model. Its primary context is current on its own thread, for good.
// It is healthy until the first error that can't be recovered from; then it is poisoned: every call returns
// that first error, and neither the driver nor the memory is touched again. What the device may still
// write to (pinned buffers) then stays mapped until the process ends, which must be soon.
type device struct {
	info  DeviceInfo
	model string // in errors
	limit time.Duration
	// owed is how many multiply-accumulates the steps under way take: whoever wants the thread waits for them too.
	owed atomic.Int64
	work chan task
	gone chan struct{} // closed by close
	dead chan struct{} // closed when it is poisoned

	mu     sync.Mutex
	phase  string // of the do under way
	call   string // the driver call under way
	bytes  int64  // what it is about; 0 for nothing
	cause  error  // why it is poisoned
	closed bool
	live   ledger
}

type task struct {
	run  func() error
	done chan error // buffered: a thread that comes back late finds nobody waiting
}

// openDevice makes a device's context current on a new thread. An index that there is not and a device
// that is too old are refused by name.
func openDevice(index int, model string) (*device, error) {
	infos, err := Devices()
	if err != nil {
		return nil, placed(err, index, model)
	}
	if index < 0 || index >= len(infos) {
		return nil, fmt.Errorf("%w %d: the machine has %d", ErrNoDevice, index, len(infos))
	}
	if err := infos[index].Supported(); err != nil {
		return nil, err
	}
	d := &device{info: infos[index], model: model, limit: callLimit, live: newLedger(),
		work: make(chan task), gone: make(chan struct{}), dead: make(chan struct{})}
	go d.thread()
	if err := d.do("opening the device for", d.enter); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// placed says what for the devices were listed.
func placed(err error, index int, model string) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	at := *e // the driver's own error is kept for the next who opens it
	at.Device, at.Phase, at.Model = fmt.Sprintf("GPU %d", index), e.Phase+" for", model
	return &at
}

// thread is the device's. It ends locked, so that the thread, whose context is set, ends with it.
func (d *device) thread() {
	runtime.LockOSThread()
	for {
		select {
		case t := <-d.work:
			t.done <- t.run()
		case <-d.gone:
			return
		}
	}
}

// enter retains the primary context. cu's own contexts are not used: they end by a finalizer, from a
// thread of the collector's choice.
func (d *device) enter() error {
	if err := d.begin("cuDevicePrimaryCtxRetain", 0); err != nil {
		return err
	}
	context, err := cu.Device(d.info.Index).RetainPrimaryCtx()
	if err := d.end(err); err != nil {
		return err
	}
	if err := d.begin("cuCtxSetCurrent", 0); err != nil {
		return err
	}
	if err := d.end(context.Lock()); err != nil {
		return oneCause(err, d.leave())
	}
	return nil
}

// leave gives the primary context back.
func (d *device) leave() error {
	if err := d.begin("cuDevicePrimaryCtxRelease", 0); err != nil {
		return err
	}
	return d.end(cu.Device(d.info.Index).ReleasePrimaryCtx())
}

// do runs f on the device's thread and waits for it. phase says what it is for, so that
// "GPU 0 (...): cuMemAlloc of 1 MiB while <phase> <model>" reads well. f must not call do.
//
// If f does not come back in time the device is poisoned and do returns with the call that hangs; what f
// shares with its caller must then be left alone.
func (d *device) do(phase string, f func() error) error { return d.doWithin(d.patience(), phase, f) }

// slowestMACs is how many multiply-accumulates a second the slowest GPU gives at worst: attention over 128k
// positions on a small one. A chunk of a large model behind such a context takes minutes, which is no hang.
const slowestMACs = 100e9

// patience is how long a task may take: the steps before it are waited for too.
func (d *device) patience() time.Duration {
	return d.limit + time.Duration(float64(d.owed.Load())/slowestMACs*float64(time.Second))
}

// doWithin is do with a limit of its own, for what is known to take long.
func (d *device) doWithin(limit time.Duration, phase string, f func() error) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	t := task{done: make(chan error, 1), run: func() error {
		if err := d.start(phase); err != nil {
			return err
		}
		return f()
	}}
	select {
	case d.work <- t:
	case <-d.dead:
		return d.start(phase)
	case <-d.gone:
		return d.start(phase)
	case <-timer.C: // another do is on the thread, and its own limit may be a longer one
		return fmt.Errorf("%s: busy for %v with %s: cannot start %s %s", d.name(), limit, d.underWay(), phase, d.model)
	}
	select {
	case err := <-t.done:
		return err
	case <-timer.C:
		return d.abandon(limit)
	}
}

// start says what is done next, and refuses it on a device that is poisoned or closed: the thread may take
// a task when it is either.
func (d *device) start(phase string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.cause != nil:
		return d.cause
	case d.closed:
		return fmt.Errorf("%s: closed: cannot start %s %s", d.name(), phase, d.model)
	}
	d.phase = phase
	return nil
}

// abandon gives a thread up that does not come back. Its goroutine ends when the call ever does.
func (d *device) abandon(limit time.Duration) error {
	d.mu.Lock()
	e := hungError(sized(d.call, d.bytes), limit)
	d.mu.Unlock()
	if e.Call == "" {
		e.Call = "no driver call"
	}
	return d.fail(e)
}

// begin says which call is next, and refuses it on a poisoned device.
func (d *device) begin(call string, bytes int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cause != nil {
		return d.cause
	}
	d.call, d.bytes = call, bytes
	return nil
}

// end turns what cu says of the call into an *Error.
func (d *device) end(err error) error { return d.endCode(codeOf(err)) }

// endCode is end for calls that are bound beside cu. A call that comes back after it was given up gets
// the error that it was given up with, whatever it did.
func (d *device) endCode(code int) error {
	d.mu.Lock()
	call, bytes, cause := d.call, d.bytes, d.cause
	d.call, d.bytes = "", 0
	d.mu.Unlock()
	if cause != nil {
		return cause
	}
	if code == 0 {
		return nil
	}
	return d.fail(newError(sized(call, bytes), code))
}

// fail puts the place into an error and poisons the device if the error says so. It returns the first
// cause there was.
func (d *device) fail(e *Error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.Device, e.Model, e.Phase = d.name(), d.model, d.phase
	if d.cause != nil {
		return d.cause
	}
	if e.Is(engine.ErrPoisoned) {
		d.cause = e
		close(d.dead)
	}
	return e
}

// condemn poisons the device with an error that would not do so by itself, because of where it happened. It
// returns the first cause there was.
func (d *device) condemn(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cause == nil {
		d.cause = fmt.Errorf("%w: %w", err, engine.ErrDevicePoisoned)
		close(d.dead)
	}
	return d.cause
}

// poisoned is why the device is, or nil.
func (d *device) poisoned() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cause
}

func (d *device) name() string { return fmt.Sprintf("GPU %d (%s)", d.info.Index, d.info.Name) }

func (d *device) underWay() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.call == "" {
		return d.phase
	}
	return sized(d.call, d.bytes) + " while " + d.phase
}

// close gives the context back and ends the thread. What was made on the device must be gone: an error
// names what is left. On a poisoned device nothing is touched, and its cause is returned.
func (d *device) close() error {
	err := d.do("closing", func() error {
		left := d.usage().leak()
		return errors.Join(left, d.leave())
	})
	d.stop()
	return err
}

// stop ends the thread, once. One that hangs ends when its call does.
func (d *device) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.gone)
	}
}
