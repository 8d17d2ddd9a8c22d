//go:build cgo

package cgo

// #include "touch.h"
import "C"

import (
	"sync"
	"unsafe"

	"chimera/hostmem"
)

// This file owns when memory that a load packs into is touched first.

// touchBytes is a huge page, which the kernel gives as one.
const touchBytes = 2 << 20

// toucher has the kernel give a region's memory block by block before it is packed into. Beside steps that is done at the
// priority of idle time, since it is the one thing of a load that cannot be cut into chunks of a millisecond: with it
// in the chunks a decoding step waited for 5 ms at each eighth chunk of SmolLM2. While nothing is served the packing threads do it as they write.
type toucher struct {
	region *hostmem.Region
	blocks []sync.Once // by address, from the huge page that holds the region's first byte
}

func newToucher(r *hostmem.Region) *toucher {
	t := &toucher{region: r}
	t.blocks = make([]sync.Once, t.block(uintptr(len(r.Bytes())-1))+1)
	return t
}

// block is which of the blocks holds byte `at` of the region.
func (t *toucher) block(at uintptr) uintptr {
	base := uintptr(t.region.Pointer())
	return (base+at)/touchBytes - base/touchBytes
}

// touch returns when bytes [from, end) of the region may be written to at no cost.
func (t *toucher) touch(from, end uintptr) {
	for i := t.block(from); i <= t.block(end-1); i++ {
		t.blocks[i].Do(func() {
			memory := t.bytes(i)
			C.touch_idle((*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(memory))), C.size_t(len(memory)))
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
