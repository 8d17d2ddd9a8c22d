//go:build cgo

package cgo

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"chimera/hostmem"
)

func touchRegion(t *testing.T, n int64) *hostmem.Region {
	t.Helper()
	r, err := hostmem.Alloc(hostmem.Weights, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Free(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// resident counts pages of memory that the kernel has given.
func resident(t *testing.T, memory []byte) (n int) {
	t.Helper()
	pages := make([]byte, (len(memory)+os.Getpagesize()-1)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(len(memory)), uintptr(unsafe.Pointer(unsafe.SliceData(pages))))
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, p := range pages {
		n += int(p & 1)
	}
	return n
}

// The blocks of a region are all of it, each byte in the block that block() says.
func TestTouchBlocksCoverTheRegion(t *testing.T) {
	for _, n := range []int64{1, 4096, touchBytes - 1, touchBytes, 3*touchBytes + 4097} {
		to := newToucher(touchRegion(t, n))
		var at uintptr
		for i := range to.blocks {
			b := to.bytes(uintptr(i))
			if len(b) == 0 || &b[0] != &to.region.Bytes()[at] {
				t.Fatalf("%d bytes: block %d does not begin at %d", n, i, at)
			}
			if first, last := to.block(at), to.block(at+uintptr(len(b))-1); first != uintptr(i) || last != uintptr(i) {
				t.Errorf("%d bytes: the ends of block %d are in %d and %d", n, i, first, last)
			}
			at += uintptr(len(b))
		}
		if at != uintptr(n) {
			t.Errorf("%d bytes: the blocks hold %d", n, at)
		}
	}
}

// After a touch the kernel has given the memory, and what others wrote to the same pages meanwhile is there.
func TestTouchBesideWriters(t *testing.T) {
	r := touchRegion(t, 3*touchBytes+4097)
	to := newToucher(r)
	if n := resident(t, r.Bytes()); n != 0 {
		t.Fatalf("%d pages are there before the touch", n)
	}
	var all sync.WaitGroup
	const writers = 4
	for w := range writers {
		all.Go(func() {
			for i := w; i < len(r.Bytes()); i += writers {
				if i%touchBytes == w { // the first of a block's bytes, at no certain time
					to.touch(uintptr(i), uintptr(min(i+touchBytes, len(r.Bytes()))))
				}
				r.Bytes()[i] = byte(w + 1)
			}
		})
	}
	all.Wait()
	want := bytes.Repeat([]byte{1, 2, 3, 4}, len(r.Bytes())/4+1)[:len(r.Bytes())]
	if !bytes.Equal(r.Bytes(), want) {
		t.Error("what was written beside a touch is lost")
	}
}

func TestTouchGivesWholeBlocks(t *testing.T) {
	r := touchRegion(t, 3*touchBytes+4097)
	to := newToucher(r)
	block := to.block(touchBytes + 5)
	to.touch(touchBytes+5, touchBytes+6)
	memory := to.bytes(block)
	if got, want := resident(t, memory), (len(memory)+os.Getpagesize()-1)/os.Getpagesize(); got != want {
		t.Errorf("%d of %d pages are there after a touch of one byte of them", got, want)
	}
}

// Where a block takes longer than a chunk may, those behind it are left to whoever writes there, in small pages.
func TestSlowTouchIsGivenUp(t *testing.T) {
	for took, want := range map[time.Duration]int{chunkLimit: 3, chunkLimit + 1: 1} {
		r := touchRegion(t, 4*touchBytes)
		to, given := newToucher(r), 0
		to.give = func([]byte) time.Duration { given++; return took }
		huge := hostmem.Usage()[hostmem.Weights].HugeBytes
		for i := range uintptr(3) {
			to.touch(i*touchBytes, i*touchBytes+1)
		}
		if given != want {
			t.Errorf("%v a block: %d were asked for, want %d", took, given, want)
		}
		if lost := huge - hostmem.Usage()[hostmem.Weights].HugeBytes; (lost != 0) != (want == 1) {
			t.Errorf("%v a block: %d bytes are huge pages no more", took, lost)
		}
	}
}
