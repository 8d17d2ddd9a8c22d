// Package gpu watches the health of GPUs: readings and events become a verdict (serve, degrade, drain,
// restart, replace) with its reason. It holds no CUDA, never resets a GPU, and is a leaf: what obeys a verdict is
// daemon's.
//
// This file owns the border to the driver: Reader, which NVML implements in builds with the cuda tag and scenario
// files implement in tests (gpu/gputest).
package gpu

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"
)

// Errors of a Reader that say what a device is, not what a call met.
var (
	ErrLost          = errors.New("the GPU is lost to the driver")
	ErrResetRequired = errors.New("the driver wants the GPU reset before it is used again")
	ErrNoEvents      = errors.New("the driver reports no Xid events")
)

// Device names one GPU. The list is read once: NVML's handles live as long as the process, and a GPU that leaves
// answers ErrLost.
type Device struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	UUID  string `json:"uuid"`
	Bus   string `json:"bus"` // as BusID spells it
}

// BusID spells a PCI address as the kernel does, 0000:17:00.0: NVML pads the domain to eight digits, and CUDA's
// may be in capitals. The address, not the UUID, tells which GPU a process computes on: a MIG instance has a UUID
// of its own.
func BusID(s string) string {
	s = strings.ToLower(s)
	if domain, rest, ok := strings.Cut(s, ":"); ok && len(domain) == 8 {
		return strings.TrimPrefix(domain, "0000") + ":" + rest
	}
	return s
}

// Event is a Xid error that the driver reported for a device.
type Event struct {
	Device int // its Index
	Xid    uint64
}

// Reader reads GPUs. Each method may be called on a goroutine of its own, but for one device only one Read is under
// way. Before each call into the driver a method tells call, so that a hang has a name.
type Reader interface {
	Devices(call *Call) ([]Device, error)
	// Read takes all readings of a device. What the device does not have is absent, not an error.
	Read(index int, call *Call) (Reading, error)
	// NextEvent waits at most that long. ErrNoEvents says that there will never be any.
	NextEvent(wait time.Duration, call *Call) (e Event, ok bool, err error)
	Close()
}

// Call is what a thread is doing in the driver at the moment. The thread writes it, the watcher reads it.
type Call struct{ current atomic.Pointer[begunCall] }

type begunCall struct {
	name  string
	since time.Time
}

// Enter says that the thread goes into the driver.
func (c *Call) Enter(name string) { c.current.Store(&begunCall{name, time.Now()}) }

// Leave says that it has come back.
func (c *Call) Leave() { c.current.Store(nil) }

// stuck names a call that has been under way for longer than limit.
func (c *Call) stuck(limit time.Duration) (name string, stuck bool) {
	b := c.current.Load()
	if b == nil || time.Since(b.since) < limit {
		return "", false
	}
	return b.name, true
}
