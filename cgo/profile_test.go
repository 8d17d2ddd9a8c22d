//go:build cgo

package cgo

import (
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns tests of where the time of steps goes: what is counted, and that results are the same.

// Phases are counted from the first call on and anew with each; results are those of steps that nobody times.
func TestPhaseCosts(t *testing.T) {
	in := loadTiny(t, openPacked(t, 2), tinyOptions)
	step := func() engine.Result {
		t.Helper()
		b := tinyBatch(t, in)
		if _, err := b.AddOutput(engine.Output{Row: 15, Mode: engine.Sample}, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := in.Submit(b); err != nil {
			t.Fatal(err)
		}
		if err := in.Wait(); err != nil {
			t.Fatal(err)
		}
		return b.Results[0]
	}
	plain := step()
	if in.c.phase_ns != nil || in.profile.costs != nil {
		t.Error("steps are timed though nobody asked")
	}
	for _, c := range in.PhaseCosts() {
		if c != (engine.PhaseCost{}) {
			t.Errorf("before the first call: %+v", c)
		}
	}
	if timed := step(); timed != plain {
		t.Errorf("timed %v, else %v", timed, plain)
	}
	step()
	two := in.PhaseCosts()
	step()
	one := in.PhaseCosts()
	if len(one) != len(in.Phases) || len(two) != len(one) {
		t.Fatalf("%d and %d costs of %d phases", len(two), len(one), len(in.Phases))
	}
	var work [][2]int64
	for i, ph := range in.Phases {
		if one[i].Time <= 0 || two[i].MACs != 2*one[i].MACs || two[i].ReadBytes != 2*one[i].ReadBytes {
			t.Errorf("%s: %+v, of two steps %+v", ph.Name, one[i], two[i])
		}
		work = append(work, [2]int64{one[i].MACs, one[i].ReadBytes})
	}
	row := in.Plan().Phases[0].ReadBytes
	want := [][2]int64{
		{0, 16 * row},                  // embed: a row of the table for each token
		{0, 0},                         // store
		{(21 + 36) * 8 * 64, 36 * 128}, // attend: position 20 sees 21, 35 sees 36; K and V of 32 halves each
		{16 * 9 * 64, 9 * 128},         // all see the 9 that are there
		{0, 0},                         // rows
		{40 * 32, in.Plan().Phases[5].ReadBytes},
	}
	if !slices.Equal(work, want) {
		t.Errorf("multiply-accumulates and bytes %v, want %v", work, want)
	}
	if c := in.Ceiling(); c.ReadBytesPerSecond <= 0 || c.MACsPerSecond <= 0 {
		t.Errorf("%+v", c)
	}
}
