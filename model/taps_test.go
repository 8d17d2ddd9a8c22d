package model

import (
	"slices"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/weights"
)

// This file holds the programs that are looked into to what is served: the same layers, and the same end.

// programOf is what build makes of a draft.
func programOf(t *testing.T, d *draft, build func(*weights.File) (*engine.Program, error)) *engine.Program {
	t.Helper()
	p, err := build(d.file(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// untapped are the ops but for taps.
func untapped(p *engine.Program) []engine.Op {
	return slices.DeleteFunc(slices.Clone(p.Ops), func(op engine.Op) bool { _, tap := op.(engine.Tap); return tap })
}

func TestTapsByArchitecture(t *testing.T) {
	for _, architecture := range Architectures() {
		d := sound(architecture)
		whole, layered, end := built(t, d), programOf(t, d, BuildLayers), programOf(t, d, BuildLens)
		last := ops[engine.Head](whole)[0].In
		if taps := ops[engine.Tap](whole); len(taps) != 1 || taps[0].In != last || whole.TapWidth() != 16 {
			t.Errorf("%s: taps %+v, want one of what the head reads", architecture, taps)
		}
		taps := ops[engine.Tap](layered)
		if len(taps) != 3 || layered.TapWidth() != 48 { // two layers
			t.Errorf("%s: taps %+v", architecture, taps)
		}
		for i, tap := range taps {
			if tap.In != ops[engine.Embed](whole)[0].Out || tap.Name != []string{"layer 0", "layer 1", "layer 2"}[i] {
				t.Errorf("%s: tap %d is %+v, want the stream", architecture, i, tap)
			}
		}
		a, b := untapped(whole), untapped(layered)
		if len(a) != len(b) || !slices.Equal(whole.Weights, layered.Weights) || !slices.Equal(whole.Values, layered.Values) {
			t.Errorf("%s: %d ops are served, %d have taps between", architecture, len(a), len(b))
		}
		// The end is the program's last three ops, on values and weights that have other numbers.
		tail := untapped(end)
		if len(tail) != 4 || len(end.Groups) != 0 || end.TapWidth() != 0 || end.VectorWidth() != 16 {
			t.Fatalf("%s: the end is %+v", architecture, tail)
		}
		norm, wholeNorm := tail[2].(engine.Norm), a[len(a)-2].(engine.Norm)
		head, wholeHead := tail[3].(engine.Head), a[len(a)-1].(engine.Head)
		if norm.Kind != wholeNorm.Kind || norm.Epsilon != wholeNorm.Epsilon || end.Weight(norm.Gamma) != whole.Weight(wholeNorm.Gamma) || (norm.Beta == engine.NoWeight) != (wholeNorm.Beta == engine.NoWeight) {
			t.Errorf("%s: the last norm is %+v, want %+v", architecture, norm, wholeNorm)
		}
		if end.Weight(head.Weight) != whole.Weight(wholeHead.Weight) || head.Scale != wholeHead.Scale || head.Softcap != wholeHead.Softcap {
			t.Errorf("%s: the head is %+v, want %+v", architecture, head, wholeHead)
		}
		for _, w := range end.Weights {
			if strings.HasPrefix(w.Name, "blk.") {
				t.Errorf("%s: the end has the weight %s", architecture, w.Name)
			}
		}
	}
}

// A file that can't be served can't be looked into either.
func TestTapsOfUnknownTensors(t *testing.T) {
	d := sound("llama").shape("blk.0.attn_sinks.weight", 4)
	if _, err := BuildLayers(d.file(t)); err == nil || !strings.Contains(err.Error(), "attn_sinks") {
		t.Errorf("%v", err)
	}
}
