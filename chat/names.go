package chat

import (
	"maps"
	"slices"
)

// This file owns the well-known templates, for files that have none of their own.

// ByName returns the source of a well-known template.
func ByName(name string) (source string, ok bool) {
	source, ok = wellKnown[name]
	return source, ok
}

// Names lists the well-known templates.
func Names() []string { return slices.Sorted(maps.Keys(wellKnown)) }

var wellKnown = map[string]string{
	"chatml": `{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`,

	"llama3": `{% for m in messages %}{{ '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\n\n' ~ m.content|trim ~ '<|eot_id|>' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}`,

	"llama4": `{% for m in messages %}{{ '<|header_start|>' ~ m.role ~ '<|header_end|>\n\n' ~ m.content|trim ~ '<|eot|>' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|header_start|>assistant<|header_end|>\n\n' }}{% endif %}`,

	"llama2": `{% set ns = namespace(system='') %}{% for m in messages %}` +
		`{% if m.role == 'system' %}{% set ns.system = (ns.system ~ '\n\n' if ns.system else '') ~ m.content %}` +
		`{% elif m.role == 'user' %}{{ '[INST] ' ~ ('<<SYS>>\n' ~ ns.system ~ '\n<</SYS>>\n\n' if ns.system else '') ~ m.content ~ ' [/INST]' }}{% set ns.system = '' %}` +
		`{% else %}{{ ' ' ~ m.content ~ ' </s>' }}{% endif %}{% endfor %}`,

	"gemma": `{% set ns = namespace(system='') %}{% for m in messages %}` +
		`{% if m.role == 'system' %}{% set ns.system = ns.system ~ m.content|trim %}{% else %}` +
		`{{ '<start_of_turn>' ~ ('model' if m.role == 'assistant' else m.role) ~ '\n' }}` +
		`{% if ns.system and m.role != 'assistant' %}{{ ns.system ~ '\n\n' }}{% set ns.system = '' %}{% endif %}` +
		`{{ m.content|trim ~ '<end_of_turn>\n' }}{% endif %}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}`,

	"mistral-v1": mistral(" [INST] ", " [/INST]"),
	"mistral-v3": mistral("[INST] ", "[/INST]"),
	"mistral-v7": `{% for m in messages %}{% if m.role == 'system' %}{{ '[SYSTEM_PROMPT] ' ~ m.content ~ '[/SYSTEM_PROMPT]' }}` +
		`{% elif m.role == 'user' %}{{ '[INST] ' ~ m.content ~ '[/INST]' }}{% else %}{{ ' ' ~ m.content ~ '</s>' }}{% endif %}{% endfor %}`,

	"phi3": `{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|end|>\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}`,

	"phi4": `{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '<|im_sep|>' ~ m.content ~ '<|im_end|>' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}`,

	"zephyr": `{% for m in messages %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|endoftext|>\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}`,

	"vicuna": `{% for m in messages %}{% if m.role == 'system' %}{{ m.content ~ '\n\n' }}{% elif m.role == 'user' %}{{ 'USER: ' ~ m.content ~ '\n' }}` +
		`{% else %}{{ 'ASSISTANT: ' ~ m.content ~ '</s>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}`,

	"deepseek": `{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}{{ '### Instruction:\n' ~ m.content ~ '\n' }}` +
		`{% else %}{{ '### Response:\n' ~ m.content ~ '\n<|EOT|>\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}`,

	"deepseek2": `{% for m in messages %}{% if m.role == 'system' %}{{ m.content ~ '\n\n' }}{% elif m.role == 'user' %}{{ 'User: ' ~ m.content ~ '\n\n' }}` +
		`{% else %}{{ 'Assistant: ' ~ m.content ~ '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}`,

	"deepseek3": `{% for m in messages %}{% if m.role == 'system' %}{{ m.content ~ '\n\n' }}{% elif m.role == 'user' %}{{ '<｜User｜>' ~ m.content }}` +
		`{% else %}{{ '<｜Assistant｜>' ~ m.content ~ '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}`,

	"command-r": `{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|><|' ~ {'system': 'SYSTEM', 'user': 'USER'}.get(m.role, 'CHATBOT') ~ '_TOKEN|>' ~ m.content|trim ~ '<|END_OF_TURN_TOKEN|>' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}`,

	"granite": `{% for m in messages %}{{ '<|start_of_role|>' ~ m.role ~ '<|end_of_role|>' ~ m.content ~ '<|end_of_text|>\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}`,
}

// mistral is the older Mistral form: the system message goes into the user's turn.
func mistral(open, shut string) string {
	return `{% set ns = namespace(system='') %}{% for m in messages %}` +
		`{% if m.role == 'system' %}{% set ns.system = ns.system ~ m.content ~ '\n\n' %}` +
		`{% elif m.role == 'assistant' %}{{ ' ' ~ m.content ~ '</s>' }}` +
		`{% else %}{{ '` + open + `' ~ ns.system ~ m.content ~ '` + shut + `' }}{% set ns.system = '' %}{% endif %}{% endfor %}`
}
