//go:build cuda

package cuda

// #include <cuda.h>
import "C"

import (
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/hostmem"
)

// This file owns memory: what is taken on the device and pinned on the host, copies, and the account of
// all that a device has handed out. All host memory here lies outside the Go heap.

// usage is what a device has handed out and not got back.
type usage struct {
	DeviceBytes, HostBytes, RegisteredBytes int64
	Streams, Events, Modules, Graphs        int
}

// leak is an error that names what is left, or nil.
func (u usage) leak() error {
	if u == (usage{}) {
		return nil
	}
	return fmt.Errorf("not given back: %d bytes on the device, %d pinned and %d registered on the host, %d streams, %d events, %d modules, %d graphs",
		u.DeviceBytes, u.HostBytes, u.RegisteredBytes, u.Streams, u.Events, u.Modules, u.Graphs)
}

// ledger is the account behind usage: free and unregister are not told sizes.
type ledger struct {
	usage
	memory           map[Pointer]int64
	host, registered map[unsafe.Pointer]int64
}

func newLedger() ledger {
	return ledger{memory: map[Pointer]int64{}, host: map[unsafe.Pointer]int64{}, registered: map[unsafe.Pointer]int64{}}
}

func enter[K comparable](total *int64, sizes map[K]int64, key K, bytes int64) {
	sizes[key] = bytes
	*total += bytes
}

func leave[K comparable](total *int64, sizes map[K]int64, key K) {
	*total -= sizes[key]
	delete(sizes, key)
}

// book changes the account after a call that succeeded.
func (d *device) book(change func(l *ledger)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.live)
}

// usage is what is out now; any goroutine may ask.
func (d *device) usage() usage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live.usage
}

// memAlloc takes device memory, which is not zeroed, aligned to at least 256 bytes.
func (d *device) memAlloc(bytes int64) (Pointer, error) {
	if err := d.begin("cuMemAlloc", bytes); err != nil {
		return 0, err
	}
	p, err := cu.MemAlloc(bytes)
	if err := d.end(err); err != nil {
		return 0, err
	}
	d.book(func(l *ledger) { enter(&l.DeviceBytes, l.memory, Pointer(p), bytes) })
	return Pointer(p), nil
}

func (d *device) memFree(p Pointer) error {
	if err := d.begin("cuMemFree", 0); err != nil {
		return err
	}
	if err := d.end(cu.MemFree(cu.DevicePtr(p))); err != nil {
		return err
	}
	d.book(func(l *ledger) { leave(&l.DeviceBytes, l.memory, p) })
	return nil
}

// memInfo is what of the device's memory is free, for all processes, and all of it.
func (d *device) memInfo() (free, total int64, err error) {
	if err := d.begin("cuMemGetInfo", 0); err != nil {
		return 0, 0, err
	}
	free, total, err = cu.MemInfo()
	return free, total, d.end(err)
}

func (d *device) memsetZero(p Pointer, bytes int64, s cu.Stream) error {
	if err := d.begin("cuMemsetD8Async", bytes); err != nil {
		return err
	}
	return d.end(cu.MemsetD8Async(cu.DevicePtr(p), 0, bytes, s))
}

// hostAlloc takes pinned host memory, page-aligned, for every device. Write-combined memory bypasses the
// CPU's caches: good for what it only writes, and very slow to read.
func (d *device) hostAlloc(bytes int64, writeCombined bool) (unsafe.Pointer, error) {
	if err := d.begin("cuMemHostAlloc", bytes); err != nil {
		return nil, err
	}
	flags := C.uint(C.CU_MEMHOSTALLOC_PORTABLE)
	if writeCombined {
		flags |= C.CU_MEMHOSTALLOC_WRITECOMBINED
	}
	var p unsafe.Pointer
	if err := d.endCode(int(C.cuMemHostAlloc(&p, C.size_t(bytes), flags))); err != nil {
		return nil, err
	}
	d.book(func(l *ledger) { enter(&l.HostBytes, l.host, p, bytes) })
	return p, nil
}

func (d *device) hostFree(p unsafe.Pointer) error {
	if err := d.begin("cuMemFreeHost", 0); err != nil {
		return err
	}
	if err := d.end(cu.MemFreeHost(p)); err != nil {
		return err
	}
	d.book(func(l *ledger) { leave(&l.HostBytes, l.host, p) })
	return nil
}

// hostRegister pins memory that is mapped already, for every device.
func (d *device) hostRegister(p unsafe.Pointer, bytes int64, readOnly bool) error {
	if err := d.begin("cuMemHostRegister", bytes); err != nil {
		return err
	}
	flags := C.uint(C.CU_MEMHOSTREGISTER_PORTABLE)
	if readOnly {
		flags |= C.CU_MEMHOSTREGISTER_READ_ONLY
	}
	if err := d.endCode(int(C.cuMemHostRegister(p, C.size_t(bytes), flags))); err != nil {
		return err
	}
	d.book(func(l *ledger) { enter(&l.RegisteredBytes, l.registered, p, bytes) })
	return nil
}

func (d *device) hostUnregister(p unsafe.Pointer) error {
	if err := d.begin("cuMemHostUnregister", 0); err != nil {
		return err
	}
	if err := d.endCode(int(C.cuMemHostUnregister(p))); err != nil {
		return err
	}
	d.book(func(l *ledger) { leave(&l.RegisteredBytes, l.registered, p) })
	return nil
}

// copyIn queues a copy from host memory, which must stay as it is until the stream has done it. Neither way crosses the
// end of a pinned piece.
func (d *device) copyIn(to Pointer, from unsafe.Pointer, bytes int64, s cu.Stream) error {
	for offset, n := range hostmem.Pieces(from, bytes) {
		if err := d.begin("cuMemcpyHtoDAsync", n); err != nil {
			return err
		}
		if err := d.end(cu.MemcpyHtoDAsync(cu.DevicePtr(to)+cu.DevicePtr(offset), unsafe.Add(from, offset), n, s)); err != nil {
			return err
		}
	}
	return nil
}

// copyOut queues a copy to host memory, which must not be read before the stream has done it.
func (d *device) copyOut(to unsafe.Pointer, from Pointer, bytes int64, s cu.Stream) error {
	for offset, n := range hostmem.Pieces(to, bytes) {
		if err := d.begin("cuMemcpyDtoHAsync", n); err != nil {
			return err
		}
		if err := d.end(cu.MemcpyDtoHAsync(unsafe.Add(to, offset), cu.DevicePtr(from)+cu.DevicePtr(offset), n, s)); err != nil {
			return err
		}
	}
	return nil
}

// copyWithin queues a copy inside the device. The two may not overlap.
func (d *device) copyWithin(to, from Pointer, bytes int64, s cu.Stream) error {
	if err := d.begin("cuMemcpyDtoDAsync", bytes); err != nil {
		return err
	}
	return d.end(cu.MemcpyDtoDAsync(cu.DevicePtr(to), cu.DevicePtr(from), bytes, s))
}
