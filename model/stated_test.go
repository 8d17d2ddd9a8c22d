package model

import (
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// This file holds programs to the numbers and names that they state: a wrong one would show in nothing but
// the answers.

// ropeOf is the rope of the first layer.
func ropeOf(t *testing.T, d *draft) engine.Rope {
	t.Helper()
	return *ops[engine.Attend](built(t, d))[0].Rope
}

func TestLinearRope(t *testing.T) {
	const scaling, linear = "llama.rope.scaling.", "llama.rope.scale_linear"
	for name, c := range map[string]struct {
		d    *draft
		want float64
	}{
		"nothing said":              {sound("llama"), 1},
		"linear by 4":               {sound("llama").set(scaling+"type", text("linear")).set(scaling+"factor", real(4)), 0.25},
		"a factor without a type":   {sound("llama").set(scaling+"factor", real(8)), 0.125},
		"the old key":               {sound("llama").set(linear, real(2)), 0.5},
		"the new key before it":     {sound("llama").set(linear, real(2)).set(scaling+"factor", real(4)), 0.25},
		"none, whatever the factor": {sound("llama").set(scaling+"type", text("none")).set(scaling+"factor", real(4)), 1},
	} {
		if r := ropeOf(t, c.d); r.Scale != c.want || r.Magnitude != 1 || r.Extension != 0 {
			t.Errorf("%s: scale %v, magnitude %v, extension %v, want scale %v alone", name, r.Scale, r.Magnitude, r.Extension, c.want)
		}
	}
}

// wideHeads gives the heads 64 elements, so that the ramp of YaRN has pairs to lie between.
func wideHeads(d *draft) *draft {
	for i := range 2 {
		d.shape(block(i, "attn_q.weight"), 16, 256).shape(block(i, "attn_k.weight"), 16, 128).
			shape(block(i, "attn_v.weight"), 16, 128).shape(block(i, "attn_output.weight"), 256, 16)
	}
	return d.set("llama.attention.key_length", number(64))
}

// TestYaRNRamp: pairs that turn 32 times and once over 4,096 positions, by pencil: 64 ln(4096 / (turns 2 pi)) /
// (2 ln 10000) is 10.47 and 22.51.
func TestYaRNRamp(t *testing.T) {
	const scaling = "llama.rope.scaling."
	yarn := func() *draft {
		return wideHeads(sound("llama")).set(scaling+"type", text("yarn")).set(scaling+"factor", real(16)).
			set(scaling+"original_context_length", number(4096))
	}
	if r := ropeOf(t, yarn()); r.Low != 10 || r.High != 23 || r.Scale != 1.0/16 || r.Extension != 1 || r.Dim != 64 || r.Base != 10000 {
		t.Errorf("%+v, want pairs 10 to 23, scale 1/16", r)
	}
	// 8 turns and 2: 15.29 and 20.10.
	d := yarn().set(scaling+"yarn_beta_fast", real(8)).set(scaling+"yarn_beta_slow", real(2)).set(scaling+"yarn_ext_factor", real(0.5))
	if r := ropeOf(t, d); r.Low != 15 || r.High != 21 || r.Extension != 0.5 {
		t.Errorf("%+v, want pairs 15 to 21, extension 1/2", r)
	}
	// Over 64 positions nothing turns 32 times: the ramp begins at the first pair.
	if r := ropeOf(t, yarn().set(scaling+"original_context_length", number(64))); r.Low != 0 || r.High != 9 {
		t.Errorf("%+v, want pairs 0 to 9", r)
	}
}

func TestEmbeddingScales(t *testing.T) {
	for architecture, want := range map[string]float32{"llama": 1, "gpt2": 1, "gemma3": 4} { // gemma3: sqrt(16)
		if e := ops[engine.Embed](built(t, sound(architecture)))[0]; e.Scale != want {
			t.Errorf("%s: embeddings times %v, want %v", architecture, e.Scale, want)
		}
	}
}

func TestActivations(t *testing.T) {
	for architecture, want := range map[string]engine.Activation{"llama": engine.SiLU, "gpt2": engine.GELUTanh, "gemma3": engine.GELUTanh} {
		var list []engine.Activation
		for _, o := range ops[engine.Linears](built(t, sound(architecture))) {
			for _, l := range o.Outputs {
				if l.Activation != engine.Identity {
					list = append(list, l.Activation)
				}
			}
		}
		if !slices.Equal(list, []engine.Activation{want, want}) {
			t.Errorf("%s: activations %v, want %v in each layer", architecture, list, want)
		}
	}
}

// gemmaOf is a Gemma 3 of so many layers, whose heads (of 8) are not width / heads (4) wide.
func gemmaOf(layers int) *draft {
	d := sound("gemma3").set("gemma3.block_count", number(uint64(layers))).set("gemma3.attention.key_length", number(8))
	for i := range layers {
		for name, shape := range map[string][]uint64{
			"attn_norm.weight": {16}, "post_attention_norm.weight": {16}, "ffn_norm.weight": {16}, "post_ffw_norm.weight": {16},
			"attn_q.weight": {16, 32}, "attn_k.weight": {16, 16}, "attn_v.weight": {16, 16}, "attn_output.weight": {32, 16},
			"attn_q_norm.weight": {8}, "attn_k_norm.weight": {8},
			"ffn_gate.weight": {16, 24}, "ffn_up.weight": {16, 24}, "ffn_down.weight": {24, 16},
		} {
			d.shape(block(i, name), shape...)
		}
	}
	return d
}

// TestGemma27B: the 27B model, known by its 62 layers, scales queries by width / heads, all others by the
// size of a head.
func TestGemma27B(t *testing.T) {
	for layers, scaled := range map[int]float64{61: 8, 62: 4, 63: 8} {
		want := float32(1 / math.Sqrt(scaled))
		for i, a := range ops[engine.Attend](built(t, gemmaOf(layers))) {
			if a.Scale != want {
				t.Fatalf("%d layers: layer %d scales by %v, want %v", layers, i, a.Scale, want)
			}
		}
	}
}

func TestQueryAndKeyNorms(t *testing.T) {
	p := built(t, sound("gemma3"))
	for i, a := range ops[engine.Attend](p) {
		if q, k := p.Weight(a.Norm).Name, p.Weight(ops[engine.Store](p)[i].Norm).Name; q != block(i, "attn_q_norm.weight") || k != block(i, "attn_k_norm.weight") {
			t.Errorf("layer %d: queries are normed by %s, keys by %s", i, q, k)
		}
	}
}
