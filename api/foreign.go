package api

// This file owns the lists of fields that other servers know, and what each asks for.

// foreignFields are the fields of OpenAI, vLLM, SGLang, llama-server, TGI, Ollama, text-generation-webui and others. To pass over one
// that would change the answer is a wrong answer, so those are refused by name; all that stand in neither list are logged.
var foreignFields = map[string]foreign{
	// OpenAI
	"audio": unsupported, "function_call": onlyDefault(`"none"`, `"auto"`), "functions": unsupported, "modalities": onlyDefault(`["text"]`),
	"verbosity": onlyDefault(`"medium"`), "web_search_options": onlyExactly(), "max_output_tokens": insteadOf("max_tokens"),
	"input": insteadOf("messages or prompt"), "instructions": insteadOf("messages"), "reasoning": noneBut("chat_template_kwargs"), "thinking": noneBut("chat_template_kwargs"),
	"user": changesNone, "metadata": changesNone, "store": changesNone, "service_tier": changesNone, "safety_identifier": changesNone,
	"prompt_cache_key": changesNone, "prompt_cache_retention": changesNone, "parallel_tool_calls": changesNone, "prediction": changesNone,
	"max_tool_calls": changesNone, "previous_response_id": insteadOf("messages"), "conversation": insteadOf("messages"), "background": unsupported,
	"truncation": onlyDefault(`"disabled"`), "include": unsupported,
	"extra_body": insteadOf("its members in its place"), "extra_headers": changesNone, "extra_query": changesNone, // of OpenAI's client

	// Of the other endpoint.
	"messages": insteadOf("prompt"), "max_completion_tokens": insteadOf("max_tokens"), "top_logprobs": insteadOf("logprobs", "0"),
	"tools": unsupported, "tool_choice": onlyDefault(`"none"`, `"auto"`), "response_format": onlyDefault(`{"type":"text"}`),
	"reasoning_effort": onlyDefault(`"none"`), "chat_template_kwargs": unsupported, "add_generation_prompt": onlyDefault("true"),
	"continue_final_message": unsupported, "prompt": insteadOf("messages"), "suffix": unsupported, "echo": unsupported,
	"best_of": insteadOf("n", "1"), "add_special_tokens": unsupported,

	// vLLM
	"allowed_token_ids": onlyExactly(), "bad_words": unsupported, "chat_template": unsupported, "documents": unsupported,
	"guided_choice": unsupported, "guided_grammar": unsupported, "guided_json": onlyExactly(`""`), "guided_regex": unsupported,
	"guided_decoding_backend": changesNone, "guided_whitespace_pattern": changesNone, "structured_outputs": unsupported,
	"structural_tag": unsupported, "length_penalty": onlyDefault("1"), "early_stopping": unsupported, "use_beam_search": unsupported,
	"logits_processors": unsupported, "prompt_embeds": unsupported, "prompt_logprobs": unsupported, "logprob_token_ids": unsupported,
	"return_token_ids": unsupported, "spaces_between_special_tokens": onlyExactly("true"), "stop_token_ids": insteadOf("stop"),
	"truncate_prompt_tokens": onlyDefault("-1"), "truncation_side": changesNone, "mm_processor_kwargs": unsupported, "vllm_xargs": unsupported,
	"kv_transfer_params": unsupported, "cache_salt": unsupported, "include_reasoning": changesNone, "thinking_token_budget": onlyDefault("-1"),
	"request_id": changesNone, "priority": changesNone, "allowed_tokens": onlyExactly(), "bad_words_ids": unsupported,
	"repetition_detection": unsupported, "detokenize": onlyExactly("true"), "guided_decoding": unsupported, "flat_logprobs": unsupported,
	"output_kind": unsupported, "media_io_kwargs": changesNone, "extra_args": unsupported, "skip_reading_prefix_cache": changesNone,
	"return_token_strs": unsupported,

	// SGLang
	"regex": unsupported, "ebnf": unsupported, "stop_regex": insteadOf("stop"), "min_new_tokens": insteadOf("min_tokens", "0"),
	"no_stop_trim": insteadOf("include_stop_str_in_output"), "custom_params": unsupported, "custom_logit_processor": unsupported,
	"lora_path": unsupported, "session_params": unsupported, "separate_reasoning": changesNone, "stream_reasoning": changesNone,
	"return_hidden_states": unsupported, "return_logprob": insteadOf("logprobs"), "logprob_start_len": changesNone,
	"top_logprobs_num": insteadOf("logprobs", "0"), "return_text_in_logprobs": changesNone, "sampling_params": unsupported,
	"text": insteadOf("prompt"), "input_ids": insteadOf("prompt"), "rid": changesNone, "token_ids_logprob": unsupported,
	"data_parallel_rank": changesNone, "extra_key": changesNone,

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
	"thinking_forced_open": unsupported, "enable_thinking": noneBut("chat_template_kwargs"), "parse_tool_calls": changesNone,
	"id_slot": changesNone, "cache_prompt": changesNone, "n_cache_reuse": changesNone, "timings_per_token": changesNone,
	"return_progress": changesNone, "response_fields": changesNone, "n_cmpl": insteadOf("n", "1"), "reasoning_in_content": unsupported,
	"generation_prompt": insteadOf("messages"), "reasoning_budget_tokens": onlyDefault("-1"), "thinking_budget_tokens": onlyDefault("-1"), "reasoning_budget_message": unsupported,
	"multimodal_data": unsupported, "speculative.n_max": changesNone, "speculative.n_min": changesNone, "speculative.p_min": changesNone,
	"backend_sampling": changesNone, "penalty_prompt": unsupported,

	// TGI
	"inputs": insteadOf("prompt"), "parameters": unsupported, "max_new_tokens": insteadOf("max_tokens"), "stop_sequences": insteadOf("stop"),
	"do_sample": {nothing: []string{"true", "null"}, exact: true, use: "temperature"}, "return_full_text": insteadOf("echo"), "details": unsupported, "decoder_input_details": unsupported,
	"top_n_tokens": insteadOf("logprobs", "0"), "truncate": unsupported, "watermark": unsupported, "adapter_id": unsupported,
	"tool_prompt": unsupported, "guideline": unsupported,

	// generate() of Hugging Face's transformers
	"stop_strings": insteadOf("stop"), "num_beams": onlyDefault("1"), "num_beam_groups": onlyDefault("1"), "diversity_penalty": onlyDefault("0"),
	"num_return_sequences": insteadOf("n", "1"), "eos_token_id": insteadOf("stop"), "bos_token_id": unsupported, "pad_token_id": changesNone,
	"forced_bos_token_id": unsupported, "forced_eos_token_id": unsupported, "suppress_tokens": insteadOf("logit_bias"),
	"begin_suppress_tokens": unsupported, "force_words_ids": unsupported, "constraints": unsupported, "sequence_bias": insteadOf("logit_bias"),
	"exponential_decay_length_penalty": unsupported, "renormalize_logits": unsupported, "remove_invalid_values": unsupported, "max_time": unsupported,
	"token_healing": unsupported, "watermarking_config": unsupported, "stopping_criteria": insteadOf("stop"), "top_h": unsupported,
	"return_dict_in_generate": unsupported, "output_scores": insteadOf("logprobs"), "output_logits": unsupported, "output_attentions": unsupported,
	"output_hidden_states": unsupported, "use_cache": changesNone, "low_memory": changesNone, "generation_config": unsupported,

	// TensorRT-LLM
	"beam_width": onlyDefault("1"), "beam_search_diversity_rate": onlyDefault("0"), "end_id": insteadOf("stop"), "pad_id": changesNone,
	"text_input": insteadOf("prompt"), "decoder_text_input": unsupported, "embedding_bias_words": insteadOf("logit_bias"),
	"embedding_bias_weights": insteadOf("logit_bias"), "prompt_embedding_table": unsupported, "prompt_vocab_size": changesNone,
	"exclude_input_in_output": onlyExactly("true"), "return_log_probs": insteadOf("logprobs"), "return_context_logits": unsupported,
	"return_generation_logits": unsupported, "use_draft_logits": changesNone, "lora_task_id": unsupported, "lora_request": unsupported,

	// Ollama
	"options": unsupported, "format": insteadOf("response_format"), "system": insteadOf("messages"), "template": unsupported,
	"raw": unsupported, "images": unsupported, "think": noneBut("chat_template_kwargs"), "num_predict": insteadOf("max_tokens", "-1"), "num_ctx": unsupported,
	"context": unsupported, "keep_alive": changesNone, "num_keep": onlyDefault("0"), "penalize_newline": unsupported, "num_batch": changesNone,
	"num_gpu": changesNone, "main_gpu": changesNone, "num_thread": changesNone, "use_mmap": changesNone, "shift": changesNone,

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
	"continue_": insteadOf("continue_final_message"), "chat_template_str": unsupported, "instruction_template_str": unsupported,
	"chat_instruct_command": unsupported, "name1": unsupported, "name2": unsupported, "bot_name": unsupported, "user_name": unsupported,
	"user_bio": unsupported, "greeting": unsupported, "static_cache": changesNone, "stopping_strings": insteadOf("stop"),
	"custom_stopping_strings": insteadOf("stop"),

	// KoboldAI, TabbyAPI and Aphrodite, whose samplers front ends know too
	"stop_sequence": insteadOf("stop"), "stop_words": insteadOf("stop"), "stop_conditions": insteadOf("stop"), "sampler_seed": insteadOf("seed", "-1"),
	"rep_pen_range": onlyDefault("0", "-1"), "rep_pen_slope": onlyDefault("0", "1"), "max_context_length": changesNone, "trim_stop": onlyExactly("true"),
	"use_default_badwordsids": unsupported, "bypass_eos": insteadOf("ignore_eos"), "render_special": insteadOf("skip_special_tokens"),
	"memory": insteadOf("messages or prompt"), "bantokens": insteadOf("logit_bias"), "grammar_retain_state": unsupported, "quiet": changesNone,
	"genkey": changesNone, "cfg_scale": onlyDefault("1"), "skew": onlyDefault("0"), "temp_last": unsupported, "penalty_range": onlyDefault("0", "-1"),
	"repetition_range": onlyDefault("0", "-1"), "repetition_decay": onlyDefault("0"), "logit_threshold": onlyDefault("0"),
	"min_temp": onlyDefault("0", "1"), "max_temp": onlyDefault("0", "1"), "temp_exponent": changesNone, "dynatemp_min": onlyDefault("0"),
	"dynatemp_max": onlyDefault("0"), "dry_range": changesNone, "regex_pattern": unsupported, "response_prefix": insteadOf("messages"),
	"prompt_template": unsupported, "template_vars": noneBut("chat_template_kwargs", "{}"), "token_ban_ranges": unsupported,

	// Anthropic, Mistral, Cohere, Gemini, OpenRouter, Qwen, Azure
	"random_seed": insteadOf("seed"), "safe_prompt": unsupported, "max_tokens_to_sample": insteadOf("max_tokens"), "prompt_mode": unsupported,
	"output_config": unsupported, "output_format": insteadOf("response_format"), "message": insteadOf("messages"), "chat_history": insteadOf("messages"),
	"preamble": insteadOf("messages"), "p": insteadOf("top_p"), "k": insteadOf("top_k"), "contents": insteadOf("messages"),
	"generationConfig": insteadOf("its members in their place"), "systemInstruction": insteadOf("messages"), "models": unsupported,
	"transforms": unsupported, "plugins": unsupported, "provider": changesNone, "route": changesNone, "enable_search": unsupported,
	"thinking_budget": noneBut("chat_template_kwargs"), "preserve_thinking": noneBut("chat_template_kwargs"), "data_sources": unsupported,
	"search_parameters": unsupported, "deferred": unsupported,

	// mlx-lm, LM Studio and others
	"json_mode": unsupported, "response_schema": insteadOf("response_format"), "adapters": unsupported, "role_mapping": unsupported,
	"draft_model": changesNone, "num_draft_tokens": changesNone, "ttl": changesNone, "tool_call_parser": changesNone, "reasoning_parser": changesNone,
}

// messageFields are members of messages, and of the parts of their content. All that a template may know are passed on to it;
// these no template writes, or they ask for what is no part of a prompt.
var messageFields = map[string]foreign{
	"images": unsupported, "image": unsupported, "image_url": unsupported, "image_data": unsupported, "input_image": unsupported, "audio": unsupported,
	"input_audio": unsupported, "audio_url": unsupported, "video": unsupported, "videos": unsupported, "video_url": unsupported, "file": unsupported,
	"files": unsupported, "file_ids": unsupported, "attachments": unsupported, "prefix": insteadOf("continue_final_message"),
	"partial": insteadOf("continue_final_message"), "prefill": insteadOf("continue_final_message"),
}

// streamFields are members of stream_options.
var streamFields = map[string]foreign{
	"continuous_usage_stats": insteadOf("include_usage"), "include_obfuscation": changesNone, "chunk_include_usage": insteadOf("include_usage"),
}

// tokenizeFields are what other servers' clients ask of /tokenize, embeddingFields of /v1/embeddings, and detokenizeFields of /detokenize. What those of
// foreignFields mean that are in neither says nothing here.
var (
	tokenizeFields = map[string]foreign{
		"add_special_tokens": insteadOf("add_special"), "add_bos": insteadOf("add_special"), "add_bos_token": insteadOf("add_special"),
		"add_eos_token": insteadOf("add_special"), "add_eos": insteadOf("add_special"), "special": insteadOf("parse_special"),
		"encode_special_tokens": insteadOf("parse_special"), "return_token_strs": insteadOf("with_pieces"), "prompt": insteadOf("content"),
		"text": insteadOf("content"), "input": insteadOf("content"), "inputs": insteadOf("content"),
		"messages": insteadOf("/apply-template"), "truncate": unsupported, "truncation": unsupported, "max_length": unsupported, "truncate_prompt_tokens": onlyDefault("-1"),
	}
	embeddingFields = map[string]foreign{
		"dimensions": unsupported, "normalize": onlyExactly("true"), "embd_normalize": onlyExactly("2"), "add_special_tokens": onlyExactly("true"),
		"truncate": unsupported, "truncate_prompt_tokens": unsupported, "input_type": unsupported, "messages": insteadOf("input"), "content": insteadOf("input"),
		"prompt": insteadOf("input"), "inputs": insteadOf("input"), "text": insteadOf("input"),
	}
	detokenizeFields = map[string]foreign{
		"ids": insteadOf("tokens"), "input_ids": insteadOf("tokens"), "token_ids": insteadOf("tokens"),
		"decode_special_tokens": insteadOf("skip_special_tokens"), "clean_up_tokenization_spaces": unsupported, "spaces_between_special_tokens": unsupported,
	}
)
