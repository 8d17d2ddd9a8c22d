package hostmem

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
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

// PinnedPiece bounds what one call of the driver pins: pages are zeroed and fixed at some GiB a second, and a call for
// a hundred GiB would pass for one that hangs. A piece ends where an address is a multiple of it, so that whoever copies
// knows without asking where a range leaves a piece: no copy may.
const PinnedPiece = 1 << 30

// Pieces cuts a range of memory where pinned pieces end: the offset of each, and how long it is.
func Pieces(memory unsafe.Pointer, bytes int64) iter.Seq2[int64, int64] {
	return func(yield func(offset, bytes int64) bool) {
		for at := int64(0); at < bytes; {
			n := min(PinnedPiece-int64((uintptr(memory)+uintptr(at))%PinnedPiece), bytes-at)
			if !yield(at, n) {
				return
			}
			at += n
		}
	}
}

// allocPinned lets the driver map the region, or pin it in pieces if it is large. Drivers do not promise zeroes, regions do.
func (r *Region) allocPinned(p Pinner, bytes int64, writeCombined bool) error {
	if bytes > PinnedPiece {
		return r.mapPinned(p, bytes)
	}
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

// mapPinned maps the region itself, as the pieces that a driver maps would not follow each other.
func (r *Region) mapPinned(p Pinner, bytes int64) error {
	err := r.mapAnonymous(bytes, false)
	if err == nil {
		err = r.registerWith(p)
	}
	if err != nil {
		r.hugeBytes = 0
		return errors.Join(err, r.giveBack())
	}
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
	bytes, limit := int64(len(r.bytes)), lockLimit(int64(len(r.bytes)))
	undo, err := register(p, r.Pointer(), bytes, r.readOnly)
	if err != nil {
		return fmt.Errorf("hostmem: pinning %d mapped bytes for %s: %w", bytes, r.purpose, errors.Join(err, limit))
	}
	r.undo = append(r.undo, undo...)
	r.locked, r.pinned = true, true
	return nil
}

// register pins all pieces of a range or none, and returns what unpins each.
func register(p Pinner, memory unsafe.Pointer, bytes int64, readOnly bool) (undo []func() error, err error) {
	for offset, n := range Pieces(memory, bytes) {
		piece := unsafe.Add(memory, offset)
		if err := p.Register(piece, n, readOnly); err != nil {
			for _, u := range slices.Backward(undo) {
				err = errors.Join(err, u())
			}
			return nil, err
		}
		undo = append(undo, func() error { return p.Unregister(piece) })
	}
	return undo, nil
}
