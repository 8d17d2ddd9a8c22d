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
	// Instances are the parts that MIG has split the GPU into, none where it hasn't.
	Instances []Instance `json:"instances,omitzero"`
}

// Instance is what a process sees as a GPU under MIG.
type Instance struct {
	UUID string `json:"uuid"` // "MIG-" and digits
	GPU  uint32 `json:"gpu_instance"`
}

// Place is where a process computes.
type Place struct {
	Bus  string // as BusID spells it
	UUID string // that of CUDA: a MIG instance's own, where it is one; what stands before the digits is not compared
}

// instances are the MIG instances of d that are among places.
func (d Device) instances(places []Place) (own []uint32) {
	for _, p := range places {
		for _, in := range d.Instances {
			if p.Bus == d.Bus && digits(p.UUID) == digits(in.UUID) {
				own = append(own, in.GPU)
			}
		}
	}
	return own
}

// digits are a UUID's without GPU- or MIG- before them.
func digits(uuid string) string {
	_, rest, _ := strings.Cut(strings.ToLower(uuid), "-")
	return rest
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
	Device   int // its Index
	Xid      uint64
	Instance *uint32 // the MIG instance that met it (Instance.GPU), nil if it is the whole GPU's
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
