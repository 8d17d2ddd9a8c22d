package hostmem

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

// This file owns pinning: memory that a GPU's driver keeps in place, without a word of CUDA.

// Pinner is what a GPU's driver does for host memory. Memory is pinned for every device (CUDA calls it
// portable). Any goroutine may call, several at once.
type Pinner interface {
	// Alloc gives page-aligned pinned memory; writeCombined bypasses the CPU's caches.
	Alloc(bytes int64, writeCombined bool) (unsafe.Pointer, error)
	// Free takes back what Alloc gave.
	Free(memory unsafe.Pointer) error
	// Register pins memory that is mapped already. readOnly says that the mapping may not be written:
	// a driver that is not told asks the kernel for write access and is refused.
	Register(memory unsafe.Pointer, bytes int64, readOnly bool) error
	// Unregister undoes Register.
	Unregister(memory unsafe.Pointer) error
}

var thePinner atomic.Pointer[Pinner]

// UsePinner makes p pin what is asked to be pinned from now on; nil ends that. Only the daemon calls
// it, when the driver is up and before it loads. A region goes back to the pinner that it came from.
func UsePinner(p Pinner) {
	if p == nil {
		thePinner.Store(nil)
		return
	}
	thePinner.Store(&p)
}

func currentPinner() Pinner {
	if p := thePinner.Load(); p != nil {
		return *p
	}
	return nil
}

// allocPinned lets the driver map the region. Drivers do not promise zeroes, regions do.
func (r *Region) allocPinned(p Pinner, bytes int64, writeCombined bool) error {
	memory, err := p.Alloc(bytes, writeCombined)
	if err != nil {
		return fmt.Errorf("hostmem: pinning %d bytes for %s: %w", bytes, r.purpose, err)
	}
	if memory == nil || misaligned(memory) {
		return errors.Join(fmt.Errorf("hostmem: pinning %d bytes for %s: the driver gave %p, not a page", bytes, r.purpose, memory), p.Free(memory))
	}
	r.bytes, r.undo = unsafe.Slice((*byte)(memory), bytes), append(r.undo, func() error { return p.Free(memory) })
	r.locked, r.pinned = true, true
	clear(r.bytes)
	return nil
}

func misaligned(memory unsafe.Pointer) bool { return uintptr(memory)%uintptr(os.Getpagesize()) != 0 }

// Adopt makes a region of memory that somebody else mapped outside the Go heap, such as a file, and
// still unmaps, after Free. It is as it was until Pin. readOnly says that the mapping may not be written.
func Adopt(p Purpose, memory []byte, readOnly bool) (*Region, error) {
	r := &Region{purpose: p, bytes: memory, readOnly: readOnly}
	switch {
	case len(memory) == 0 || len(memory) > maxBytes:
		return nil, fmt.Errorf("hostmem: adopting %d bytes for %s: out of range", len(memory), p)
	case misaligned(r.Pointer()): // its first page would be shared, and unlocked under the neighbour
		return nil, fmt.Errorf("hostmem: adopting %d bytes for %s: %p is not the start of a page", len(memory), p, r.Pointer())
	}
	r.enter()
	return r, nil
}

// Pin pins a region that is mapped already: one of huge pages, one from before the driver was up, an
// adopted file. Without a GPU it locks. A refusal is returned, and counted: the region goes on as it was.
func (r *Region) Pin() error {
	if r.bytes == nil {
		return fmt.Errorf("%w (%s)", ErrFreed, r.purpose)
	}
	if r.pinned {
		return nil
	}
	if p := currentPinner(); p != nil {
		return r.become(func() error { return r.registerWith(p) })
	}
	return r.become(r.lock)
}

// registerWith asks the driver. The limit on locked memory is looked at before but does not decide:
// NVIDIA's driver for Linux pins without counting against it, others count. A refusal names it.
func (r *Region) registerWith(p Pinner) error {
	memory, bytes, limit := r.Pointer(), int64(len(r.bytes)), lockLimit(int64(len(r.bytes)))
	if err := p.Register(memory, bytes, r.readOnly); err != nil {
		return fmt.Errorf("hostmem: pinning %d mapped bytes for %s: %w", bytes, r.purpose, errors.Join(err, limit))
	}
	r.undo = append(r.undo, func() error { return p.Unregister(memory) })
	r.locked, r.pinned = true, true
	return nil
}
