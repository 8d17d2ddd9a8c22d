//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/hostmem"
)

// pinned lets hostmem pin through the driver until the test ends.
func pinned(t *testing.T) {
	t.Helper()
	p, err := OpenPinner(0)
	if err != nil {
		t.Fatal(err)
	}
	hostmem.UsePinner(p)
	t.Cleanup(func() {
		hostmem.UsePinner(nil)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// ring is a device with a staging ring of full slots.
func ring(t *testing.T) (*device, *stager) {
	t.Helper()
	pinned(t)
	d := testDevice(t)
	s, err := newStager(d, stagingBytes)
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

func stagingInUse() (bytes int64) {
	for _, u := range hostmem.Usage() {
		if u.Purpose == hostmem.Staging {
			bytes += u.Bytes
		}
	}
	return bytes
}

func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((i*2654435761)>>16) + byte(seed)
	}
	return b
}

func fillFrom(b []byte) func([]byte, int64) error {
	return func(to []byte, offset int64) error {
		if n := copy(to, b[offset:]); n != len(to) {
			return fmt.Errorf("%d bytes of %d", n, len(to))
		}
		return nil
	}
}

// onDevice is what the device's memory holds.
func onDevice(t *testing.T, d *device, p Pointer, n int) []byte {
	t.Helper()
	got := make([]byte, n)
	err := d.do("checking", func() error {
		host, err := d.hostAlloc(int64(n), false)
		if err != nil {
			return err
		}
		s, err := d.makeStream()
		if err == nil {
			err = errors.Join(d.copyOut(host, p, int64(n), s), d.synchronize(s), d.destroyStream(s))
		}
		copy(got, unsafe.Slice((*byte)(host), n))
		return errors.Join(err, d.hostFree(host))
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func taken(t *testing.T, d *device, n int) Pointer {
	t.Helper()
	var p Pointer
	if err := d.do("testing", func() (err error) { p, err = d.memAlloc(int64(n)); return err }); err != nil {
		t.Fatal(err)
	}
	return p
}

func given(t *testing.T, d *device, p Pointer) {
	t.Helper()
	if err := d.do("testing", func() error { return d.memFree(p) }); err != nil {
		t.Error(err)
	}
}

// Sizes around the ring's: less than a chunk, exactly some, more than all slots hold.
func TestUpload(t *testing.T) {
	cudatest.Check(t)
	d, s := ring(t)
	for _, n := range []int{0, 1, 4097, stagingBytes, stagingBytes + 1, 5*stagingBytes + 12345} {
		want := pattern(n, n)
		p := taken(t, d, n+64)
		if err := s.upload(p, int64(n), fillFrom(want)); err != nil {
			t.Fatal(err)
		}
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(onDevice(t, d, p, n+1)[:n], want) {
			t.Errorf("%d bytes arrived wrong", n)
		}
		given(t, d, p)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if n := cudatest.Live().PageableCopies; n != 0 {
		t.Errorf("%d copies of pageable memory", n)
	}
	wantAlive(t, d)
}

// Chunks are whole units, each is queued behind its chunk's copy on the same stream and sees its arguments; several
// goroutines send at once.
func TestSendThroughEach(t *testing.T) {
	cudatest.Check(t)
	d, s := ring(t)
	const unit = 1000003
	var wait sync.WaitGroup
	for seed := range 3 {
		n := 20*unit + 17*seed
		want, to := pattern(seed, n), taken(t, d, n+4*argumentBytes)
		wait.Go(func() {
			chunks := 0
			err := s.send(transfer{bytes: int64(n), unit: unit, fill: fillFrom(want),
				arguments: func(c chunk, to []byte) { to[0], to[argumentBytes-1] = byte(seed), byte(c.offset/unit) },
				each: func(c chunk, stream cu.Stream) error {
					chunks++
					last := to + Pointer(n)
					if err := d.copyWithin(last, c.arguments, argumentBytes, stream); err != nil {
						return err
					}
					return d.copyWithin(to+Pointer(c.offset), c.data, c.bytes, stream)
				}})
			if err != nil || chunks != 2 {
				t.Errorf("%d chunks, %v", chunks, err)
			}
		})
		defer func() {
			got := onDevice(t, d, to, n+argumentBytes)
			if !bytes.Equal(got[:n], want) || got[n] != byte(seed) {
				t.Errorf("transfer %d arrived wrong", seed)
			}
			given(t, d, to)
			if seed == 0 {
				wantAlive(t, d)
			}
		}()
	}
	wait.Wait()
	if err := s.send(transfer{bytes: 1, unit: stagingBytes + 1}); err == nil {
		t.Error("a unit that fits no buffer is not refused")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// An error of whoever fills or takes a chunk comes back as it is, with nothing under way: what the copies
// read and write may be freed at once.
func TestSendFails(t *testing.T) {
	cudatest.Check(t)
	d, s := ring(t)
	wanted, n := errors.New("the file is shorter"), 3*stagingBytes
	for at := range 3 {
		p := taken(t, d, n)
		broken := func(to []byte, offset int64) error {
			if offset == int64(at)*stagingBytes {
				return wanted
			}
			clear(to)
			return nil
		}
		if err := s.upload(p, int64(n), broken); !errors.Is(err, wanted) {
			t.Error(err)
		}
		given(t, d, p)
		p = taken(t, d, n)
		err := s.send(transfer{bytes: int64(n), to: p, fill: func(to []byte, _ int64) error { clear(to); return nil },
			each: func(c chunk, _ cu.Stream) error {
				if c.offset == int64(at)*stagingBytes {
					return wanted
				}
				return nil
			}})
		if !errors.Is(err, wanted) {
			t.Error(err)
		}
		given(t, d, p)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	wantAlive(t, d)
}

// The driver fails at the n-th call, for every n, of building the ring, sending and closing: an error, no hang, and
// nothing left where the device is still usable.
func TestStagingFaults(t *testing.T) {
	n := stagingBytes + 5
	use := func(d *device, p Pointer) error {
		s, err := newStager(d, stagingBytes)
		if err != nil {
			return err
		}
		err = s.upload(p, int64(n), func(to []byte, _ int64) error { to[0] = 1; return nil })
		if err == nil {
			err = s.finish()
		}
		return oneCause(err, s.close())
	}
	for _, code := range []int{2, 700} {
		for at, more := 1, true; more; at++ {
			cudatest.Reset()
			d := testDevice(t)
			p := taken(t, d, n)
			before := cudatest.Live().Calls
			cudatest.Fault(t, "*", at, code, 0)
			err := use(d, p)
			if more = cudatest.Live().Calls-before >= at; more && (err == nil || errors.Is(err, engine.ErrPoisoned) != (code == 700)) {
				t.Errorf("call %d, code %d: %v", at, code, err)
			}
			if used := stagingInUse(); used != keptNow().bytes || used != 0 && code == 2 {
				t.Fatalf("call %d, code %d: %d bytes of staging memory are left", at, code, used)
			}
			d.stop()
			letGo()
		}
	}
	cudatest.Reset()
}

// A lost device gives its pinned memory back in the account, with the error once.
func TestPinnerOfALostDevice(t *testing.T) {
	cudatest.Reset()
	defer cudatest.Reset()
	p, err := OpenPinner(0)
	if err != nil {
		t.Fatal(err)
	}
	hostmem.UsePinner(p)
	defer hostmem.UsePinner(nil)
	r, err := hostmem.Alloc(hostmem.Staging, 5000, hostmem.Pinned)
	if err != nil || !r.Pinned() {
		t.Fatal(err)
	}
	cudatest.Fault(t, "cuMemFreeHost", 1, 46, time.Millisecond)
	if err := r.Free(); !errors.Is(err, engine.ErrPoisoned) {
		t.Error(err)
	}
	if stagingInUse() != 0 {
		t.Error("the account keeps it")
	}
	if r, err = hostmem.Alloc(hostmem.Staging, 5000, hostmem.Pinned); err != nil || r.Pinned() || !errors.Is(r.Fallback(), engine.ErrPoisoned) {
		t.Fatal(err)
	}
	if err := r.Free(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); !errors.Is(err, engine.ErrPoisoned) {
		t.Error(err)
	}
}

// Memory that is mapped already is registered, read-only too.
func TestPinnerRegisters(t *testing.T) {
	cudatest.Check(t)
	r, err := hostmem.Alloc(hostmem.Weights, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	adopted, err := hostmem.Adopt(hostmem.Weights, r.Bytes(), true)
	if err != nil {
		t.Fatal(err)
	}
	pinned(t)
	if err := adopted.Pin(); err != nil || !adopted.Pinned() || cudatest.Live().RegisteredBytes != 1<<20 {
		t.Error(err, cudatest.Live().RegisteredBytes)
	}
	if err := errors.Join(adopted.Free(), r.Free()); err != nil {
		t.Error(err)
	}
}
