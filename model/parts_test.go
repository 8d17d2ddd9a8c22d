package model

import (
	"math"
	"slices"
	"testing"

	"chimera/engine"
	"chimera/weights"
)

// This file holds Build to the parts that only some files of an architecture have. Each was once left out
// in silence, or could be: nothing but the answers would have shown it.

// built is the program of a sound draft.
func built(t *testing.T, d *draft) *engine.Program {
	t.Helper()
	p, err := Build(d.file(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ops lists the program's ops of one type.
func ops[T engine.Op](p *engine.Program) (list []T) {
	for _, op := range p.Ops {
		if o, ok := op.(T); ok {
			list = append(list, o)
		}
	}
	return list
}

// weightsOf names the weights that a step of the program reads.
func weightsOf(p *engine.Program) (names []string) {
	for _, w := range p.Weights {
		names = append(names, w.Name)
	}
	return names
}

func TestBiases(t *testing.T) {
	d := sound("llama")
	biases := map[string]uint64{
		"attn_q.bias": 16, "attn_k.bias": 8, "attn_v.bias": 8, "attn_output.bias": 16, "ffn_gate.bias": 24, "ffn_up.bias": 24, "ffn_down.bias": 16,
	}
	for name, n := range biases {
		d.shape(block(0, name), n)
	}
	p := built(t, d)
	names := weightsOf(p)
	for name := range biases {
		if !slices.Contains(names, block(0, name)) {
			t.Errorf("%s is not used", name)
		}
	}
	gated := 0
	for _, o := range ops[engine.Linears](p) {
		if l := o.Outputs[0]; l.Gate != engine.NoWeight && l.GateBias != engine.NoWeight {
			gated++
			if p.Weight(l.GateBias).Name != "blk.0.ffn_gate.bias" || p.Weight(l.Bias).Name != "blk.0.ffn_up.bias" {
				t.Errorf("the gate adds %s, the product %s", p.Weight(l.GateBias).Name, p.Weight(l.Bias).Name)
			}
		}
	}
	if gated != 1 {
		t.Errorf("%d gates have a bias, want layer 0's", gated)
	}
}

// TestFusedProjections: queries, keys and values may be one tensor, with or without a bias.
func TestFusedProjections(t *testing.T) {
	for _, architecture := range []string{"llama", "gemma3"} {
		d := sound(architecture)
		for i := range 2 {
			d.lose(block(i, "attn_q.weight")).lose(block(i, "attn_k.weight")).lose(block(i, "attn_v.weight"))
			d.shape(block(i, "attn_qkv.weight"), 16, 32)
		}
		p := built(t, d.shape("blk.1.attn_qkv.bias", 32))
		var parts []engine.Weight
		for _, w := range p.Weights {
			if w.Name == "blk.1.attn_qkv.weight" || w.Name == "blk.1.attn_qkv.bias" {
				parts = append(parts, w)
			}
		}
		want := []engine.Weight{
			{Name: "blk.1.attn_qkv.weight", Rows: 16, Cols: 16}, {Name: "blk.1.attn_qkv.bias", Rows: 1, Cols: 16},
			{Name: "blk.1.attn_qkv.weight", FirstRow: 16, Rows: 8, Cols: 16}, {Name: "blk.1.attn_qkv.bias", FirstRow: 16, Rows: 1, Cols: 8},
			{Name: "blk.1.attn_qkv.weight", FirstRow: 24, Rows: 8, Cols: 16}, {Name: "blk.1.attn_qkv.bias", FirstRow: 24, Rows: 1, Cols: 8},
		}
		if !slices.Equal(parts, want) {
			t.Errorf("%s: parts %+v", architecture, parts)
		}
	}
}

func TestLogitSoftcap(t *testing.T) {
	if h := ops[engine.Head](built(t, sound("gemma3")))[0]; h.Softcap != 0 {
		t.Errorf("a cap of %v without the key", h.Softcap)
	}
	p := built(t, sound("gemma3").set("gemma3.final_logit_softcapping", real(30)))
	if h := ops[engine.Head](p)[0]; h.Softcap != 30 {
		t.Errorf("the cap is %v, want 30", h.Softcap)
	}
}

// windows lists the layers' windows.
func windows(p *engine.Program) (list []int) {
	for _, a := range ops[engine.Attend](p) {
		list = append(list, p.Group(a.Group).Window)
	}
	return list
}

func TestWindows(t *testing.T) {
	const key = "gemma3.attention.sliding_window_pattern"
	pattern := func(list ...bool) weights.Value {
		return weights.Value{Type: weights.Array, Element: weights.Bool, Any: list}
	}
	for name, c := range map[string]struct {
		d    *draft
		want []int
	}{
		"gemma3":              {sound("gemma3"), []int{8, 8}},
		"gemma3, every other": {sound("gemma3").set(key, number(2)), []int{8, 0}},
		"gemma3, by a list":   {sound("gemma3").set(key, pattern(false, true)), []int{0, 8}},
		"llama":               {sound("llama"), []int{0, 0}},
		"mistral":             {sound("llama").set("llama.attention.sliding_window", number(5)), []int{5, 5}},
		"llama, 0 is none":    {sound("llama").set("llama.attention.sliding_window", number(0)), []int{0, 0}},
		"llama, -1 is none":   {sound("llama").set("llama.attention.sliding_window", signed(-1)), []int{0, 0}},
		"-1 without a sign":   {sound("llama").set("llama.attention.sliding_window", number(math.MaxUint32)), []int{0, 0}},
		"-1 of 64 bits":       {sound("llama").set("llama.attention.sliding_window", wide(math.MaxUint64)), []int{0, 0}},
		"a signed 0":          {sound("llama").set("llama.attention.sliding_window", signed(0)), []int{0, 0}},
		"gemma3, -1 is none":  {sound("gemma3").set("gemma3.attention.sliding_window", number(math.MaxUint32)), []int{0, 0}},
		"gemma3, 0 is none":   {sound("gemma3").set("gemma3.attention.sliding_window", number(0)), []int{0, 0}},
		"gemma3, no period":   {sound("gemma3").set(key, number(0)), []int{8, 8}},
	} {
		if got := windows(built(t, c.d)); !slices.Equal(got, c.want) {
			t.Errorf("%s: windows %v, want %v", name, got, c.want)
		}
	}
	for _, bad := range []weights.Value{pattern(true), pattern(true, true, true), {Type: weights.Array, Element: weights.Text, Any: []string{"a", "b"}}} {
		_, err := Build(sound("gemma3").set(key, bad).file(t))
		if err == nil {
			t.Fatalf("%v was taken", bad.Any)
		}
		named(t, err, "key "+key)
	}
}

// A stretching of 0 is none.
func TestZeroIsNoStretching(t *testing.T) {
	rope := func(d *draft) engine.Rope { return *ops[engine.Attend](built(t, d))[0].Rope }
	want := rope(sound("llama"))
	for _, kind := range []string{"", "none", "linear"} {
		for _, key := range []string{"llama.rope.scaling.factor", "llama.rope.scale_linear"} {
			if got := rope(sound("llama").set("llama.rope.scaling.type", text(kind)).set(key, real(0))); got != want {
				t.Errorf("type %q, %s 0: %+v, want %+v", kind, key, got, want)
			}
		}
	}
}

// TestYaRNMagnitude: stated, it replaces the one that follows from the factor.
func TestYaRNMagnitude(t *testing.T) {
	yarn := func() *draft {
		return sound("llama").set("llama.rope.scaling.type", text("yarn")).set("llama.rope.scaling.factor", real(8))
	}
	magnitude := func(d *draft) float64 { return ops[engine.Attend](built(t, d))[0].Rope.Magnitude }
	if m := magnitude(yarn()); m < 1.2079 || m > 1.2080 {
		t.Errorf("inferred: %v, want 0.1 ln 8 + 1", m)
	}
	if m := magnitude(yarn().set("llama.rope.scaling.yarn_attn_factor", real(0.5))); m != 0.5 {
		t.Errorf("stated as 0.5: %v", m)
	}
}

// TestOldRopeTables: what old converters kept beside the weights is no reason to refuse a file.
func TestOldRopeTables(t *testing.T) {
	built(t, sound("llama").shape("blk.0.attn_rot_embd.weight", 2))
}
