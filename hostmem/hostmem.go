// Package hostmem owns off-heap memory: regions mapped from the system, accounted by purpose, with
// huge pages where the kernel gives them, locked where the limits allow and pinned where there is a
// GPU. The garbage collector never sees a byte of it, and C may keep pointers into it.
package hostmem

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file owns Region: one mapping from Alloc to Free.

// ErrFreed is what a region's methods return after Free.
var ErrFreed = errors.New("hostmem: region was freed before")

// hugePageBytes is x86-64's huge page; smaller regions gain nothing from asking.
const hugePageBytes = 2 << 20

// maxBytes is half of the 47-bit address space of a Linux process: more is an arithmetic error.
const maxBytes = 1 << 46

// Option changes how one region is mapped.
type Option uint8

// The options. Pinned and WriteCombined mean the same on every machine: where no GPU's driver pins
// (see UsePinner), or where it refuses, the region has huge pages and is locked as with TryLock.
const (
	TryLock       Option = 1 << iota // mlock; being refused is counted and left in Region.Fallback
	RequireLock                      // mlock, or fail
	SmallPages                       // no huge pages: the region is touched sparsely
	Pinned                           // a GPU copies from it and to it without a detour
	WriteCombined                    // Pinned, past the CPU's caches unless it is longer than PinnedPiece: for what the CPU only writes, since it reads there at a crawl
)

const (
	pinning = Pinned | WriteCombined
	locking = TryLock | RequireLock | pinning
)

// Region is one mapping: page-aligned, freed whole. It has one owner, who calls Free; the
// bytes may be shared, the Region's methods may not be called during Free or Pin. There is no
// finalizer that unmaps, since C may still hold pointers: a region collected without Free is logged
// and counted as leaked.
type Region struct {
	purpose   Purpose
	bytes     []byte
	undo      []func() error // what Free does, last first
	hugeBytes int64
	readOnly  bool
	locked    bool
	pinned    bool
	fallback  error
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
	r := &Region{purpose: p}
	if err := r.obtain(bytes, asked); err != nil {
		return nil, errors.Join(err, r.giveBack())
	}
	r.enter()
	return r, nil
}

// obtain gets the memory: from the driver if it is to be pinned, else, or if the driver refuses, from
// the kernel.
func (r *Region) obtain(bytes int64, asked Option) error {
	if p := currentPinner(); p != nil && asked&pinning != 0 {
		if r.fallback = r.allocPinned(p, bytes, asked&WriteCombined != 0); r.fallback == nil {
			return nil
		}
	}
	if err := r.mapAnonymous(bytes, asked&SmallPages != 0); err != nil {
		return errors.Join(r.fallback, err)
	}
	if asked&locking == 0 {
		return nil
	}
	err := r.lock()
	r.fallback = errors.Join(r.fallback, err)
	if asked&RequireLock != 0 && err != nil {
		return r.fallback
	}
	return nil
}

func (r *Region) mapAnonymous(bytes int64, smallPages bool) error {
	b, err := unix.Mmap(-1, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("hostmem: mapping %d bytes for %s: %w", bytes, r.purpose, err)
	}
	r.bytes, r.undo = b, append(r.undo, func() error { return unix.Munmap(b) })
	switch {
	case smallPages:
		_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // a kernel without huge pages refuses, and gives none
	case bytes >= hugePageBytes && unix.Madvise(b, unix.MADV_HUGEPAGE) == nil:
		r.hugeBytes = bytes
	}
	return nil
}

// lock faults every page in and keeps it. The limit is looked at first for the sake of the error; what
// the kernel says counts, and it compares before it touches a page.
func (r *Region) lock() error {
	if r.locked {
		return nil
	}
	b, err := r.bytes, lockLimit(int64(len(r.bytes)))
	if err == nil {
		if err = unix.Mlock(b); err == nil {
			r.locked, r.undo = true, append(r.undo, func() error { return unix.Munlock(b) })
			return nil
		}
		_ = unix.Munlock(b) // a failure half way through leaves pages locked
	}
	return fmt.Errorf("hostmem: locking %d bytes for %s: %w", len(b), r.purpose, err)
}

// Lock keeps a region's pages, which it faults in, from being paged out, like TryLock but when they have been written: memory
// that is filled by several threads is not zeroed by one before. A refusal is returned, and counted: the region goes on as it was.
func (r *Region) Lock() error {
	if r.bytes == nil {
		return fmt.Errorf("%w (%s)", ErrFreed, r.purpose)
	}
	return r.become(r.lock)
}

// become changes what the region is, in the accounts too. Why it could not is its fallback.
func (r *Region) become(change func() error) error {
	r.account(-1)
	r.fallback = change()
	r.account(1)
	if r.fallback != nil {
		r.fellBack()
	}
	return r.fallback
}

// UseSmallPages has the kernel give small pages where it has given none yet: for memory that is touched beside work which can't wait for
// a huge page. A kernel without huge pages refuses, and gives none.
func (r *Region) UseSmallPages() {
	if r.bytes == nil || unix.Madvise(r.bytes, unix.MADV_NOHUGEPAGE) != nil {
		return
	}
	r.account(-1)
	r.hugeBytes = 0
	r.account(1)
}

// enter counts the region and watches for its loss.
func (r *Region) enter() {
	r.account(1)
	if r.fallback != nil {
		r.fellBack()
	}
	purpose, bytes := r.purpose, len(r.bytes)
	r.leak = runtime.AddCleanup(r, func(struct{}) {
		leaks.Add(1)
		slog.Error("off-heap region was never freed", "purpose", purpose.String(), "bytes", bytes)
	}, struct{}{})
}

// giveBack undoes all that was done for the region, whatever fails of it.
func (r *Region) giveBack() (err error) {
	for _, undo := range slices.Backward(r.undo) {
		err = errors.Join(err, undo())
	}
	r.undo, r.bytes = nil, nil
	return err
}

// Purpose is what the region was mapped for.
func (r *Region) Purpose() Purpose { return r.purpose }

// Bytes is the region's memory; nil after Free.
func (r *Region) Bytes() []byte { return r.bytes }

// Pointer is the region's first byte; nil after Free.
func (r *Region) Pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(r.bytes)) }

// Locked says whether the region can't be paged out; pinned ones can't.
func (r *Region) Locked() bool { return r.locked }

// Pinned says whether a GPU copies from the region and to it without a detour.
func (r *Region) Pinned() bool { return r.pinned }

// Fallback is why the region is less than was asked: not pinned, or pageable. Nil if it got all.
func (r *Region) Fallback() error { return r.fallback }

// Free gives the region back, once, whatever goes wrong: a lost device keeps no accounts wrong. Its
// bytes must not be touched any more, by C or a GPU either.
func (r *Region) Free() error {
	if r.bytes == nil {
		return fmt.Errorf("%w (%s)", ErrFreed, r.purpose)
	}
	r.leak.Stop()
	r.account(-1)
	n := len(r.bytes)
	if err := r.giveBack(); err != nil {
		return fmt.Errorf("hostmem: freeing %d bytes of %s: %w", n, r.purpose, err)
	}
	return nil
}
