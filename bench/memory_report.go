package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"chimera/hostmem"
)

// This file owns the memory benchmark's figures and their table.

// Figure is one quantity over several runs; the best is the smallest of a cost, the largest of a rate.
type Figure struct {
	Median float64 `json:"median"`
	Best   float64 `json:"best"`
}

// MemoryRow is one kind of memory. Rates are in 10^9 bytes a second, each byte counted once.
type MemoryRow struct {
	Name       string      `json:"name"`
	Locked     bool        `json:"locked"`
	Pinned     bool        `json:"pinned"`
	Fallback   string      `json:"fallback,omitempty"`  // why it is less than its name says
	HugeShare  float64     `json:"huge_share"`          // of the region, in huge pages at last
	Ready      Figure      `json:"ready_ms_per_gib"`    // from asking to having all pages
	Copy       Figure      `json:"copy_gb_s"`           // from pageable memory into it, by one CPU
	Read       *Figure     `json:"read_gb_s,omitempty"` // front to back, by one CPU
	Random     *Figure     `json:"random_ns,omitempty"` // one line after the other, each address from the one before
	ToDevice   *Figure     `json:"to_device_gb_s,omitempty"`
	FromDevice *Figure     `json:"from_device_gb_s,omitempty"`
	RoundTrips []RoundTrip `json:"round_trips,omitempty"`
}

// RoundTrip is a small transfer to the device and back.
type RoundTrip struct {
	Bytes        int    `json:"bytes"`
	Microseconds Figure `json:"us"`
}

// MemoryReport is what Memory measured.
type MemoryReport struct {
	Bytes  int64       `json:"bytes"` // of a region
	Runs   int         `json:"runs"`
	Device string      `json:"device,omitempty"`
	Rows   []MemoryRow `json:"rows"`
}

// describe notes what the region is by now; huge pages show once every page is there.
func (k *memoryKind) describe(r *hostmem.Region) {
	k.row = MemoryRow{Name: k.name, Locked: r.Locked(), Pinned: r.Pinned(), HugeShare: float64(hugeBytes(r)) / float64(len(r.Bytes()))}
	if err := r.Fallback(); err != nil {
		k.row.Fallback = err.Error()
	}
}

func (m Memory) report(kinds []*memoryKind, hops int) *MemoryReport {
	r := &MemoryReport{Bytes: m.Bytes, Runs: memoryRuns}
	if m.Copier != nil {
		r.Device = m.Copier.Device()
	}
	for _, k := range kinds {
		row := k.row
		row.Ready = costs(k.ready, float64(time.Millisecond)*float64(m.Bytes)/(1<<30))
		row.Copy = rates(k.copied, m.Bytes)
		if !k.writeOnly {
			read, random := rates(k.reads, m.Bytes), costs(k.randoms, float64(hops))
			row.Read, row.Random = &read, &random
		}
		if m.Copier != nil {
			to, from := rates(k.there, m.Bytes), rates(k.back, m.Bytes)
			row.ToDevice, row.FromDevice = &to, &from
		}
		for i, times := range k.trips {
			row.RoundTrips = append(row.RoundTrips, RoundTrip{roundTripBytes[i], costs(times, float64(time.Microsecond)*roundTrips)})
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

// costs are times in a unit of so many nanoseconds.
func costs(times []time.Duration, unit float64) Figure {
	times = slices.Sorted(slices.Values(times))
	return Figure{Median: float64(times[len(times)/2]) / unit, Best: float64(times[0]) / unit}
}

// rates are the 10^9 bytes a second of moving n bytes in each time: bytes a nanosecond.
func rates(times []time.Duration, n int64) Figure {
	c := costs(times, 1)
	return Figure{Median: float64(n) / max(c.Median, 1), Best: float64(n) / max(c.Best, 1)}
}

// String is the figure as the tables show it.
func (f *Figure) String() string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f (%.1f)", f.Median, f.Best)
}

// String is the report as tables.
func (r *MemoryReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Regions of %.1f MiB, %d runs in turns: median (best)\n", float64(r.Bytes)/(1<<20), r.Runs)
	if r.Device != "" {
		fmt.Fprintf(&b, "Device: %s\n", r.Device)
	}
	fmt.Fprintf(&b, "%-23s %5s %16s %14s %14s %15s", "memory", "huge", "ready ms/GiB", "copy GB/s", "read GB/s", "random ns")
	if r.Device != "" {
		fmt.Fprintf(&b, " %15s %15s", "to device GB/s", "from it GB/s")
	}
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "\n%-23s %4.0f%% %16s %14s %14s %15s", row.Name, 100*row.HugeShare, &row.Ready, &row.Copy, row.Read, row.Random)
		if r.Device != "" {
			fmt.Fprintf(&b, " %15s %15s", row.ToDevice, row.FromDevice)
		}
	}
	r.writeRoundTrips(&b)
	for _, row := range r.Rows {
		if row.Fallback != "" {
			fmt.Fprintf(&b, "\n%s: measured without, %s", row.Name, strings.ReplaceAll(row.Fallback, "\n", "; "))
		}
	}
	if r.Device == "" {
		b.WriteString("\nno GPU: device rows are left out")
	}
	return b.String()
}

// writeRoundTrips has a row a kind of memory and a column a size.
func (r *MemoryReport) writeRoundTrips(b *strings.Builder) {
	if r.Device == "" {
		return
	}
	fmt.Fprintf(b, "\n\n%-23s", "microseconds both ways")
	for _, n := range roundTripBytes {
		fmt.Fprintf(b, " %13s", fmt.Sprintf("%d B", n))
	}
	for _, row := range r.Rows {
		fmt.Fprintf(b, "\n%-23s", row.Name)
		for _, t := range row.RoundTrips {
			fmt.Fprintf(b, " %13s", &t.Microseconds)
		}
	}
}
