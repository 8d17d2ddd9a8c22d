package hostmem

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

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

// SmallPages holds where huge pages come unasked, too: the mapping itself says so.
func TestSmallPages(t *testing.T) {
	r := alloc(t, Other, 4*hugePageBytes, SmallPages)
	defer r.Free()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	if flags := mappingFlags(string(text), uint64(uintptr(r.Pointer()))); !slices.Contains(flags, "nh") {
		t.Errorf("flags of the mapping: %v", flags)
	}
}

// mappingFlags are the flags that smaps has for the mapping around an address: the kernel may have merged a
// region with its neighbour, so it need not begin there.
func mappingFlags(smaps string, address uint64) []string {
	inside := false
	for line := range strings.Lines(smaps) {
		var start, end uint64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &start, &end); n == 2 {
			inside = start <= address && address < end
		} else if flags, found := strings.CutPrefix(line, "VmFlags:"); found && inside {
			return strings.Fields(flags)
		}
	}
	return nil
}

// held is what a purpose holds, without the count of what went before.
func held(p Purpose) Use {
	u := use(p)
	u.Fallbacks = 0
	return u
}

func TestLock(t *testing.T) {
	before, fallbacks := held(Batch), use(Batch).Fallbacks
	r := alloc(t, Batch, 4096, TryLock)
	if r.Locked() == (r.Fallback() != nil) || r.Pinned() {
		t.Errorf("locked %v and %v", r.Locked(), r.Fallback())
	}
	if now := held(Batch); now.LockedBytes+now.FallbackBytes-before.LockedBytes-before.FallbackBytes != 4096 {
		t.Errorf("%+v", now)
	}
	if refused := r.Fallback() != nil; refused != (use(Batch).Fallbacks == fallbacks+1) {
		t.Errorf("refused %v, %d times after %d", refused, use(Batch).Fallbacks, fallbacks)
	}
	if err := r.Free(); err != nil {
		t.Error(err)
	}
	if held(Batch) != before {
		t.Errorf("%+v, before %+v", held(Batch), before)
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

// What is given after UseSmallPages is small, and the accounts say so; nothing that was written is lost.
func TestUseSmallPages(t *testing.T) {
	before := Usage()[Weights].HugeBytes
	r, err := Alloc(Weights, 8*hugePageBytes)
	if err != nil {
		t.Fatal(err)
	}
	r.Bytes()[0] = 7
	r.UseSmallPages()
	if n := Usage()[Weights].HugeBytes - before; n != 0 || r.Bytes()[0] != 7 {
		t.Errorf("%d bytes of huge pages, first byte %d", n, r.Bytes()[0])
	}
	if err := r.Free(); err != nil {
		t.Fatal(err)
	}
	r.UseSmallPages() // harmless behind Free
	if n := Usage()[Weights].HugeBytes - before; n != 0 {
		t.Errorf("%d bytes of huge pages after Free", n)
	}
}
