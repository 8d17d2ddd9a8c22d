package model

import (
	"bytes"
	"io"
	"maps"
	"slices"
	"testing"

	"chimera/weights"
)

// This file owns the small models that tests spoil: sound metadata and tensors of each architecture.

// draft is a model file before it is written.
type draft struct {
	keys    map[string]weights.Value
	tensors map[string][]uint64 // F32, ne0 first
}

func number(n uint64) weights.Value { return weights.Value{Type: weights.Uint32, Any: n} }
func wide(n uint64) weights.Value   { return weights.Value{Type: weights.Uint64, Any: n} }
func signed(n int64) weights.Value  { return weights.Value{Type: weights.Int32, Any: n} }
func real(x float64) weights.Value  { return weights.Value{Type: weights.Float32, Any: x} }
func text(s string) weights.Value   { return weights.Value{Type: weights.Text, Any: s} }

// sound is a model of two layers: width 16, four heads of four on two KV heads, 10 tokens.
func sound(architecture string) *draft {
	d := &draft{
		keys: map[string]weights.Value{
			"general.architecture":             text(architecture),
			architecture + ".block_count":      number(2),
			architecture + ".embedding_length": number(16), architecture + ".feed_forward_length": number(24),
			architecture + ".attention.head_count": number(4), architecture + ".context_length": number(32),
		},
		tensors: map[string][]uint64{"token_embd.weight": {16, 10}, "output_norm.weight": {16}},
	}
	layer := map[string][]uint64{
		"attn_norm.weight": {16}, "attn_output.weight": {16, 16},
		"ffn_norm.weight": {16}, "ffn_up.weight": {16, 24}, "ffn_down.weight": {24, 16},
	}
	if architecture == "gpt2" {
		d.keys["gpt2.attention.layer_norm_epsilon"] = real(1e-5)
		d.tensors["position_embd.weight"], d.tensors["output_norm.bias"] = []uint64{16, 32}, []uint64{16}
		maps.Copy(layer, map[string][]uint64{
			"attn_qkv.weight": {16, 48}, "attn_qkv.bias": {48}, "attn_output.bias": {16}, "attn_norm.bias": {16},
			"ffn_norm.bias": {16}, "ffn_up.bias": {24}, "ffn_down.bias": {16},
		})
	} else {
		d.keys[architecture+".attention.head_count_kv"] = number(2)
		d.keys[architecture+".attention.layer_norm_rms_epsilon"] = real(1e-6)
		maps.Copy(layer, map[string][]uint64{
			"attn_q.weight": {16, 16}, "attn_k.weight": {16, 8}, "attn_v.weight": {16, 8}, "ffn_gate.weight": {16, 24},
		})
	}
	if architecture == "gemma3" {
		d.keys["gemma3.attention.sliding_window"] = number(8)
		maps.Copy(layer, map[string][]uint64{
			"attn_q_norm.weight": {4}, "attn_k_norm.weight": {4}, "post_attention_norm.weight": {16}, "post_ffw_norm.weight": {16},
		})
	}
	for name, shape := range layer {
		d.tensors[block(0, name)], d.tensors[block(1, name)] = shape, shape
	}
	return d
}

func (d *draft) set(key string, v weights.Value) *draft { d.keys[key] = v; return d }
func (d *draft) drop(key string) *draft                 { delete(d.keys, key); return d }

func (d *draft) shape(tensor string, shape ...uint64) *draft {
	d.tensors[tensor] = shape
	return d
}

func (d *draft) lose(tensor string) *draft { delete(d.tensors, tensor); return d }

// bytes is the file, its tensors zero.
func (d *draft) bytes(t testing.TB) []byte {
	t.Helper()
	var m weights.Metadata
	for _, key := range slices.Sorted(maps.Keys(d.keys)) {
		m.Set(key, d.keys[key])
	}
	var tensors []weights.OutTensor
	for _, name := range slices.Sorted(maps.Keys(d.tensors)) {
		n := uint64(4)
		for _, x := range d.tensors[name] {
			n *= x
		}
		tensors = append(tensors, weights.OutTensor{Name: name, Type: weights.F32, Shape: d.tensors[name], Write: func(w io.Writer) error {
			_, err := w.Write(make([]byte, n))
			return err
		}})
	}
	var out bytes.Buffer
	if err := weights.WriteFile(&out, &m, tensors); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (d *draft) file(t testing.TB) *weights.File {
	t.Helper()
	f, err := weights.Parse("m.gguf", d.bytes(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
