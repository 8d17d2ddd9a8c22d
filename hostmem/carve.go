package hostmem

import (
	"fmt"
	"math"
	"unsafe"
)

// This file owns the layout of a region: typed, aligned pieces of it.

// align is a cache line, and AVX-512's vector.
const align = 64

// Slice is n elements of T at a byte offset into r. Like a slice expression it panics when they do
// not lie wholly inside, or when the offset does not suit T.
func Slice[T any](r *Region, offset, n int64) []T {
	var zero T
	size, limit := int64(unsafe.Sizeof(zero)), int64(len(r.bytes))
	if offset < 0 || n < 0 || offset > limit || (size > 0 && n > (limit-offset)/size) {
		panic(fmt.Sprintf("hostmem: %d elements of %d bytes at %d: region has %d bytes", n, size, offset, limit))
	}
	if offset%int64(unsafe.Alignof(zero)) != 0 {
		panic(fmt.Sprintf("hostmem: offset %d is not aligned for %T", offset, zero))
	}
	return unsafe.Slice((*T)(unsafe.Add(r.Pointer(), offset)), n)
}

// Carver hands out pieces of one region, front to back, each aligned to 64 bytes. The zero Carver has
// no region and only adds up (Need): the same code first measures, then takes. A sum beyond 2^63
// stays at the largest int64, which Alloc refuses.
type Carver struct {
	region *Region
	at     int64
}

// NewCarver carves r; nil only measures.
func NewCarver(r *Region) *Carver { return &Carver{region: r} }

// Need is how many bytes have been asked for.
func (c *Carver) Need() int64 { return c.at }

// Bytes takes n bytes; nil while measuring. Taking more than the region has panics.
func (c *Carver) Bytes(n int64) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(Take[byte](c, int(n))))
}

// Take is a slice of n elements of T; nil while measuring. Taking more than the region has panics.
func Take[T any](c *Carver, n int) []T {
	var zero T
	at := c.at
	c.at = advance(at, int64(n), int64(unsafe.Sizeof(zero)))
	if c.region == nil {
		return nil
	}
	return Slice[T](c.region, at, int64(n))
}

// advance is at + n*size rounded up to align, or the largest int64.
func advance(at, n, size int64) int64 {
	if n < 0 || (size > 0 && n > (math.MaxInt64-align-at)/size) {
		return math.MaxInt64
	}
	return at + (n*size+align-1)/align*align
}
