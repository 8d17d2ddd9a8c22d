package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"chimera/hostmem"
)

// fakeCopier is a GPU whose memory is a slice. It checks what it is asked, and fails at the n-th call.
type fakeCopier struct {
	memory        []byte
	calls, failAt int
	cancel        func() // at failAt, instead of failing
	trips         map[int]int
}

var errDevice = errors.New("device is lost")

func (c *fakeCopier) call() error {
	if c.calls++; c.calls != c.failAt {
		return nil
	}
	if c.cancel != nil {
		c.cancel()
		return nil
	}
	return errDevice
}

func (c *fakeCopier) Device() string { return "Fake 1" }

func (c *fakeCopier) HostToDevice(host []byte) error {
	copy(c.memory, host)
	return c.call()
}

func (c *fakeCopier) DeviceToHost(host []byte) error {
	copy(host, c.memory)
	return c.call()
}

func (c *fakeCopier) RoundTrip(host []byte) error {
	c.trips[len(host)]++
	copy(c.memory, host)
	copy(host, c.memory)
	return c.call()
}

func newCopier() *fakeCopier {
	return &fakeCopier{memory: make([]byte, minMemoryBytes+4097), trips: map[int]int{}}
}

func wantNothingHeld(t *testing.T) {
	t.Helper()
	for _, u := range hostmem.Usage() {
		if u.Regions != 0 || u.Bytes != 0 {
			t.Errorf("still held: %+v", u)
		}
	}
}

func TestMemoryWithoutGPU(t *testing.T) {
	r, err := Memory{Bytes: minMemoryBytes + 4097}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantNothingHeld(t)
	if len(r.Rows) != 4 || r.Device != "" {
		t.Fatalf("%d rows, device %q", len(r.Rows), r.Device)
	}
	for i, row := range r.Rows {
		wantFigures(t, row, false, true, row.Ready, row.Copy)
		if wantLock := i >= 2; row.Pinned || (row.Locked || row.Fallback != "") != wantLock {
			t.Errorf("%s: %+v", row.Name, row)
		}
	}
	if small := r.Rows[0]; small.HugeShare != 0 {
		t.Errorf("small pages are huge to %v", small.HugeShare)
	}
	text := r.String()
	for _, part := range []string{"Regions of 4.0 MiB", "\nsmall pages ", "\nhuge pages, locked ", "random ns", "\nno GPU: device rows are left out"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "device GB/s") || strings.Contains(text, "both ways") {
		t.Errorf("device rows without a device:\n%s", text)
	}
}

// wantFigures holds a row's figures to be there and sane: a rate's best is its largest, a cost's its smallest.
func wantFigures(t *testing.T, row MemoryRow, device, reads bool, cost, rate Figure) {
	t.Helper()
	if cost.Best <= 0 || cost.Best > cost.Median || rate.Median <= 0 || rate.Best < rate.Median {
		t.Errorf("%s: cost %+v, rate %+v", row.Name, cost, rate)
	}
	if (row.Read != nil) != reads || (row.Random != nil) != reads || (row.ToDevice != nil) != device || (row.FromDevice != nil) != device || (len(row.RoundTrips) == len(roundTripBytes)) != device {
		t.Errorf("%s: figures are missing or too many: %+v", row.Name, row)
	}
}

// Without a pinner the pinned kinds are measured as what they are, and said to be less.
func TestMemoryWithGPU(t *testing.T) {
	c := newCopier()
	r, err := Memory{Bytes: minMemoryBytes + 4097, Copier: c}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantNothingHeld(t)
	if len(r.Rows) != 7 || r.Device != "Fake 1" {
		t.Fatalf("%d rows, device %q", len(r.Rows), r.Device)
	}
	for _, row := range r.Rows {
		wantFigures(t, row, true, row.Name != "pinned, write-combined", row.RoundTrips[0].Microseconds, *row.ToDevice)
	}
	const each = 2 * memoryRuns * roundTrips * 7 // warmed, for each kind
	for _, n := range roundTripBytes {
		if c.trips[n] != each {
			t.Errorf("%d round trips of %d bytes, want %d", c.trips[n], n, each)
		}
	}
	text := r.String()
	for _, part := range []string{"\nDevice: Fake 1\n", "to device GB/s", "\nmicroseconds both ways", "65536 B", "\npinned, write-combined "} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "no GPU") {
		t.Errorf("no GPU?\n%s", text)
	}
}

// A device that is lost, and a user who has had enough, end the run at once and leave nothing mapped.
func TestMemoryEndsEarly(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 6, 1000, 5000} {
		c := newCopier()
		c.failAt = n
		if r, err := (Memory{Bytes: minMemoryBytes, Copier: c}).Run(t.Context()); r != nil || !errors.Is(err, errDevice) || c.calls != n {
			t.Errorf("call %d fails: %v after %d calls", n, err, c.calls)
		}
		wantNothingHeld(t)
		ctx, cancel := context.WithCancel(t.Context())
		c = newCopier()
		c.failAt, c.cancel = n, cancel
		if r, err := (Memory{Bytes: minMemoryBytes, Copier: c}).Run(ctx); r != nil || !errors.Is(err, context.Canceled) || c.calls > n+2*roundTrips {
			t.Errorf("call %d cancels: %v after %d calls", n, err, c.calls)
		}
		wantNothingHeld(t)
		cancel()
	}
}

func TestMemoryCheck(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		part  string
	}{
		{minMemoryBytes, ""}, {minMemoryBytes - 1, "must lie between"}, {0, "must lie between"}, {-1, "must lie between"},
		{math.MinInt64, "must lie between"}, {math.MaxInt64, "must lie between"}, {maxMemoryBytes + 1, "must lie between"}, {maxMemoryBytes, "leaves"},
	} {
		err := Memory{Bytes: c.bytes}.Check()
		if (err == nil) != (c.part == "") || err != nil && (!strings.Contains(err.Error(), c.part) || !strings.Contains(err.Error(), "--size")) {
			t.Errorf("%d bytes: %v, want %q", c.bytes, err, c.part)
		}
		if _, errRun := (Memory{Bytes: c.bytes}).Run(t.Context()); err != nil && fmt.Sprint(errRun) != err.Error() {
			t.Errorf("%d bytes: Run says %v", c.bytes, errRun)
		}
	}
}

// The ring meets every line once and lies inside, whatever the size; a walk stays on it.
func TestRing(t *testing.T) {
	for _, n := range []int{128, 129, 4096, 10_007, minMemoryBytes, minMemoryBytes + 63, (maxLines+3)*lineBytes + 1, 5 * maxLines / 2 * lineBytes} {
		r := newRing(n)
		if r.stride%lineBytes != 0 || len(r.next)*r.stride > n || len(r.next)*r.stride < n/2 {
			t.Errorf("%d bytes: %d lines, %d apart", n, len(r.next), r.stride)
		}
		at, met := uint32(0), 0
		for at = r.next[0]; at != 0 && met < len(r.next); at = r.next[at] {
			met++
		}
		if met != len(r.next)-1 {
			t.Errorf("%d bytes: the ring closes after %d of %d lines", n, met+1, len(r.next))
		}
	}
	r := newRing(10_007)
	b := make([]byte, 10_007)
	r.link(b)
	if end := follow(b, 0, len(r.next)); end != 0 {
		t.Errorf("a whole walk ends at %d", end)
	}
	if one, two := follow(b, 0, r.hops()), follow(b, follow(b, 0, 1), r.hops()-1); one != two || one == 0 {
		t.Errorf("%d and %d", one, two)
	}
}

func TestReadFindsWhatWasNotCopied(t *testing.T) {
	b := bytes.Repeat([]byte{filling}, 1001)
	if err := read(b); err != nil {
		t.Error(err)
	}
	b[1000] = filling + 1
	if err := read(b); err == nil || !strings.Contains(err.Error(), "byte 1000") {
		t.Error(err)
	}
}

func TestMemoryFigures(t *testing.T) {
	times := []time.Duration{500, 100, 300, 200, 400}
	if c := costs(times, 10); c != (Figure{Median: 30, Best: 10}) {
		t.Errorf("%+v", c)
	}
	if r := rates(times, 600); r != (Figure{Median: 2, Best: 6}) {
		t.Errorf("%+v", r)
	}
	if r := rates([]time.Duration{0}, 1); math.IsInf(r.Best, 0) || math.IsNaN(r.Best) {
		t.Error("a clock that stands still")
	}
	if !slices.Equal(times, []time.Duration{500, 100, 300, 200, 400}) {
		t.Error("the times were sorted in place")
	}
}

func TestHugeAt(t *testing.T) {
	const smaps = "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \nSize:               4096 kB\nAnonHugePages:      2048 kB\nVmFlags: rd wr hg\n" +
		"7f0000400000-7f0000500000 rw-p 00000000 00:00 0   [anon: x-y]\nAnonHugePages:         0 kB\n"
	for _, c := range []struct {
		text    string
		address uint64
		want    int64
	}{
		{smaps, 0x7f0000000000, 2 << 20}, {smaps, 0x7f00003fffff, 2 << 20}, {smaps, 0x7f0000400000, 0}, {smaps, 1, 0},
		{"", 1, 0}, {"0-2 rw\nAnonHugePages: lots\n", 1, 0}, {"x-y rw\nAnonHugePages: 4 kB\n", 1, 0},
	} {
		if got := hugeAt(c.text, c.address); got != c.want {
			t.Errorf("%#x: %d, want %d", c.address, got, c.want)
		}
	}
}
