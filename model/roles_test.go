package model

import (
	"path"
	"testing"
)

// TestKeeps: what a rewritten file keeps, by what published files of the architectures name.
func TestKeeps(t *testing.T) {
	for _, c := range []struct {
		architecture, name string
		keeps              bool
	}{
		{"llama", "token_embd.weight", false},
		{"llama", "output.weight", false},
		{"llama", "blk.0.attn_q.weight", false},
		{"llama", "blk.31.ffn_gate.weight", false},
		{"llama", "blk.3.ffn_gate_exps.weight", false},
		{"llama", "blk.3.ffn_down.7.weight", false}, // experts one by one
		{"llama", "blk.3.ffn_gate_inp.weight", true},
		{"qwen2moe", "blk.3.ffn_gate_inp_shexp.weight", true},
		{"qwen2moe", "blk.3.ffn_gate_shexp.weight", false},
		{"gpt-oss", "blk.0.ffn_gate_inp.bias", true},
		{"gpt-oss", "blk.0.ffn_gate_up_exps.bias", true},
		{"gpt-oss", "blk.0.ffn_down_exps.bias", true},
		{"gpt-oss", "blk.0.attn_sinks.weight", true},
		{"deepseek2", "blk.1.exp_probs_b.bias", true},
		{"deepseek2", "blk.1.attn_kv_a_mqa.weight", false},
		{"deepseek2", "blk.1.attn_kv_a_norm.weight", true},
		{"command-r", "blk.1.attn_q_norm.weight", true}, // a matrix: one scale for each head
		{"gpt2", "position_embd.weight", true},
		{"clip", "v.position_embd.weight", true},
		{"bert", "token_types.weight", true},
		{"bert", "token_embd_norm.weight", true},
		{"t5", "enc.blk.0.attn_rel_b.weight", true},
		{"t5", "enc.blk.0.attn_q.weight", false},
		{"t5", "dec.blk.0.cross_attn_norm.weight", true},
		{"phi3", "rope_factors_long.weight", true},
		{"llama", "rope_freqs.weight", true},
		{"mamba", "blk.0.ssm_conv1d.weight", true},
		{"mamba", "blk.0.ssm_a", true},
		{"mamba", "blk.0.ssm_in.weight", false},
		{"lfm2", "blk.0.shortconv.conv.weight", true},
		{"lfm2", "blk.0.shortconv.in_proj.weight", false},
		{"rwkv6", "blk.0.time_mix_decay_w1.weight", true},
		{"rwkv6", "blk.0.time_mix_w2.weight", true},
		{"rwkv6", "blk.0.time_mix_key.weight", false},
		{"rwkv7", "blk.0.time_mix_lerp_fused.weight", true},
		{"llama", "blk.0.time_mix_w2.weight", false}, // another architecture's role
		{"gemma3n", "blk.0.laurel_l.weight", true},
		{"gemma3n", "altup_proj.weight", true},
		{"gemma3n", "per_layer_token_embd.weight", false},
		{"llama", "blk.x.ffn_gate_inp.weight", false},
	} {
		if got := Keeps(c.architecture, c.name); got != c.keeps {
			t.Errorf("%s: %s is kept: %v", c.architecture, c.name, got)
		}
	}
	for _, list := range append([][]string{keptRoles}, timeMixing, keptBy["gemma3n"]) {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil {
				t.Errorf("%q: %v", pattern, err)
			}
		}
	}
}
