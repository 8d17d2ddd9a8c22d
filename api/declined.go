package api

import (
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the fields that clients of other servers know and this one does not act on.

// declined are fields that would change the answer if the server knew what to do with them: to pass over
// them in silence would be a wrong answer. What asks for nothing passes: null, false, "", [] and the
// values listed here. All other unknown fields (user, metadata, store ...) change nothing and pass.
var declined = map[string][]string{
	// OpenAI
	"audio": nil, "function_call": {`"none"`, `"auto"`}, "functions": nil, "modalities": {`["text"]`},
	"verbosity": {`"medium"`}, "web_search_options": nil,
	// vLLM
	"allowed_token_ids": nil, "bad_words": nil, "guided_choice": nil, "guided_grammar": nil, "guided_json": nil,
	"guided_regex": nil, "include_stop_str_in_output": nil, "length_penalty": {"1"}, "logits_processors": nil,
	"prompt_embeds": nil, "prompt_logprobs": nil, "stop_token_ids": nil, "structured_outputs": nil,
	"truncate_prompt_tokens": nil, "use_beam_search": nil,
	// llama-server
	"dry_multiplier": {"0"}, "dynatemp_range": {"0"}, "grammar": nil, "json_schema": nil, "mirostat": {"0"},
	"n_predict": {"-1"}, "n_probs": {"0"}, "repeat_penalty": {"1"}, "typical_p": {"1"}, "xtc_probability": {"0"},
}

// instead names the field that does what a declined one would.
var instead = map[string]string{
	"n_predict": "max_tokens", "n_probs": "top_logprobs", "repeat_penalty": "repetition_penalty", "stop_token_ids": "stop",
}

func (g *generation) checkDeclined() error {
	for _, name := range slices.Sorted(maps.Keys(g.Others)) {
		harmless, known := declined[name]
		if !known || asksNothing(g.Others[name], harmless) {
			continue
		}
		if use, ok := instead[name]; ok {
			return badField(name, "it is not supported; use %s", use)
		}
		return badField(name, "it is not supported")
	}
	return nil
}

func asksNothing(v jsontext.Value, harmless []string) bool {
	if v.Compact() != nil {
		return false
	}
	text := string(v)
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(x, 'g', -1, 64) // 1.0 is 1
	}
	return slices.Contains([]string{"null", "false", `""`, "[]"}, text) || slices.Contains(harmless, text)
}
