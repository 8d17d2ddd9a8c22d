package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"chimera/loader"
	"chimera/scheduler"
)

// This file owns the device that the daemon computes on: its backend and its loop, whichever models come and go.

// heldDevice is a device with its one backend and its one loop.
type heldDevice struct {
	backend loader.Backend
	loop    *scheduler.Loop
	stop    context.CancelFunc // ends the loop, at once
	ended   chan struct{}      // closed when it has
	err     error              // then: what poisoned the device
	lost    atomic.Pointer[error]
}

// holdDevice starts the loop of a backend that is open.
func holdDevice(b loader.Backend) *heldDevice {
	d := &heldDevice{backend: b, loop: scheduler.NewLoop(scheduler.LoopConfig{CPU: processCPU}), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go func() {
		d.err = d.loop.Run(ctx)
		close(d.ended)
	}()
	return d
}

// lose ends the loop of a device that was poisoned outside of it, by a load.
func (d *heldDevice) lose(err error) {
	d.lost.CompareAndSwap(nil, &err)
	d.stop()
}

// why is why the loop has ended.
func (d *heldDevice) why() error {
	if lost := d.lost.Load(); lost != nil {
		return *lost
	}
	return cmp.Or(d.err, errLoopEnded)
}

// close gives the device back, when nothing is loaded any more.
func (d *heldDevice) close() error {
	d.stop()
	<-d.ended
	return d.backend.Close()
}

// countThreads lets steps run on as many threads as there is room for now: the control group's quota may have changed
// since they were started. More than were started there can't be.
func (d *heldDevice) countThreads(o loader.Options) {
	if o.Threads > 0 {
		return
	}
	n, bound := o.Workers()
	d.backend.SetActive(n)
	slog.Info("threads counted again", "room_for", n, "bound", bound)
}

// errLoopEnded is why the daemon ends where its loop has ended without a reason of its own.
var errLoopEnded = errors.New("the loop has ended")
