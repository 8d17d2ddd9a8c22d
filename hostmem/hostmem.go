// Package hostmem owns off-heap memory: regions mapped from the system, accounted by purpose, with
// huge pages where the kernel gives them and locked where the limits allow. The garbage collector
// never sees a byte of it, and C may keep pointers into it.
package hostmem

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Purpose says what a region is for; it is the key of the accounting.
type Purpose int

// The purposes.
const (
	Weights Purpose = iota
	KV
	Activations
	Batch
	Staging
	purposes
)

var purposeNames = [purposes]string{"weights", "kv", "activations", "batch", "staging"}

// String returns the purpose's name.
func (p Purpose) String() string { return purposeNames[p] }

// hugePageBytes is x86-64's huge page; smaller regions gain nothing from asking.
const hugePageBytes = 2 << 20

var (
	usedBytes   [purposes]atomic.Int64
	lockedBytes atomic.Int64
)

// Region is one mapping: zeroed, page-aligned, freed whole.
type Region struct {
	purpose Purpose
	bytes   []byte
	locked  bool
}

// Alloc maps n bytes for a purpose.
func Alloc(p Purpose, n int64) (*Region, error) {
	if n <= 0 || n > 1<<46 {
		return nil, fmt.Errorf("%s: %d bytes can't be mapped", p, n)
	}
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("mapping %d bytes for %s: %w", n, p, err)
	}
	if n >= hugePageBytes {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // advice: a kernel without huge pages says no
	}
	usedBytes[p].Add(n)
	return &Region{purpose: p, bytes: b}, nil
}

// Lock keeps the region in memory. An error (RLIMIT_MEMLOCK, most often) leaves it usable.
func (r *Region) Lock() error {
	if err := unix.Mlock(r.bytes); err != nil {
		return fmt.Errorf("locking %d bytes for %s: %w (raise LimitMEMLOCK=)", len(r.bytes), r.purpose, err)
	}
	r.locked = true
	lockedBytes.Add(int64(len(r.bytes)))
	return nil
}

// Bytes is the region's memory; nil after Free.
func (r *Region) Bytes() []byte { return r.bytes }

// Pointer is the region's first byte.
func (r *Region) Pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(r.bytes)) }

// Free unmaps the region. Freeing twice is a bug and panics.
func (r *Region) Free() error {
	if r.bytes == nil {
		panic("hostmem: region for " + r.purpose.String() + " freed twice")
	}
	n := int64(len(r.bytes))
	err := unix.Munmap(r.bytes)
	r.bytes = nil
	usedBytes[r.purpose].Add(-n)
	if r.locked {
		lockedBytes.Add(-n)
	}
	return err
}

// Usage is what is mapped for each purpose, in bytes.
func Usage() map[string]int64 {
	used := map[string]int64{}
	for p := range purposes {
		used[p.String()] = usedBytes[p].Load()
	}
	return used
}

// LockedBytes is how much of it is locked in memory.
func LockedBytes() int64 { return lockedBytes.Load() }

// Carver hands out aligned pieces of one region, front to back. It first runs without a region to add
// up the sizes (Need), then with one.
type Carver struct {
	base unsafe.Pointer
	at   int64
	size int64
}

// align is a cache line, and AVX-512's vector.
const align = 64

// NewCarver carves r; nil only measures.
func NewCarver(r *Region) *Carver {
	if r == nil {
		return &Carver{}
	}
	return &Carver{base: r.Pointer(), size: int64(len(r.bytes))}
}

// Need is how many bytes have been asked for.
func (c *Carver) Need() int64 { return c.at }

// Bytes takes n bytes; nil while measuring.
func (c *Carver) Bytes(n int64) unsafe.Pointer {
	at := c.at
	c.at += (n + align - 1) / align * align
	if c.base == nil {
		return nil
	}
	if c.at > c.size {
		panic("hostmem: carved more than was measured")
	}
	return unsafe.Add(c.base, at)
}

// Take is a slice of n elements of T; nil while measuring.
func Take[T any](c *Carver, n int) []T {
	var zero T
	p := c.Bytes(int64(n) * int64(unsafe.Sizeof(zero)))
	if p == nil {
		return nil
	}
	return unsafe.Slice((*T)(p), n)
}
