package model

import (
	"path"
	"regexp"
	"strings"
)

// This file owns which tensors of an architecture are matrices that a rewritten file may round, and which it keeps as they
// are: those that are small and decide much. GGUF names a role alike in all architectures.

// keptRoles are the weights that are kept in every architecture, without layer and ".weight"; a pattern as of path.Match.
var keptRoles = []string{
	"*_norm", "*_norm_[0-9]", // scales of norms, which some architectures have by head
	"ffn_gate_inp", "ffn_gate_inp_*", // which experts a token goes to
	"*position_embd", "token_types", "attn_rel_b", // tables that are added to the stream, or to scores
	"rope_freqs", "rope_factors_*", // divisors of frequencies
	"attn_sinks",                                   // scores of no position
	"ssm_conv1d", "ssm_conv1d_*", "shortconv.conv", // filters of four taps or so
}

// keptBy are those that further architectures keep.
var keptBy = map[string][]string{
	"rwkv6":      timeMixing,
	"rwkv6qwen2": timeMixing,
	"rwkv7":      timeMixing,
	"arwkv7":     timeMixing,
	"gemma3n":    {"altup_*", "laurel_*", "per_layer_model_proj"},
}

// timeMixing are the small factors of RWKV's recurrence, beside its large projections.
var timeMixing = []string{"time_mix_first", "time_mix_decay*", "time_mix_lerp_*", "time_mix_[wvag][0-9]"}

// layerPrefix is what stands before a role in a layer's tensors.
var layerPrefix = regexp.MustCompile(`^(?:.*\.)?blk\.[0-9]+\.`)

// Keeps tells whether a tensor of an architecture stays as it is where matrices are written in another type: biases, also
// those of experts, which are matrices by their form, and the roles above.
func Keeps(architecture, name string) bool {
	role, isWeight := strings.CutSuffix(name, ".weight")
	if !isWeight {
		return true
	}
	role = layerPrefix.ReplaceAllString(role, "")
	for _, list := range [][]string{keptRoles, keptBy[architecture]} {
		for _, pattern := range list {
			if found, _ := path.Match(pattern, role); found { // the patterns are well-formed: a test tries each
				return true
			}
		}
	}
	return false
}
