package scheduler

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// This file owns what Submit may know of the pages that a lane has: whose keys there are, without a lock on the loop.

// directory holds eight bytes of each key that a pool's index has, at a place that eight others choose. Of two keys with one place the
// later stays, so it may not know a page that is there, and what it knows may go at any time: it is for predictions.
type directory struct {
	slots []atomic.Uint64
}

// newDirectory has four slots a page: of a full pool it knows eight pages in nine.
func newDirectory(pages int) *directory {
	return &directory{slots: make([]atomic.Uint64, 1<<bits.Len(uint(4*pages)))}
}

func (d *directory) at(k *pageKey) (slot *atomic.Uint64, mark uint64) {
	place := binary.LittleEndian.Uint64(k[:8]) & uint64(len(d.slots)-1)
	return &d.slots[place], binary.LittleEndian.Uint64(k[8:]) | 1
}

func (d *directory) note(k *pageKey) {
	slot, mark := d.at(k)
	slot.Store(mark)
}

func (d *directory) forget(k *pageKey) {
	slot, mark := d.at(k)
	slot.CompareAndSwap(mark, 0)
}

// run is how many of the keys it knows, from the first on, passing over one in a row that it does not.
func (d *directory) run(keys []pageKey) (n int) {
	for i := range keys {
		slot, mark := d.at(&keys[i])
		switch {
		case slot.Load() == mark:
			n = i + 1
		case i > n:
			return n
		}
	}
	return n
}

// last is how many keys there are up to the last that it knows.
func (d *directory) last(keys []pageKey) int {
	for i := len(keys); i > 0; i-- {
		if slot, mark := d.at(&keys[i-1]); slot.Load() == mark {
			return i
		}
	}
	return 0
}
