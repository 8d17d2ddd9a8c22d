// Package hostmem owns off-heap memory: regions mapped from the system, accounted by purpose, with
// huge pages where the kernel gives them and locked where the limits allow. The garbage collector
// never sees a byte of it, and C may keep pointers into it.
package hostmem

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file owns Region: one mapping from Alloc to Free.

// ErrFreed is what Free returns for a region that was freed before.
var ErrFreed = errors.New("hostmem: region freed twice")

// hugePageBytes is x86-64's huge page; smaller regions gain nothing from asking.
const hugePageBytes = 2 << 20

// maxBytes is half of the 47-bit address space of a Linux process: more is an arithmetic error.
const maxBytes = 1 << 46

// Option changes how one region is mapped.
type Option uint8

// The options.
const (
	TryLock     Option = 1 << iota // mlock; being refused is counted and left in Region.LockError
	RequireLock                    // mlock, or fail
	SmallPages                     // do not ask for huge pages: the region is touched sparsely
)

// Allocator maps regions. Alloc is the one for a machine without a GPU; where there is one, the
// daemon injects an allocator that pins what it maps, built on NewRegion.
type Allocator func(p Purpose, bytes int64, options ...Option) (*Region, error)

// Region is one mapping: zeroed, page-aligned, freed whole. It has one owner, who calls Free; the
// bytes may be shared, the Region's methods may not be called during Free. There is no finalizer
// that unmaps, since C may still hold pointers: a region collected without Free is logged and
// counted as leaked.
type Region struct {
	purpose   Purpose
	bytes     []byte
	release   func([]byte) error
	hugeBytes int64
	locked    bool
	lockError error
	leak      runtime.Cleanup
}

// Alloc maps zeroed memory for a purpose, aligned to a page. Regions of 2 MiB and more ask for huge
// pages. An error names purpose and size and leaves nothing mapped.
func Alloc(p Purpose, bytes int64, options ...Option) (*Region, error) {
	if bytes <= 0 || bytes > maxBytes {
		return nil, fmt.Errorf("hostmem: %d bytes for %s: out of range", bytes, p)
	}
	var asked Option
	for _, o := range options {
		asked |= o
	}
	b, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("hostmem: mapping %d bytes for %s: %w", bytes, p, err)
	}
	r := &Region{purpose: p, bytes: b, release: unix.Munmap}
	if bytes >= hugePageBytes && asked&SmallPages == 0 && unix.Madvise(b, unix.MADV_HUGEPAGE) == nil {
		r.hugeBytes = bytes
	}
	if asked&(TryLock|RequireLock) != 0 {
		r.lockError = r.lock()
	}
	if r.lockError != nil && asked&RequireLock != 0 {
		return nil, errors.Join(r.lockError, unix.Munmap(b))
	}
	r.register()
	return r, nil
}

// NewRegion makes a region of memory that another allocator mapped, and that release gives back. The
// bytes must lie outside the Go heap and count as locked: pinning is what other allocators are for.
func NewRegion(p Purpose, bytes []byte, release func([]byte) error) *Region {
	r := &Region{purpose: p, bytes: bytes, release: release, locked: true}
	r.register()
	return r
}

// lock faults every page in and keeps it. The kernel compares with RLIMIT_MEMLOCK (and the right to
// exceed it) before it touches a page, so asking is the check.
func (r *Region) lock() error {
	err := unix.Mlock(r.bytes)
	if err == nil {
		r.locked = true
		return nil
	}
	_ = unix.Munlock(r.bytes) // a failure half way through leaves pages locked
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && uint64(len(r.bytes)) > limit.Cur {
		return fmt.Errorf("hostmem: locking %d bytes for %s: limit is %d bytes (raise LimitMEMLOCK= or ulimit -l): %w",
			len(r.bytes), r.purpose, limit.Cur, err)
	}
	return fmt.Errorf("hostmem: locking %d bytes for %s: %w", len(r.bytes), r.purpose, err)
}

func (r *Region) register() {
	r.account(1)
	purpose, bytes := r.purpose, len(r.bytes)
	r.leak = runtime.AddCleanup(r, func(struct{}) {
		leaks.Add(1)
		slog.Error("off-heap region was never freed", "purpose", purpose.String(), "bytes", bytes)
	}, struct{}{})
}

// Purpose is what the region was mapped for.
func (r *Region) Purpose() Purpose { return r.purpose }

// Bytes is the region's memory; nil after Free.
func (r *Region) Bytes() []byte { return r.bytes }

// Pointer is the region's first byte; nil after Free.
func (r *Region) Pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(r.bytes)) }

// Locked says whether the region can't be paged out.
func (r *Region) Locked() bool { return r.locked }

// LockError is why TryLock did not lock; nil if it did or was not asked.
func (r *Region) LockError() error { return r.lockError }

// Free gives the region back. Its bytes must not be touched any more, by C either.
func (r *Region) Free() error {
	if r.bytes == nil {
		return fmt.Errorf("%w (%s)", ErrFreed, r.purpose)
	}
	r.leak.Stop()
	r.account(-1)
	b := r.bytes
	r.bytes = nil
	if err := r.release(b); err != nil {
		return fmt.Errorf("hostmem: freeing %d bytes of %s: %w", len(b), r.purpose, err)
	}
	return nil
}
