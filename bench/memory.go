package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chimera/hostmem"
)

// This file owns the memory benchmark: which kinds of memory are measured, and how each is.

// Memory says what to measure of this machine's memory.
type Memory struct {
	Bytes  int64  // of each region
	Copier Copier // nil: no GPU
}

// Copier moves bytes between host memory and one GPU, as the engine does. Each call returns when the
// bytes have arrived. Host memory may be of any kind and any length up to Memory.Bytes.
type Copier interface {
	Device() string // what the GPU is called
	HostToDevice(host []byte) error
	DeviceToHost(host []byte) error
	// RoundTrip sends host to the device and fetches it back, and waits once, at the end.
	RoundTrip(host []byte) error
}

// The smallest and largest region: less than two huge pages says nothing of them, more is a slip.
const (
	minMemoryBytes = 4 << 20
	maxMemoryBytes = 1 << 40
)

// memoryRuns is how often each figure is measured. The kinds of memory take turns, so that a machine
// that is busy for a while is busy for all of them.
const memoryRuns = 5

// Check names what is out of range, and refuses what the machine cannot hold.
func (m Memory) Check() error {
	if m.Bytes < minMemoryBytes || m.Bytes > maxMemoryBytes {
		return fmt.Errorf("--size is %d bytes, it must lie between %d and %d", m.Bytes, int64(minMemoryBytes), int64(maxMemoryBytes))
	}
	if left, bound := hostmem.Available(); bound != "" && 2*m.Bytes > left {
		return fmt.Errorf("--size is %d MiB and two such regions are needed, but %s leaves %d MiB", m.Bytes>>20, bound, left>>20)
	}
	return nil
}

// memoryKind is a row of the report, with what was measured for it.
type memoryKind struct {
	name      string
	options   hostmem.Option
	device    bool // means something only where there is a GPU
	register  bool // pinned after it was mapped
	writeOnly bool // the CPU's reads are not measured: nobody should do them

	row                           MemoryRow
	ready, copied, reads, randoms []time.Duration
	there, back                   []time.Duration
	trips                         [][]time.Duration // by roundTripBytes
}

func (m Memory) kinds() []*memoryKind {
	all := []*memoryKind{
		{name: "small pages", options: hostmem.SmallPages},
		{name: "huge pages"},
		{name: "small pages, locked", options: hostmem.SmallPages | hostmem.TryLock},
		{name: "huge pages, locked", options: hostmem.TryLock},
		{name: "pinned", options: hostmem.Pinned, device: true},
		{name: "huge pages, registered", register: true, device: true},
		{name: "pinned, write-combined", options: hostmem.WriteCombined, device: true, writeOnly: true},
	}
	return slices.DeleteFunc(all, func(k *memoryKind) bool { return k.device && m.Copier == nil })
}

// Run measures. It ends early with ctx.
func (m Memory) Run(ctx context.Context) (r *MemoryReport, err error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	source, err := hostmem.Alloc(hostmem.Other, m.Bytes, hostmem.SmallPages) // as a model file's pages are
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Free()) }()
	fill(source.Bytes())
	kinds, lines := m.kinds(), newRing(int(m.Bytes))
	for range memoryRuns {
		for _, k := range kinds {
			if err := m.round(ctx, k, source.Bytes(), lines); err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	return m.report(kinds, lines.hops()), nil
}

// round measures everything once, on a new region. What could not be locked or pinned is measured all
// the same, and said.
func (m Memory) round(ctx context.Context, k *memoryKind, source []byte, lines ring) error {
	began := time.Now()
	r, err := hostmem.Alloc(hostmem.Other, m.Bytes, k.options)
	if err != nil {
		return err
	}
	if k.register {
		_ = r.Pin() // Region.Fallback keeps why not
	}
	touch(r.Bytes())
	k.ready = append(k.ready, time.Since(began))
	k.describe(r)
	err = k.onCPU(ctx, r.Bytes(), source, lines)
	if err == nil && m.Copier != nil {
		err = k.onDevice(ctx, m.Copier, r.Bytes())
	}
	return errors.Join(err, r.Free())
}

// onCPU measures what the CPU does alone. The ring comes last: it overwrites what was copied.
func (k *memoryKind) onCPU(ctx context.Context, b, source []byte, r ring) error {
	if err := timed(ctx, &k.copied, func() error { copy(b, source); return nil }); err != nil || k.writeOnly {
		return err
	}
	if err := timed(ctx, &k.reads, func() error { return read(b) }); err != nil {
		return err
	}
	r.link(b)
	at := uint64(0)
	return timed(ctx, &k.randoms, func() error { at = follow(b, at, r.hops()); return nil })
}

// Round trips: the sizes that a step sends and fetches, and how many in a row make one run, so that
// the clock's own cost does not show.
var roundTripBytes = []int{4, 64, 512, 4 << 10, 16 << 10, 64 << 10}

const roundTrips = 100

func (k *memoryKind) onDevice(ctx context.Context, c Copier, b []byte) error {
	if err := timed(ctx, &k.there, func() error { return c.HostToDevice(b) }); err != nil {
		return err
	}
	if err := timed(ctx, &k.back, func() error { return c.DeviceToHost(b) }); err != nil {
		return err
	}
	k.trips = slices.Grow(k.trips, len(roundTripBytes))[:len(roundTripBytes)]
	for i, n := range roundTripBytes {
		if err := timed(ctx, &k.trips[i], func() error { return travel(c, b[:n]) }); err != nil {
			return err
		}
	}
	return nil
}

func travel(c Copier, b []byte) error {
	for range roundTrips {
		if err := c.RoundTrip(b); err != nil {
			return err
		}
	}
	return nil
}
