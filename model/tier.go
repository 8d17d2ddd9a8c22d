package model

import (
	"strings"

	"chimera/weights"
)

// This file owns the recipe of a tier: what of an architecture deserves more than the tier's type.

// ends are the tables of tokens. Each value of them meets every token or decides between all, and they have a few
// hundredths of a large model's values, so that files of any type have them in six bits or more.
var ends = map[string]bool{"token_embd.weight": true, "output.weight": true}

// streamRoles are the matrices whose results are added to the stream, and the values that attention only averages: their
// errors add up over the layers, where others' pass a softmax or a gate.
var streamRoles = map[string]bool{
	"attn_v": true, "attn_output": true, "ffn_down": true, "ffn_down_exps": true, "ffn_down_shexp": true,
}

// nextUp is what these have at least in the tiers below four bits, where it matters: half of q2_k's and q3_k's divergence
// goes for 7 to 8% more bytes. A tier of four bits would gain a tenth.
var nextUp = map[weights.Type]weights.Type{weights.Q2_K: weights.Q3_K, weights.Q3_K: weights.Q4_K}

// Recipe is that of a tier of an architecture: all matrices are of one type, but those that Keeps keeps, the embedding and the
// head, which have Q6_K at least, and below four bits those of streamRoles.
func Recipe(architecture string, target weights.Type) weights.Recipe {
	return weights.Recipe{
		Target: target,
		Keeps:  func(name string) bool { return Keeps(architecture, name) },
		Floor:  func(name string) weights.Type { return floor(name, target) },
	}
}

func floor(name string, target weights.Type) weights.Type {
	if ends[name] {
		return weights.Q6_K
	}
	role := layerPrefix.ReplaceAllString(strings.TrimSuffix(name, ".weight"), "")
	if next, ok := nextUp[target]; ok && streamRoles[role] {
		return next
	}
	return target
}
