package engine

import (
	"math"
	"strings"
	"testing"
)

// This file owns the test of what options are refused.

func TestCheckOptions(t *testing.T) {
	b := NewBuilder("test", 4, 32)
	b.Group(Group{Name: "full", Layers: 1, Mask: Causal, Heads: 1, KeyWidth: 2, ValueWidth: 2})
	x, rows := b.Value("x", 2), b.OutputValue("rows", 2)
	b.Add(Embed{Table: b.Weight("table", 4, 2), Positions: b.Weight("positions", 32, 2), Scale: 1, Out: x})
	b.Add(Rows{In: x, Out: rows})
	b.Add(Head{In: rows, Weight: b.Weight("head", 4, 2), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	sound := LoadOptions{Policy: Policy{KV: F16}, Pages: []int{1}, MaxTokens: 1, MaxSequences: 1, MaxOutputs: 1, MaxContext: 32}
	if err := sound.Check(p); err != nil {
		t.Fatal(err)
	}
	longer := *p
	longer.Context = 64 // than its learned positions
	for _, c := range []struct {
		field string
		spoil func(o *LoadOptions)
		p     *Program
	}{
		{"Pages", func(o *LoadOptions) { o.Pages = nil }, p},
		{"Pages", func(o *LoadOptions) { o.Pages = []int{1, 1} }, p},
		{"Pages of full", func(o *LoadOptions) { o.Pages = []int{0} }, p},
		{"Pages of full", func(o *LoadOptions) { o.Pages = []int{math.MaxInt32 + 1} }, p},
		{"MaxVectors", func(o *LoadOptions) { o.MaxVectors = -1 }, p},
		{"MaxTargets", func(o *LoadOptions) { o.MaxTargets = -1 }, p},
		{"MaxTokens", func(o *LoadOptions) { o.MaxTokens = 0 }, p},
		{"MaxSequences", func(o *LoadOptions) { o.MaxSequences = 0 }, p},
		{"MaxOutputs", func(o *LoadOptions) { o.MaxOutputs = 0 }, p},
		{"MaxTop", func(o *LoadOptions) { o.MaxTop = -1 }, p},
		{"MaxContext", func(o *LoadOptions) { o.MaxContext = 0 }, p},
		{"MaxContext", func(o *LoadOptions) { o.MaxContext = 33 }, p},
		{"MaxContext", func(o *LoadOptions) { o.MaxContext = 33 }, &longer},
		{"Policy.KV", func(o *LoadOptions) { o.Policy.KV = BF16 }, p},
		{"Policy.KV", func(o *LoadOptions) { o.Policy.KV = 1000 }, p},
		{"Policy.Activation", func(o *LoadOptions) { o.Policy.Activation = ActivationInt8 + 1 }, p},
	} {
		o := sound
		c.spoil(&o)
		if err := o.Check(c.p); err == nil || !strings.HasPrefix(err.Error(), "load option "+c.field+": ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
