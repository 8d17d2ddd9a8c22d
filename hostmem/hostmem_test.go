package hostmem

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lockVariable makes the test binary a process that may lock nothing.
const lockVariable = "CHIMERA_TEST_LOCK"

func TestMain(m *testing.M) {
	if os.Getenv(lockVariable) != "" {
		lockNothing()
		return
	}
	os.Exit(m.Run())
}

func use(p Purpose) Use { return Usage()[p] }

func alloc(t *testing.T, p Purpose, bytes int64, options ...Option) *Region {
	t.Helper()
	r, err := Alloc(p, bytes, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAccounting(t *testing.T) {
	before := Usage()
	a, b := alloc(t, Weights, 1<<20), alloc(t, Weights, 3)
	c := alloc(t, KV, 4<<20)
	odd := alloc(t, Purpose(99), 7) // an unknown purpose is counted, not lost
	for _, w := range []struct {
		p              Purpose
		regions, bytes int64
	}{{Weights, 2, 1<<20 + 3}, {KV, 1, 4 << 20}, {Activations, 0, 0}, {Other, 1, 7}} {
		now, was := use(w.p), before[w.p]
		if now.Purpose != w.p || now.Regions-was.Regions != w.regions || now.Bytes-was.Bytes != w.bytes {
			t.Errorf("%v: %+v after %+v, want %d regions and %d bytes more", w.p, now, was, w.regions, w.bytes)
		}
	}
	for _, r := range []*Region{a, b, c, odd} {
		if err := r.Free(); err != nil {
			t.Error(err)
		}
		if r.Bytes() != nil || r.Pointer() != nil {
			t.Error("a freed region still has memory")
		}
	}
	for i, now := range Usage() {
		if now != before[i] {
			t.Errorf("%v: %+v after all was freed, %+v before", now.Purpose, now, before[i])
		}
	}
	if err := a.Free(); !errors.Is(err, ErrFreed) || !strings.Contains(err.Error(), "weights") {
		t.Errorf("freed twice: %v", err)
	}
	if use(Weights) != before[Weights] {
		t.Error("the second Free was counted")
	}
}

func TestRegionsAreZeroedAlignedAndWritable(t *testing.T) {
	for _, n := range []int64{1, 63, 4095, 4096, 4097, hugePageBytes - 1, hugePageBytes, hugePageBytes + 1} {
		r := alloc(t, Staging, n)
		if int64(len(r.Bytes())) != n || uintptr(r.Pointer())%4096 != 0 || r.Purpose() != Staging {
			t.Errorf("%d bytes: %d at %p", n, len(r.Bytes()), r.Pointer())
		}
		for i, b := range r.Bytes() {
			if b != 0 {
				t.Fatalf("%d bytes: byte %d is %d", n, i, b)
			}
		}
		r.Bytes()[0], r.Bytes()[n-1] = 1, 2
		if err := r.Free(); err != nil {
			t.Error(err)
		}
	}
}

// resident is this process's memory in use.
func resident(t *testing.T) int64 {
	t.Helper()
	var total, pages int64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &total, &pages)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func TestFreeGivesMemoryBack(t *testing.T) {
	const n = 128 << 20
	before := resident(t)
	r := alloc(t, Activations, n)
	for i := 0; i < n; i += 4096 {
		r.Bytes()[i] = 1
	}
	if grown := resident(t) - before; grown < n*9/10 {
		t.Errorf("%d bytes resident after touching %d", grown, n)
	}
	if err := r.Free(); err != nil {
		t.Fatal(err)
	}
	if left := resident(t) - before; left > n/4 {
		t.Errorf("%d bytes are still resident", left)
	}
}

func TestSizesOutOfRange(t *testing.T) {
	before := use(KV)
	for _, n := range []int64{0, -1, math.MinInt64, maxBytes + 1, math.MaxInt64} {
		if r, err := Alloc(KV, n); err == nil || r != nil || !strings.Contains(err.Error(), "kv") || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	// In range, but more than address space and overcommit allow is the kernel's to refuse.
	if r, err := Alloc(KV, maxBytes); err == nil {
		_ = r.Free()
	} else if !strings.Contains(err.Error(), "mapping") {
		t.Error(err)
	}
	if use(KV) != before {
		t.Error("refused regions are counted")
	}
}

// Huge pages are asked for where they can help; where the kernel has none the region is one all the same.
func TestHugePages(t *testing.T) {
	for _, c := range []struct {
		bytes   int64
		options []Option
		may     bool
	}{{hugePageBytes - 1, nil, false}, {hugePageBytes, nil, true}, {4 * hugePageBytes, []Option{SmallPages}, false}} {
		before := use(Weights).HugeBytes
		r := alloc(t, Weights, c.bytes, c.options...)
		if grown := use(Weights).HugeBytes - before; grown != 0 && (!c.may || grown != c.bytes) {
			t.Errorf("%d bytes %v: %d counted as huge", c.bytes, c.options, grown)
		}
		if err := r.Free(); err != nil {
			t.Error(err)
		}
		if use(Weights).HugeBytes != before {
			t.Error("huge bytes are still counted")
		}
	}
}

func TestLock(t *testing.T) {
	before := use(Batch)
	r := alloc(t, Batch, 4096, TryLock)
	if r.Locked() == (r.LockError() != nil) {
		t.Errorf("locked %v and %v", r.Locked(), r.LockError())
	}
	if now := use(Batch); now.LockedBytes+now.LockRefusedBytes-before.LockedBytes-before.LockRefusedBytes != 4096 {
		t.Errorf("%+v", now)
	}
	if err := r.Free(); err != nil {
		t.Error(err)
	}
	if use(Batch) != before {
		t.Errorf("%+v, before %+v", use(Batch), before)
	}
}

// A process whose limit is 0 and that may not exceed it: TryLock falls back, RequireLock says why.
func TestLockRefused(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), lockVariable+"=1")
	out, err := child.CombinedOutput()
	if strings.HasPrefix(string(out), "cannot") {
		t.Skipf("%s", out)
	}
	if err != nil || string(out) != "ok" {
		t.Errorf("%v %s", err, out)
	}
}

// lockNothing runs in the child; it prints ok or what is wrong.
func lockNothing() {
	runtime.LockOSThread() // the right to lock is the thread's
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := errors.Join(unix.Capset(&header, &data[0]), unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{})); err != nil {
		os.Stdout.WriteString("cannot give up the right to lock: " + err.Error())
		return
	}
	r, err := Alloc(KV, 8192, TryLock)
	if err != nil || r.Locked() || r.LockError() == nil || use(KV).LockRefusedBytes != 8192 || use(KV).LockedBytes != 0 {
		os.Stdout.WriteString("TryLock did not fall back")
		return
	}
	r.Bytes()[8191] = 1
	_, err = Alloc(KV, 8192, RequireLock)
	if err == nil || !strings.Contains(err.Error(), "kv") || !strings.Contains(err.Error(), "LimitMEMLOCK=") {
		os.Stdout.WriteString("RequireLock: " + errString(err))
		return
	}
	if u := use(KV); u.Regions != 1 || r.Free() != nil || use(KV).LockRefusedBytes != 0 {
		os.Stdout.WriteString("the accounts are wrong")
		return
	}
	os.Stdout.WriteString("ok")
}

func errString(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// Memory of another allocator is counted as locked and given back by its own release, once.
func TestNewRegion(t *testing.T) {
	before, released := use(Staging), 0
	bytes := make([]byte, 100)
	r := NewRegion(Staging, bytes, func(b []byte) error {
		released++
		if unsafe.SliceData(b) != unsafe.SliceData(bytes) {
			t.Error("other memory was released")
		}
		return errors.New("driver is gone")
	})
	if now := use(Staging); now.Bytes-before.Bytes != 100 || now.LockedBytes-before.LockedBytes != 100 || !r.Locked() {
		t.Errorf("%+v", now)
	}
	if err := r.Free(); err == nil || !strings.Contains(err.Error(), "staging") || !strings.Contains(err.Error(), "driver is gone") {
		t.Error(err)
	}
	if err := r.Free(); !errors.Is(err, ErrFreed) || released != 1 || use(Staging) != before {
		t.Errorf("%v, released %d times", err, released)
	}
}

func TestLeaksAreCounted(t *testing.T) {
	before := Leaks()
	func() { alloc(t, Other, 4096) }()
	for range 100 {
		runtime.GC()
		if Leaks() > before {
			return
		}
		runtime.Gosched()
	}
	t.Error("a region that nobody freed was not noticed")
}

func TestPurposeNames(t *testing.T) {
	for p, want := range map[Purpose]string{Weights: "weights", Other: "other", -1: "purpose(-1)", purposes: "purpose(6)"} {
		if p.String() != want {
			t.Errorf("%d: %s", int(p), p)
		}
	}
}
