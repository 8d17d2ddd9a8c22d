//go:build cgo

package cgo

// #include "touch.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"chimera/hostmem"
)

// This file owns when memory that a load packs into is touched first.

// touchBytes is a huge page, which the kernel gives as one.
const touchBytes = 2 << 20

// toucher has the kernel give a region's memory block by block before it is packed into. Beside steps that is done at the
// priority of idle time, since it is the one thing of a load that cannot be cut into chunks of a millisecond. While nothing is served the
// packing threads do it as they write.
//
// Zeroing a huge page took 5 ms where a virtual machine's host had to find the memory, and not every kernel lets go of the core
// meanwhile: where it takes longer than a chunk may, the rest of the region is given in small pages, which packing touches one by one.
type toucher struct {
	region *hostmem.Region
	give   func(memory []byte) (took time.Duration) // has the kernel give it
	blocks []sync.Once                              // by address, from the huge page that holds the region's first byte
	small  atomic.Bool                              // no block is waited for any more
}

func newToucher(r *hostmem.Region) *toucher {
	t := &toucher{region: r, give: func(memory []byte) time.Duration {
		return time.Duration(C.touch_idle((*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(memory))), C.size_t(len(memory))))
	}}
	t.blocks = make([]sync.Once, t.block(uintptr(len(r.Bytes())-1))+1)
	return t
}

// block is which of the blocks holds byte `at` of the region.
func (t *toucher) block(at uintptr) uintptr {
	base := uintptr(t.region.Pointer())
	return (base+at)/touchBytes - base/touchBytes
}

// touch returns when bytes [from, end) of the region may be written to at little cost.
func (t *toucher) touch(from, end uintptr) {
	for i := t.block(from); i <= t.block(end-1) && !t.small.Load(); i++ {
		t.blocks[i].Do(func() {
			if t.give(t.bytes(i)) > chunkLimit && t.small.CompareAndSwap(false, true) {
				t.region.UseSmallPages()
			}
		})
	}
}

// bytes are those of the region in a block.
func (t *toucher) bytes(block uintptr) []byte {
	before := uintptr(t.region.Pointer()) % touchBytes // of the first block
	all := t.region.Bytes()
	from := max(block*touchBytes, before) - before
	return all[from:min((block+1)*touchBytes-before, uintptr(len(all)))]
}
