package api

import (
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the fields that clients of other servers send and this one does not act on. What it acts on are the members
// of the requests' types; a name that is one of an endpoint never comes here from it, but may from another.

// foreign is a field by its meaning here.
type foreign struct {
	// nothing are the values that ask for nothing, as JSON: what its server documents as the default. null, "", [], {} and
	// false always are, unless exact says that they mean something.
	nothing []string
	exact   bool
	// use names the field of this server that does what it would.
	use string
	// any: no value changes what is answered, or it does so only by way of another field, which is refused where it asks.
	any bool
}

var (
	unsupported = foreign{}
	changesNone = foreign{any: true}
	onlyDefault = func(values ...string) foreign { return foreign{nothing: values} }
	onlyExactly = func(values ...string) foreign { return foreign{nothing: append(values, "null"), exact: true} }
	insteadOf   = func(use string, nothing ...string) foreign { return foreign{use: use, nothing: nothing} }
)

// foreignFields are the fields of OpenAI, vLLM, SGLang, llama-server, TGI, Ollama and text-generation-webui. To pass over one
// that would change the answer is a wrong answer, so those are refused by name; all that stand in neither list are logged.
var foreignFields = map[string]foreign{
	// OpenAI
	"audio": unsupported, "function_call": onlyDefault(`"none"`, `"auto"`), "functions": unsupported, "modalities": onlyDefault(`["text"]`),
	"verbosity": onlyDefault(`"medium"`), "web_search_options": onlyExactly(), "max_output_tokens": insteadOf("max_tokens"),
	"input": insteadOf("messages or prompt"), "instructions": insteadOf("messages"), "reasoning": unsupported, "thinking": unsupported,
	"user": changesNone, "metadata": changesNone, "store": changesNone, "service_tier": changesNone, "safety_identifier": changesNone,
	"prompt_cache_key": changesNone, "prompt_cache_retention": changesNone, "parallel_tool_calls": changesNone, "prediction": changesNone,

	// Of the other endpoint.
	"messages": insteadOf("prompt"), "max_completion_tokens": insteadOf("max_tokens"), "top_logprobs": insteadOf("logprobs", "0"),
	"tools": unsupported, "tool_choice": onlyDefault(`"none"`, `"auto"`), "response_format": onlyDefault(`{"type":"text"}`),
	"reasoning_effort": onlyDefault(`"none"`), "chat_template_kwargs": unsupported, "add_generation_prompt": onlyDefault("true"),
	"continue_final_message": unsupported, "prompt": insteadOf("messages"), "suffix": unsupported, "echo": unsupported,
	"best_of": insteadOf("n", "1"), "add_special_tokens": unsupported,

	// vLLM
	"allowed_token_ids": unsupported, "bad_words": unsupported, "chat_template": unsupported, "documents": unsupported,
	"guided_choice": unsupported, "guided_grammar": unsupported, "guided_json": onlyExactly(`""`), "guided_regex": unsupported,
	"guided_decoding_backend": changesNone, "guided_whitespace_pattern": changesNone, "structured_outputs": unsupported,
	"structural_tag": unsupported, "length_penalty": onlyDefault("1"), "early_stopping": unsupported, "use_beam_search": unsupported,
	"logits_processors": unsupported, "prompt_embeds": unsupported, "prompt_logprobs": unsupported, "logprob_token_ids": unsupported,
	"return_token_ids": unsupported, "spaces_between_special_tokens": onlyExactly("true"), "stop_token_ids": insteadOf("stop"),
	"truncate_prompt_tokens": onlyDefault("-1"), "truncation_side": changesNone, "mm_processor_kwargs": unsupported, "vllm_xargs": unsupported,
	"kv_transfer_params": unsupported, "cache_salt": unsupported, "include_reasoning": changesNone, "thinking_token_budget": onlyDefault("-1"),
	"request_id": changesNone, "priority": changesNone, "allowed_tokens": unsupported, "bad_words_ids": unsupported,
	"repetition_detection": unsupported,

	// SGLang
	"regex": unsupported, "ebnf": unsupported, "stop_regex": insteadOf("stop"), "min_new_tokens": insteadOf("min_tokens", "0"),
	"no_stop_trim": insteadOf("include_stop_str_in_output"), "custom_params": unsupported, "custom_logit_processor": unsupported,
	"lora_path": unsupported, "session_params": unsupported, "separate_reasoning": changesNone, "stream_reasoning": changesNone,
	"return_hidden_states": unsupported, "return_logprob": insteadOf("logprobs"), "logprob_start_len": changesNone,
	"top_logprobs_num": insteadOf("logprobs", "0"), "return_text_in_logprobs": changesNone, "sampling_params": unsupported,
	"text": insteadOf("prompt"), "input_ids": insteadOf("prompt"), "rid": changesNone,

	// llama-server
	"n_predict": insteadOf("max_tokens", "-1"), "n_probs": insteadOf("logprobs", "0"), "min_keep": onlyDefault("0", "1"),
	"repeat_penalty": insteadOf("repetition_penalty", "1"), "repeat_last_n": onlyDefault("64", "-1"),
	"penalize_nl": unsupported, "grammar": unsupported, "grammar_lazy": changesNone, "grammar_triggers": changesNone,
	"preserved_tokens": unsupported, "json_schema": onlyExactly(`""`), "samplers": unsupported, "lora": unsupported,
	"typical_p": onlyDefault("1"), "top_n_sigma": onlyDefault("0", "-1"), "adaptive_target": onlyDefault("-1"), "adaptive_decay": changesNone,
	"dynatemp_range": onlyDefault("0"), "dynatemp_exponent": changesNone,
	"mirostat": onlyDefault("0"), "mirostat_tau": changesNone, "mirostat_eta": changesNone,
	"dry_multiplier": onlyDefault("0"), "dry_base": changesNone, "dry_allowed_length": changesNone, "dry_penalty_last_n": changesNone,
	"dry_sequence_breakers": changesNone, "xtc_probability": onlyDefault("0"), "xtc_threshold": changesNone,
	"n_keep": onlyDefault("0"), "n_discard": onlyDefault("0"), "n_indent": onlyDefault("0"),
	"t_max_predict_ms": onlyDefault("0", "-1"), "t_max_prompt_ms": onlyDefault("0", "-1"), "image_data": unsupported,
	"input_prefix": unsupported, "input_suffix": unsupported, "input_extra": unsupported, "return_tokens": unsupported,
	"post_sampling_probs": unsupported, "reasoning_format": onlyDefault(`"none"`, `"auto"`), "reasoning_budget": onlyDefault("-1"),
	"thinking_forced_open": unsupported, "enable_thinking": insteadOf("chat_template_kwargs"), "parse_tool_calls": changesNone,
	"id_slot": changesNone, "cache_prompt": changesNone, "n_cache_reuse": changesNone, "timings_per_token": changesNone,
	"return_progress": changesNone, "response_fields": changesNone,

	// TGI
	"inputs": insteadOf("prompt"), "parameters": unsupported, "max_new_tokens": insteadOf("max_tokens"), "stop_sequences": insteadOf("stop"),
	"do_sample": {nothing: []string{"true", "null"}, exact: true, use: "temperature"}, "return_full_text": insteadOf("echo"), "details": unsupported, "decoder_input_details": unsupported,
	"top_n_tokens": insteadOf("logprobs", "0"), "truncate": unsupported, "watermark": unsupported, "adapter_id": unsupported,
	"tool_prompt": unsupported, "guideline": unsupported,

	// Ollama
	"options": unsupported, "format": insteadOf("response_format"), "system": insteadOf("messages"), "template": unsupported,
	"raw": unsupported, "images": unsupported, "think": unsupported, "num_predict": insteadOf("max_tokens", "-1"), "num_ctx": unsupported,
	"context": unsupported, "keep_alive": changesNone,

	// text-generation-webui, and front ends that know its samplers
	"mirostat_mode": onlyDefault("0"), "tfs": onlyDefault("1"), "tfs_z": onlyDefault("1"), "top_a": onlyDefault("0"), "typical": onlyDefault("1"),
	"epsilon_cutoff": onlyDefault("0"), "eta_cutoff": onlyDefault("0"), "smoothing_factor": onlyDefault("0"), "smoothing_curve": changesNone,
	"penalty_alpha": onlyDefault("0"), "no_repeat_ngram_size": onlyDefault("0"), "encoder_repetition_penalty": onlyDefault("1"),
	"guidance_scale": onlyDefault("1"), "negative_prompt": unsupported, "rep_pen": insteadOf("repetition_penalty", "1"),
	"repetition_penalty_range": onlyDefault("0", "-1"), "dynamic_temperature": unsupported, "dynatemp_low": changesNone, "dynatemp_high": changesNone,
	"min_length": insteadOf("min_tokens", "0"), "max_length": insteadOf("max_tokens"), "nsigma": onlyDefault("0"), "temperature_last": unsupported,
	"sampler_priority": unsupported, "sampler_order": unsupported, "ban_eos_token": insteadOf("ignore_eos"), "add_bos_token": onlyExactly("true"),
	"custom_token_bans": insteadOf("logit_bias"), "banned_tokens": insteadOf("logit_bias"), "banned_strings": unsupported, "grammar_string": unsupported,
	"auto_max_new_tokens": unsupported, "max_tokens_second": onlyDefault("0"), "truncation_length": changesNone, "mode": unsupported,
	"instruction_template": unsupported, "preset": unsupported, "character": unsupported, "prompt_lookup_num_tokens": changesNone,
	"random_seed": insteadOf("seed"), "safe_prompt": unsupported, "max_tokens_to_sample": insteadOf("max_tokens"),
}

// checkForeign refuses what would have to be passed over.
func (g *generation) checkForeign() error {
	for _, name := range slices.Sorted(maps.Keys(g.Others)) {
		f, known := foreignFields[name]
		switch {
		case !known || f.asksNothing(g.Others[name]):
		case f.use != "":
			return badField(name, "it is not supported; use %s", f.use)
		default:
			return badField(name, "it is not supported; leave it out")
		}
	}
	return nil
}

func (f foreign) asksNothing(v jsontext.Value) bool {
	switch {
	case f.any:
		return true
	case f.exact:
		return slices.Contains(f.nothing, canonical(v))
	}
	return asksNothing(v, f.nothing)
}

// asksNothing tells whether a value is empty, or one that is harmless.
func asksNothing(v jsontext.Value, harmless []string) bool {
	text := canonical(v)
	return slices.Contains([]string{"null", "false", `""`, "[]", "{}"}, text) || slices.Contains(harmless, text)
}

// canonical is a value without white space; of a number 1.0 is 1.
func canonical(v jsontext.Value) string {
	v = v.Clone()
	if v.Compact() != nil {
		return ""
	}
	if x, err := strconv.ParseFloat(string(v), 64); err == nil && v.Kind() == '0' {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return string(v)
}

// maxUnknown bounds how many names of fields are remembered, and maxParam their length.
const maxUnknown = 1000

// unknownFields remembers the names that nobody knows: each is logged once, so that a misspelt one can be found.
type unknownFields struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (u *unknownFields) note(path string, fields map[string]jsontext.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name := range fields {
		if _, known := foreignFields[name]; known || u.seen[clip(name, maxParam)] || len(u.seen) == maxUnknown {
			continue
		}
		if u.seen == nil {
			u.seen = map[string]bool{}
		}
		u.seen[clip(name, maxParam)] = true
		slog.Debug("a field that nobody knows is passed over", "field", clip(name, maxParam), "path", path)
	}
}

func (g *generation) unknown() map[string]jsontext.Value { return g.Others }
