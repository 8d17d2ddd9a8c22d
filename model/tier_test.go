package model

import (
	"testing"

	"chimera/weights"
)

func TestRecipe(t *testing.T) {
	for name, want := range map[string]map[weights.Type]weights.Type{
		"blk.3.ffn_down.weight":      {weights.Q4_K: weights.Q4_K, weights.Q8_0: weights.Q8_0, weights.Q3_K: weights.Q4_K},
		"token_embd.weight":          {weights.Q4_K: weights.Q6_K, weights.Q8_0: weights.Q8_0, weights.F16: weights.F16},
		"output.weight":              {weights.Q2_K: weights.Q6_K, weights.Q6_K: weights.Q6_K},
		"blk.0.attn_output.weight":   {weights.Q2_K: weights.Q3_K, weights.Q5_K: weights.Q5_K},
		"blk.0.attn_q.weight":        {weights.Q2_K: weights.Q2_K, weights.Q3_K: weights.Q3_K},
		"blk.1.ffn_down_exps.weight": {weights.Q2_K: weights.Q3_K},
		"blk.0.ffn_gate_inp.weight":  {weights.Q2_K: weights.F32},
		"blk.0.ffn_up.bias":          {weights.Q2_K: weights.F32},
	} {
		for target, want := range want {
			r := Recipe("llama", target)
			if got, reason := r.Type(name, weights.F32, []uint64{256, 8}); got != want || reason != "" {
				t.Errorf("%s: %s is %s (%s), want %s", target, name, got, reason, want)
			}
		}
	}
}
