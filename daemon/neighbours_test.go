package daemon

import (
	"path/filepath"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/loader"
	"chimera/model"
	"chimera/scheduler"
)

// This file owns the proof that lanes which share a device do not show in one another's answers, be it that one gives way,
// be it that weights are replaced meanwhile.

// neighbour is a lane over an instance of its own.
type neighbour struct {
	*scheduler.Lane
	under []*scheduler.Sequence
}

func startNeighbour(t *testing.T, loop *scheduler.Loop, in engine.Instance, class scheduler.Class, requests []scheduler.Request) *neighbour {
	t.Helper()
	lane, err := loop.Add(in, scheduler.Config{StepTokens: 64, QueueLength: 16})
	if err != nil {
		t.Fatal(err)
	}
	n := &neighbour{Lane: lane}
	for _, r := range requests {
		r.Class = class
		seq, err := lane.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		n.under = append(n.under, seq)
	}
	return n
}

// finish compares all answers with those that the requests have alone.
func (n *neighbour) finish(t *testing.T, name string, want [][]scheduler.Event) {
	t.Helper()
	for i, seq := range n.under {
		if got := events(t, seq); !slices.EqualFunc(got, want[i], sameEvent) {
			t.Errorf("%s: request %d beside a neighbour: %v, alone: %v", name, i, got, want[i])
		}
	}
	n.Drain()
	if err := n.Err(); err != nil {
		t.Error(err)
	}
}

func TestNeighboursOnOneDevice(t *testing.T) {
	path := filepath.Join("testdata", "parts", "gemma3_softcap", "gemma3_softcap-f16.gguf")
	var requests []scheduler.Request
	for i := range 12 {
		requests = append(requests, scheduler.Request{
			Prompt: companion(i, 40+10*i, 40), MaxTokens: 80, Sampling: scheduler.Sampling{TopP: 1, Repetition: 1},
		})
	}
	o := loader.Options{Threads: 2, KVType: "f16", ISA: "auto", Device: "cpu", StepTokens: 64, MaxSequences: 8, MaxLogprobs: 1}
	want, _ := serve(t, path, o, requests, true)

	f, p, err := loader.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	options, err := o.LoadOptions(p)
	if err != nil {
		t.Fatal(err)
	}
	device, err := o.OpenCPU()
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var both [2]engine.Instance
	for i := range both {
		if both[i], err = device.Load(p, model.NewSource(f), options); err != nil {
			t.Fatal(err)
		}
		defer both[i].Close()
	}
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	front := startNeighbour(t, loop, both[0], scheduler.Interactive, requests)
	back := startNeighbour(t, loop, both[1], scheduler.Background, requests)
	go loop.Run(t.Context())
	for _, n := range []*neighbour{front, back} {
		if g, err := n.Replace(model.NewSource(f), nil); err != nil || g != 2 { // the same bytes: who begins later answers the same
			t.Errorf("generation %d, %v", g, err)
		}
	}
	front.finish(t, "in front", want)
	back.finish(t, "in the background", want)
	if s := back.Snapshot(); s.Aborts == 0 {
		t.Errorf("the background never gave way: %+v", s)
	}
	if s := front.Snapshot(); s.Aborts != 0 {
		t.Errorf("the front gave way: %+v", s)
	}
}
