package hostmem

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitVariable makes the test binary a process that may lock so many bytes and no more.
const limitVariable = "CHIMERA_TEST_LOCK"

func TestMain(m *testing.M) {
	if bytes := os.Getenv(limitVariable); bytes != "" {
		fmt.Print(limited(bytes))
		return
	}
	os.Exit(m.Run())
}

// A process with a limit that it may not exceed: what fits is locked, TryLock and Pinned fall back with
// what to set, RequireLock fails with it.
func TestLimit(t *testing.T) {
	for _, bytes := range []string{"0", "65536"} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), limitVariable+"="+bytes)
		out, err := child.CombinedOutput()
		if strings.HasPrefix(string(out), "cannot") {
			t.Skipf("%s", out)
		}
		if err != nil || string(out) != "ok" {
			t.Errorf("limit %s: %v %s", bytes, err, out)
		}
	}
}

// limited runs in the child; it returns ok or what is wrong.
func limited(text string) string {
	runtime.LockOSThread() // the right to lock is the thread's
	var limit uint64
	_, err := fmt.Sscan(text, &limit)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := errors.Join(err, unix.Capset(&header, &none[0]), unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit})); err != nil {
		return "cannot give up the right to lock: " + err.Error()
	}
	for _, check := range []func(int64) error{fitsLimit, fallsBack, locksLater, requires, registers} {
		if err := check(int64(limit)); err != nil {
			return err.Error()
		}
	}
	for _, u := range Usage() {
		if (u != Use{Purpose: u.Purpose, Fallbacks: u.Fallbacks}) {
			return fmt.Sprintf("left: %+v", u)
		}
	}
	return "ok"
}

// fitsLimit locks up to the last byte of the limit.
func fitsLimit(limit int64) error {
	if limit == 0 {
		return nil
	}
	r, err := Alloc(KV, limit-1, RequireLock)
	if err != nil || !r.Locked() {
		return fmt.Errorf("what fits: %w", err)
	}
	return r.Free()
}

// fallsBack asks for a page beyond what is left of the limit, of which half is taken.
func fallsBack(limit int64) error {
	var reasons []string
	OnFallback(func(p Purpose, cause error) { reasons = append(reasons, p.String()+" "+cause.Error()) })
	var taken *Region
	if limit > 0 {
		taken, _ = Alloc(Weights, limit/2, RequireLock)
	}
	want := fmt.Sprintf("LimitMEMLOCK=%dK", (limit+4096)>>10)
	for i, option := range []Option{TryLock, Pinned, WriteCombined} {
		r, err := Alloc(KV, limit-limit/2+1, option)
		u := use(KV)
		if err != nil || r.Locked() || r.Pinned() || !strings.Contains(fmt.Sprint(r.Fallback()), want) {
			return fmt.Errorf("option %d: %v, fallback %v, want %s", option, err, r.Fallback(), want)
		}
		if u.FallbackBytes != int64(len(r.Bytes())) || u.LockedBytes != 0 || u.Fallbacks != int64(i+1) {
			return fmt.Errorf("option %d: %+v", option, u)
		}
		r.Bytes()[limit-limit/2] = 1
		if err := r.Free(); err != nil {
			return err
		}
	}
	if len(reasons) != 1 || !strings.HasPrefix(reasons[0], "kv ") || !strings.Contains(reasons[0], "LimitMEMLOCK=") {
		return fmt.Errorf("told %q, want it once", reasons)
	}
	if taken != nil {
		return taken.Free()
	}
	return nil
}

// locksLater locks regions that were written to before: what fits is locked, what does not goes on and is counted.
func locksLater(limit int64) error {
	before := use(Activations)
	for _, bytes := range []int64{limit - 1, limit + 1} {
		if bytes < 0 {
			continue
		}
		r, err := Alloc(Activations, bytes)
		if err != nil {
			return err
		}
		r.Bytes()[bytes-1] = 7
		err = errors.Join(r.Lock(), r.Lock())
		u, fits := use(Activations), bytes < limit
		if (err == nil) != fits || r.Locked() != fits || (r.Fallback() == nil) != fits || r.Bytes()[bytes-1] != 7 {
			return fmt.Errorf("locking %d bytes later: %v, locked %v, fallback %v", bytes, err, r.Locked(), r.Fallback())
		}
		want := Use{Purpose: Activations, Regions: 1, Bytes: bytes, LockedBytes: bytes, Fallbacks: before.Fallbacks}
		if !fits {
			want.LockedBytes, want.FallbackBytes, want.Fallbacks = 0, bytes, before.Fallbacks+2
		}
		if u != want || !fits && !strings.Contains(err.Error(), "LimitMEMLOCK=") {
			return fmt.Errorf("locking %d bytes later: %v, %+v", bytes, err, u)
		}
		if err := r.Free(); err != nil {
			return err
		}
		if err := r.Lock(); !errors.Is(err, ErrFreed) {
			return fmt.Errorf("locking what was freed: %w", err)
		}
	}
	return nil
}

func requires(limit int64) error {
	r, err := Alloc(KV, limit+1, RequireLock)
	for _, part := range []string{"kv", "RLIMIT_MEMLOCK is", "ulimit -l", "CAP_IPC_LOCK"} {
		if r != nil || !strings.Contains(fmt.Sprint(err), part) {
			return fmt.Errorf("RequireLock: %v does not say %q", err, part)
		}
	}
	return nil
}

// registers asks a driver that does not count against the limit, and one that does.
func registers(limit int64) error {
	f := &fakePinner{}
	UsePinner(f)
	defer UsePinner(nil)
	r, err := Alloc(Batch, limit+1)
	if err = errors.Join(err, r.Pin()); err != nil || !r.Pinned() {
		return fmt.Errorf("a driver above the limit: %w", err)
	}
	if err := r.Free(); err != nil {
		return err
	}
	f.failAt = f.calls + 1
	r, err = Alloc(Batch, limit+1)
	if err != nil {
		return err
	}
	if err := r.Pin(); !errors.Is(err, errFake) || !strings.Contains(err.Error(), "LimitMEMLOCK=") {
		return fmt.Errorf("a driver below the limit: %w", err)
	}
	return r.Free()
}

func TestLockedBy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	for _, c := range []struct {
		text  string
		bytes int64
		above bool
	}{
		{"Name:\tx\nVmLck:\t      12 kB\nCapEff:\t000001ffffffffff\n", 12 << 10, true},
		{"VmLck:\t0 kB\nCapEff:\t0000000000004000\n", 0, true},
		{"VmLck:\t4 kB\nCapEff:\tffffffffffffbfff\n", 4 << 10, false},
		{"VmLck:\tmuch\nCapEff:\tnone\n", 0, false}, {"CapEff", 0, false}, {"", 0, false},
	} {
		if bytes, above := lockedBy(write(t, path, c.text)); bytes != c.bytes || above != c.above {
			t.Errorf("%q: %d %v, want %d %v", c.text, bytes, above, c.bytes, c.above)
		}
	}
	if bytes, above := lockedBy(path + ".none"); bytes != 0 || above {
		t.Errorf("no file: %d %v", bytes, above)
	}
}
