package daemon

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
)

// This file owns tests of the engine's phases beside the machine's limits.

// Layers are one phase, rates are of their sums, and the limit is the nearer one.
func TestPhasesOf(t *testing.T) {
	plan := []engine.Phase{{Name: "blk.0.up", Kernel: "k"}, {Name: "full.1.attend", Kernel: "a"}, {Name: "blk.1.up", Kernel: "k"}, {Name: "head", Kernel: "k"}}
	costs := []engine.PhaseCost{
		{Time: 10 * time.Millisecond, ReadBytes: 1e6, MACs: 1e9}, {Time: 4 * time.Millisecond, ReadBytes: 4e6},
		{Time: 30 * time.Millisecond, ReadBytes: 3e6, MACs: 3e9}, {},
	}
	got := phasesOf("decode", plan, costs, 4, EngineLimits{Read: 2, Operations: 400})
	want := []EnginePhase{
		{Steps: "decode", Name: "blk.*.up", Kernel: "k", Count: 2, Time: 10, Read: 0.1, Operations: 200, Share: 0.5, Limit: "operations"},
		{Steps: "decode", Name: "full.*.attend", Kernel: "a", Count: 1, Time: 1, Read: 1, Share: 0.5, Limit: "read"},
		{Steps: "decode", Name: "head", Kernel: "k", Count: 1, Time: 2.5e-7, Limit: "read"},
	}
	if !slices.EqualFunc(got, want, func(a, b EnginePhase) bool {
		near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Abs(y) }
		return a.Steps == b.Steps && a.Name == b.Name && a.Kernel == b.Kernel && a.Count == b.Count && a.Limit == b.Limit &&
			near(a.Time, b.Time) && near(a.Read, b.Read) && near(a.Operations, b.Operations) && near(a.Share, b.Share)
	}) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// The report has the fields that others read, and phases of both kinds of step.
func TestEngineReportIsWhole(t *testing.T) {
	c := config.Default()
	c.Threads = 2
	b := EngineBench{
		Model:   filepath.Join(fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance"), "gemma3", "gemma3-f32.gguf"),
		Prefill: EngineSteps{Prompt: 30, Length: 30, Count: 1}, Decode: EngineSteps{Decode: 2, Depth: 20, Answer: 8, Count: 8},
		Rounds: 3, Progress: func(int, int) {},
	}
	r, err := BenchEngine(context.Background(), &c, b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prefill_tokens_per_second", "decode_tokens_per_second", "packed_bytes", "file_bytes", "read_gb_per_second", "limits", "phases"} {
		if fields[name] == nil {
			t.Errorf("no %s among %v", name, slices.Sorted(maps.Keys(fields)))
		}
	}
	if r.PackedBytes <= 0 || r.FileBytes < r.PackedBytes/2 || r.Read <= 0 || r.Limits == nil || r.Limits.Read <= 0 || r.Limits.Operations <= 0 {
		t.Fatalf("%+v", r)
	}
	sums := map[string]float64{}
	for _, p := range r.Phases {
		sums[p.Steps] += p.Time
		if p.Time <= 0 || p.Share < 0 {
			t.Errorf("%+v", p)
		}
	}
	// By how much they fill the steps is not asked: beside other work a step of 0.1 ms is mostly waiting for a processor.
	if len(sums) != 2 || sums["prefill"] <= 0 || sums["decode"] <= 0 {
		t.Errorf("the phases take %v ms", sums)
	}
}
