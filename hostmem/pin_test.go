package hostmem

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errFake = errors.New("fake driver refuses")

// fakePinner is a driver that fails at the n-th call, or at every call from the loss of its device on,
// and knows what it still holds. Its memory is never zeroed.
type fakePinner struct {
	mu            sync.Mutex
	calls, failAt int // 1 is the first call; 0: none fails
	lost          bool
	odd           uintptr // how far from a page Alloc lies
	allocated     map[unsafe.Pointer][]byte
	combined      int
	registered    map[unsafe.Pointer]bool // to readOnly
	longest       int64                   // bytes of one call
}

func (f *fakePinner) call() error {
	f.calls++
	if f.lost || f.calls == f.failAt {
		return fmt.Errorf("call %d: %w", f.calls, errFake)
	}
	return nil
}

func (f *fakePinner) Alloc(bytes int64, writeCombined bool) (unsafe.Pointer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call(); err != nil {
		return nil, err
	}
	f.longest = max(f.longest, bytes)
	b, err := unix.Mmap(-1, 0, int(bytes)+64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	for i := range b {
		b[i] = 0xA5
	}
	if writeCombined {
		f.combined++
	}
	if f.allocated == nil {
		f.allocated = map[unsafe.Pointer][]byte{}
	}
	p := unsafe.Pointer(&b[f.odd])
	f.allocated[p] = b
	return p, nil
}

func (f *fakePinner) Free(memory unsafe.Pointer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.allocated[memory]
	if !ok {
		return errors.New("freeing what was not allocated")
	}
	delete(f.allocated, memory)
	return errors.Join(f.call(), unix.Munmap(b))
}

func (f *fakePinner) Register(memory unsafe.Pointer, bytes int64, readOnly bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call(); err != nil {
		return err
	}
	f.longest = max(f.longest, bytes)
	if f.registered == nil {
		f.registered = map[unsafe.Pointer]bool{}
	}
	f.registered[memory] = readOnly
	return nil
}

func (f *fakePinner) Unregister(memory unsafe.Pointer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.registered[memory]; !ok {
		return errors.New("unregistering what was not registered")
	}
	delete(f.registered, memory)
	return f.call()
}

func withPinner(t *testing.T, f *fakePinner) {
	UsePinner(f)
	t.Cleanup(func() { UsePinner(nil) })
}

func TestPinned(t *testing.T) {
	f := &fakePinner{}
	withPinner(t, f)
	before := Usage()
	for _, n := range []int64{1, 4095, 4096, 4097, hugePageBytes, hugePageBytes + 3} {
		r, w := alloc(t, Staging, n, Pinned), alloc(t, Staging, n, WriteCombined)
		plain := alloc(t, Staging, n)
		for _, region := range []*Region{r, w} {
			if !region.Pinned() || !region.Locked() || region.Fallback() != nil || int64(len(region.Bytes())) != n {
				t.Errorf("%d bytes: pinned %v, locked %v, %v", n, region.Pinned(), region.Locked(), region.Fallback())
			}
			for i, b := range region.Bytes() {
				if b != 0 {
					t.Fatalf("%d bytes: byte %d is %#x", n, i, b)
				}
			}
		}
		if u := use(Staging); u.PinnedBytes-before[Staging].PinnedBytes != 2*n || u.LockedBytes-before[Staging].LockedBytes != 2*n || u.Bytes-before[Staging].Bytes != 3*n {
			t.Errorf("%d bytes: %+v", n, u)
		}
		if plain.Pinned() {
			t.Error("what was not asked is pinned")
		}
		if err := errors.Join(r.Free(), w.Free(), plain.Free()); err != nil {
			t.Error(err)
		}
	}
	if f.combined != 6 || len(f.allocated) != 0 {
		t.Errorf("%d write-combined, %d left", f.combined, len(f.allocated))
	}
	if now := use(Staging); now != before[Staging] {
		t.Errorf("%+v, before %+v", now, before[Staging])
	}
}

// A region goes back to the driver that it came from, whichever is in use by then.
func TestPinnerGoesFirst(t *testing.T) {
	f := &fakePinner{}
	withPinner(t, f)
	a, b := alloc(t, Staging, 100, Pinned), alloc(t, KV, 100)
	if err := b.Pin(); err != nil {
		t.Fatal(err)
	}
	UsePinner(nil)
	if c := alloc(t, Staging, 100, Pinned); c.Pinned() || c.Free() != nil {
		t.Error("pinned without a driver")
	}
	if err := errors.Join(a.Free(), b.Free()); err != nil || len(f.allocated)+len(f.registered) != 0 {
		t.Errorf("%v, %d and %d left", err, len(f.allocated), len(f.registered))
	}
}

// everyUse takes and gives back each kind of region. What the driver refuses to pin must be usable all
// the same; what it refuses to take back is an error. It returns how many of each it met.
func everyUse(t *testing.T, f *fakePinner) (fallbacks, failures int) {
	t.Helper()
	file, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(file)
	adopted, err := Adopt(Weights, file[:5000], true)
	if err != nil {
		t.Fatal(err)
	}
	regions := []*Region{alloc(t, Staging, 5000, Pinned), alloc(t, Staging, 4096, WriteCombined), alloc(t, KV, hugePageBytes), adopted}
	for _, r := range regions[2:] {
		if err := r.Pin(); (err != nil) == r.Pinned() || !errors.Is(err, r.Fallback()) {
			t.Errorf("%s: %v, pinned %v", r.Purpose(), err, r.Pinned())
		}
	}
	if readOnly, ok := f.registered[adopted.Pointer()]; ok && !readOnly {
		t.Error("a file is registered for writing")
	}
	for _, r := range regions {
		if !r.Pinned() {
			fallbacks++
			if !errors.Is(r.Fallback(), errFake) {
				t.Errorf("%s: not pinned, and the cause is %v", r.Purpose(), r.Fallback())
			}
		}
		if r != adopted {
			r.Bytes()[len(r.Bytes())-1] = 1
		}
		if err := r.Free(); err != nil {
			failures++
			if !errors.Is(err, errFake) {
				t.Error(err)
			}
		}
		if err := r.Free(); !errors.Is(err, ErrFreed) {
			t.Errorf("freed again: %v", err)
		}
	}
	return fallbacks, failures
}

// Whichever call of the driver fails, one thing is less than it was asked, all is given back and counted.
func TestEveryCallFails(t *testing.T) {
	count := &fakePinner{}
	withPinner(t, count)
	if fallbacks, failures := everyUse(t, count); fallbacks+failures != 0 || count.calls != 8 {
		t.Fatalf("%d fallbacks, %d failures, %d calls without a fault", fallbacks, failures, count.calls)
	}
	for n := 1; n <= count.calls; n++ {
		f := &fakePinner{failAt: n}
		UsePinner(f)
		before := Usage()
		fallbacks, failures := everyUse(t, f)
		if fallbacks+failures != 1 || len(f.allocated)+len(f.registered) != 0 {
			t.Errorf("call %d fails: %d fallbacks, %d failures; the driver holds %d and %d", n, fallbacks, failures, len(f.allocated), len(f.registered))
		}
		counted := int64(0)
		for i, u := range Usage() {
			counted += u.Fallbacks - before[i].Fallbacks
			if u.Fallbacks = before[i].Fallbacks; u != before[i] {
				t.Errorf("call %d fails: %+v, before %+v", n, u, before[i])
			}
		}
		if counted != int64(fallbacks) {
			t.Errorf("call %d fails: %d fallbacks counted, %d seen", n, counted, fallbacks)
		}
	}
}

// A lost device refuses everything: each region's Free says so once, the accounts are right all the same.
func TestLostDevice(t *testing.T) {
	f := &fakePinner{}
	withPinner(t, f)
	before := Usage()
	a, b := alloc(t, Staging, 4096, Pinned), alloc(t, KV, 4096)
	if err := b.Pin(); err != nil {
		t.Fatal(err)
	}
	f.lost = true
	for _, r := range []*Region{a, b} {
		purpose := r.Purpose().String()
		if err := r.Free(); !errors.Is(err, errFake) || !strings.Contains(err.Error(), purpose) {
			t.Errorf("%s: %v", purpose, err)
		}
		if err := r.Free(); !errors.Is(err, ErrFreed) || errors.Is(err, errFake) {
			t.Errorf("%s again: %v", purpose, err)
		}
		if err := r.Pin(); !errors.Is(err, ErrFreed) {
			t.Errorf("%s pinned after Free: %v", purpose, err)
		}
	}
	for i, now := range Usage() {
		if now != before[i] {
			t.Errorf("%+v, before %+v", now, before[i])
		}
	}
}

// A driver that gives something else than a page is not believed, and gets it back.
func TestMisalignedPinner(t *testing.T) {
	f := &fakePinner{odd: 32}
	withPinner(t, f)
	r := alloc(t, Staging, 4096, Pinned)
	if r.Pinned() || !strings.Contains(fmt.Sprint(r.Fallback()), "not a page") || len(f.allocated) != 0 {
		t.Errorf("pinned %v, %v, the driver holds %d", r.Pinned(), r.Fallback(), len(f.allocated))
	}
	if err := r.Free(); err != nil {
		t.Error(err)
	}
}

func TestPinWithoutDriver(t *testing.T) {
	before := held(Batch)
	r := alloc(t, Batch, 8192)
	for range 2 {
		if err := r.Pin(); (err == nil) != r.Locked() || r.Pinned() {
			t.Errorf("%v, locked %v, pinned %v", err, r.Locked(), r.Pinned())
		}
	}
	if now := held(Batch); now.LockedBytes+now.FallbackBytes-before.LockedBytes-before.FallbackBytes != 8192 {
		t.Errorf("%+v", now)
	}
	if err := r.Free(); err != nil || held(Batch) != before {
		t.Errorf("%v, %+v, before %+v", err, held(Batch), before)
	}
}

// Pinning twice registers once; a region that failed may be pinned later.
func TestPinAgain(t *testing.T) {
	f := &fakePinner{failAt: 1}
	withPinner(t, f)
	r := alloc(t, KV, 4096)
	if err := r.Pin(); !errors.Is(err, errFake) || r.Pinned() {
		t.Errorf("%v", err)
	}
	for range 2 {
		if err := r.Pin(); err != nil || !r.Pinned() || r.Fallback() != nil {
			t.Errorf("%v, pinned %v, fallback %v", err, r.Pinned(), r.Fallback())
		}
	}
	if err := r.Free(); err != nil || f.calls != 3 {
		t.Errorf("%v, %d calls", err, f.calls)
	}
}

func TestAdoptRefuses(t *testing.T) {
	page := alloc(t, Other, 2*int64(os.Getpagesize()))
	defer page.Free()
	for _, c := range []struct {
		memory []byte
		part   string
	}{{nil, "out of range"}, {page.Bytes()[:0], "out of range"}, {page.Bytes()[1:], "start of a page"}, {page.Bytes()[4095:], "start of a page"}} {
		if r, err := Adopt(KV, c.memory, false); r != nil || !strings.Contains(fmt.Sprint(err), c.part) || !strings.Contains(err.Error(), "kv") {
			t.Errorf("%d bytes: %v, want %q", len(c.memory), err, c.part)
		}
	}
}

// Adopted memory outlives its region, and is as pageable as before.
func TestAdoptedMemoryStays(t *testing.T) {
	page := alloc(t, Other, 8192)
	defer page.Free()
	page.Bytes()[8191] = 7
	before := lockedNow()
	r, err := Adopt(Weights, page.Bytes(), false)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Pin() // locks where the limit allows
	if err := r.Free(); err != nil || page.Bytes()[8191] != 7 || lockedNow() != before {
		t.Errorf("%v, byte %d, %d bytes locked after %d", err, page.Bytes()[8191], lockedNow(), before)
	}
}

func lockedNow() int64 {
	bytes, _ := lockedBy("/proc/self/status")
	return bytes
}

// Regions come, are pinned and go on many goroutines while their use is read.
func TestPinnedConcurrently(t *testing.T) {
	f := &fakePinner{}
	withPinner(t, f)
	before := Usage()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				a, errA := Alloc(Staging, 4097, Pinned)
				b, errB := Alloc(KV, 100)
				if err := errors.Join(errA, errB); err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(b.Pin(), a.Free(), b.Free()); err != nil {
					t.Error(err)
				}
				Usage()
			}
		})
	}
	group.Wait()
	for i, now := range Usage() {
		if now != before[i] || len(f.allocated)+len(f.registered) != 0 {
			t.Errorf("%+v, before %+v", now, before[i])
		}
	}
}

const large = 2*PinnedPiece + 12345

// A large region is pinned in pieces, of which nobody touches a page.
func TestPinnedInPieces(t *testing.T) {
	f := &fakePinner{}
	withPinner(t, f)
	for _, options := range []Option{Pinned, WriteCombined, 0} {
		before := held(KV)
		r := alloc(t, KV, large, options)
		if err := r.Pin(); err != nil || !r.Pinned() || int64(len(r.Bytes())) != large {
			t.Errorf("%v, pinned %v, %d bytes", err, r.Pinned(), len(r.Bytes()))
		}
		if u := held(KV); u.PinnedBytes-before.PinnedBytes != large || len(f.registered) < 3 || len(f.registered) > 4 || f.longest > PinnedPiece {
			t.Errorf("%d pieces, the longest of %d bytes, %+v", len(f.registered), f.longest, u)
		}
		if err := r.Free(); err != nil || held(KV) != before || len(f.registered)+len(f.allocated) != 0 {
			t.Errorf("%v, %d pieces are left, %+v", err, len(f.registered), held(KV))
		}
	}
}

// All pieces are pinned or none, whichever call fails, and what the driver refuses to take back is an error.
func TestPieceFails(t *testing.T) {
	for n := 1; ; n++ {
		f := &fakePinner{failAt: n}
		r := &Region{purpose: KV}
		err := r.mapPinned(f, large)
		pinned := err == nil
		if pinned != r.Pinned() || pinned != (len(f.registered) > 0) || pinned != (r.bytes != nil) || !pinned && (!errors.Is(err, errFake) || r.hugeBytes != 0 || r.undo != nil) {
			t.Errorf("call %d fails: %v, %d pieces, %d huge bytes", n, err, len(f.registered), r.hugeBytes)
		}
		freed := r.giveBack()
		if len(f.registered) != 0 || freed != nil && !errors.Is(freed, errFake) {
			t.Errorf("call %d fails: %d pieces are left, %v", n, len(f.registered), freed)
		}
		if pinned && freed == nil { // there was no such call
			if n < 7 {
				t.Errorf("%d calls pinned and unpinned all", n-1)
			}
			return
		}
	}
}

// Pieces end at multiples of their length and cover the range.
func TestPieces(t *testing.T) {
	memory, err := unix.Mmap(-1, 0, 2*PinnedPiece, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(memory)
	start := unsafe.Pointer(unsafe.SliceData(memory))
	first := PinnedPiece - int64(uintptr(start)%PinnedPiece) // where one ends
	for _, c := range []struct {
		from, bytes int64
		want        []int64
	}{
		{first, 0, nil}, {first, 1, []int64{1}}, {first, PinnedPiece - first, []int64{PinnedPiece - first}},
		{first - 1, 1, []int64{1}}, {first - 1, 2, []int64{1, 1}}, {first - 4096, 8192, []int64{4096, 4096}},
		{0, 2 * PinnedPiece, []int64{first, PinnedPiece, PinnedPiece - first}},
	} {
		var lengths []int64
		at := int64(0)
		for offset, n := range Pieces(unsafe.Add(start, c.from), c.bytes) {
			if offset != at || n < 1 {
				t.Errorf("a piece of %d bytes at %d, want it at %d", n, offset, at)
			}
			at += n
			lengths = append(lengths, n)
		}
		if c.want = slices.DeleteFunc(c.want, func(n int64) bool { return n == 0 }); !slices.Equal(lengths, c.want) {
			t.Errorf("%d bytes from %d: %d, want %d", c.bytes, c.from, lengths, c.want)
		}
	}
}
