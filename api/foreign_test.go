package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/chat"
)

// This file owns the tests of fields that other servers know, in requests and within them.

// members are the names of an endpoint's own fields.
func members(t reflect.Type, names map[string]bool) map[string]bool {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			members(f.Type, names)
		} else if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
	}
	return names
}

// Every field of the table, on each endpoint that it is not one of: a value that asks for something is refused by name; null
// and what its server documents as the default pass; one that changes nothing passes with any value.
func TestForeignFields(t *testing.T) {
	h := newBench(t, letters)
	own := map[string]map[string]bool{
		chatPath: members(reflect.TypeFor[chatRequest](), map[string]bool{}), textPath: members(reflect.TypeFor[completionRequest](), map[string]bool{}),
	}
	for name, f := range foreignFields {
		if own[chatPath][name] && own[textPath][name] {
			t.Errorf("%s is a field of both endpoints: it has no place in the table", name)
		}
		for path, names := range own {
			if names[name] {
				continue
			}
			with := func(value string) string { return "{" + soundBodies[path] + `,"` + name + `":` + value + "}" }
			passes := append([]string{"null"}, f.nothing...)
			if f.any {
				passes = append(passes, `"zzz"`, `{"a":1}`, `false`, `17`)
			} else {
				words := "leave it out"
				if f.use != "" {
					words = "use " + f.use
				}
				for _, asks := range []string{`"zzz"`, `{"a":1}`, `17.5`, `["zzz"]`} {
					h.refuse(path, with(asks), name, words)
				}
				if !f.exact {
					passes = append(passes, "[]", "{ }", `""`, "false")
				}
			}
			for _, value := range passes {
				if r := h.post(path, with(value)); r.status != 200 {
					t.Errorf("%s %s: %s asks for nothing: status %d: %s", path, name, value, r.status, r.body)
				}
			}
		}
	}
	for _, body := range []string{`"web_search_options":{}`, `"guided_json":{}`, `"json_schema":{}`, `"do_sample":false`, `"add_bos_token":false`,
		`"enable_thinking":false`, `"think":false`, `"thinking":false`, `"reasoning":{}`, `"detokenize":false`, `"allowed_token_ids":[]`} {
		name, _, _ := strings.Cut(body[1:], `"`)
		h.refuse(textPath, "{"+soundBodies[textPath]+","+body+"}", name, "not supported")
	}
}

// The fields that reports named, so that none leaves the table.
func TestForeignFieldsThatWereReported(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ path, field, value string }{
		{both, "max_new_tokens", "5"}, {both, "stop_sequences", `["a"]`}, {both, "regex", `"a+"`}, {both, "ebnf", `"root ::= x"`},
		{both, "chat_template", `"{{x}}"`}, {both, "mirostat_mode", "2"}, {both, "mirostat", "1"}, {textPath, "response_format", `{"type":"json_object"}`},
		{both, "guided_regex", `"a"`}, {both, "guided_choice", `["a"]`}, {both, "structured_outputs", `{"json":{}}`}, {both, "grammar", `"root::=x"`},
		{both, "dry_multiplier", "0.8"}, {both, "xtc_probability", "0.5"}, {both, "typical_p", "0.5"}, {both, "tfs_z", "0.9"},
		{both, "top_a", "0.2"}, {both, "top_n_sigma", "1"}, {both, "dynatemp_range", "0.5"}, {both, "n_predict", "5"},
		{both, "num_predict", "5"}, {both, "options", `{"temperature":0}`}, {both, "format", `"json"`}, {both, "min_new_tokens", "5"},
		{both, "stop_token_ids", "[5]"}, {both, "repeat_penalty", "1.1"}, {both, "cache_salt", `"x"`}, {both, "truncate_prompt_tokens", "5"},
		{textPath, "tools", `[{"type":"function"}]`}, {textPath, "top_logprobs", "3"}, {textPath, "max_completion_tokens", "5"},
		{both, "stop_sequence", `["a"]`}, {both, "stopping_strings", `["a"]`}, {both, "stop_strings", `["a"]`}, {both, "stop_words", `["a"]`},
		{both, "cfg_scale", "1.5"}, {both, "token_healing", "true"}, {both, "num_beams", "4"}, {both, "num_return_sequences", "2"},
		{both, "eos_token_id", "5"}, {both, "suppress_tokens", "[5]"}, {both, "sampler_seed", "7"}, {both, "rep_pen_range", "512"},
		{both, "beam_width", "4"}, {both, "end_id", "5"}, {both, "exclude_input_in_output", "false"}, {both, "embedding_bias_words", `["a"]`},
		{both, "n_cmpl", "2"}, {both, "thinking_budget_tokens", "0"}, {both, "continue_", "true"}, {both, "chat_template_str", `"x"`}, {both, "extra_body", `{"stop_token_ids":[1]}`},
		{chatPath + " /apply-template", "documents", `[{"text":"x"}]`}, {"/apply-template", "chat_template", `"ZZ"`},
		{"/apply-template", "enable_thinking", "true"}, {"/tokenize", "add_special_tokens", "true"}, {"/tokenize", "prompt", `"x"`},
		{"/tokenize", "return_token_strs", "true"}, {"/detokenize", "clean_up_tokenization_spaces", "true"},
		{chatPath, "echo", "true"}, {chatPath, "prompt", `"x"`}, {chatPath, "best_of", "3"}, {chatPath, "add_special_tokens", "true"},
	} {
		for _, path := range strings.Fields(c.path) {
			h.refuse(path, "{"+soundBodies[path]+`,"`+c.field+`":`+c.value+"}", c.field, "not supported")
		}
	}
}

// A name that nobody knows is logged once, at debug; known ones are not, and a client that makes names up takes no more room.
func TestUnknownFieldsAreLoggedOnce(t *testing.T) {
	h := newBench(t, letters)
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 3 {
		h.post(textPath, "{"+soundBodies[textPath]+`,"temprature":0.5,"user":"u","grammar":null,"n":1}`)
	}
	if got := strings.Count(log.String(), "level=DEBUG"); got != 1 || !strings.Contains(log.String(), "field=temprature") {
		t.Errorf("%d lines: %s", got, log.String())
	}
	made := map[string]jsontext.Value{}
	for i := range 3 * maxUnknown {
		name := fmt.Sprintf("%04d%s", i, strings.Repeat("x", 1000))
		made[name] = nil
		h.unknown.note(textPath, map[string]jsontext.Value{name: nil})
	}
	if len(h.unknown.seen) != maxUnknown || len(h.unknown.order) != maxUnknown {
		t.Errorf("%d names are remembered in an order of %d", len(h.unknown.seen), len(h.unknown.order))
	}
	log.Reset()
	h.unknown.note(textPath, made)
	if got := strings.Count(log.String(), "level=DEBUG"); got != maxNoted+1 {
		t.Errorf("one request has %d lines", got)
	}
	log.Reset()
	h.unknown.note(textPath, map[string]jsontext.Value{"tempperature": nil})
	if !strings.Contains(log.String(), "field=tempperature") {
		t.Errorf("names that were made up keep others out of the log: %s", log.String())
	}
	for name := range h.unknown.seen {
		if len(name) > maxParam+len("…") {
			t.Errorf("a name of %d bytes is remembered", len(name))
		}
	}
}

// What stands in a message or in a part of its content and would be dropped is refused by its place; what a template may know
// passes, as does what asks for nothing.
func TestMessageFields(t *testing.T) {
	h := newBench(t, letters)
	for _, path := range []string{chatPath, "/apply-template"} {
		for name, f := range messageFields {
			for where, body := range map[string]string{
				"messages[1]":            `{"messages":[{"role":"user","content":"x"},{"role":"user","content":"x","` + name + `":%s}]}`,
				"messages[0].content[1]": `{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"x","` + name + `":%s}]}]}`,
			} {
				words := "leave it out"
				if f.use != "" {
					words = "use " + f.use
				}
				for _, asks := range []string{`["a"]`, `"a"`, `true`, `{"url":"a"}`} {
					h.refuse(path, fmt.Sprintf(body, asks), where+"."+name, words)
				}
				for _, nothing := range []string{"null", "false", "[]", `""`, "{}"} {
					if r := h.post(path, fmt.Sprintf(body, nothing)); r.status != 200 {
						t.Errorf("%s %s: %s asks for nothing: status %d: %s", path, name, nothing, r.status, r.body)
					}
				}
			}
		}
		passes := `{"messages":[{"role":"user","name":"n","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]},` +
			`{"role":"assistant","content":"x","reasoning_content":"r","refusal":null,"annotations":[],"weight":1}]}`
		if r := h.post(path, passes); r.status != 200 {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
	}
}

// The endpoints of the tokenizer refuse what other servers' clients ask of them alone.
func TestForeignFieldsOfTheTokenizer(t *testing.T) {
	h := newBench(t, letters)
	for path, table := range map[string]map[string]foreign{"/tokenize": tokenizeFields, "/detokenize": detokenizeFields} {
		for name, f := range table {
			h.refuse(path, "{"+soundBodies[path]+`,"`+name+`":["zzz"]}`, name, f.use)
			for _, value := range append([]string{"null", "false"}, f.nothing...) {
				if r := h.post(path, "{"+soundBodies[path]+`,"`+name+`":`+value+"}"); r.status != 200 {
					t.Errorf("%s %s: %s asks for nothing: status %d: %s", path, name, value, r.status, r.body)
				}
			}
		}
	}
	for fields, want := range map[string]string{``: "x<|im_end|>", `,"skip_special_tokens":false`: "x<|im_end|>", `,"skip_special_tokens":true`: "x"} {
		var got struct {
			Content string `json:"content"`
		}
		h.post("/detokenize", fmt.Sprintf(`{"tokens":[120,%d]%s}`, imEnd, fields)).into(&got)
		if got.Content != want {
			t.Errorf("%s: %q, want %q", fields, got.Content, want)
		}
	}
}

// A schema asks for JSON, whatever stands beside it.
func TestResponseFormats(t *testing.T) {
	h := newBench(t, letters)
	for format, param := range map[string]string{
		`{"json_schema":{"schema":{}}}`: "response_format.json_schema", `{"schema":{}}`: "response_format.schema",
		`{"type":"","schema":{"type":"object"}}`: "response_format.schema", `{"type":"text","schema":{}}`: "response_format.schema",
		`{"type":"json_object","schema":{}}`: "response_format", `{"type":"text","strict":null}`: "", `{"type":"text"}`: "", `{}`: "",
	} {
		body := "{" + soundBodies[chatPath] + `,"response_format":` + format + "}"
		if param != "" {
			h.refuse(chatPath, body, param, "not supported")
		} else if r := h.post(chatPath, body); r.status != 200 {
			t.Errorf("%s: status %d: %s", format, r.status, r.body)
		}
	}
}

// With tool_choice "none" the model is told of no tools, and /apply-template shows what it is told.
func TestToolsThatAreNotTold(t *testing.T) {
	h := newBench(t, letters)
	source := `{% if tools %}TOOLS{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}`
	shows, err := chat.New(chat.Sources{Default: source}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	h.model.Template = template{shows}
	for fields, want := range map[string]string{
		``: "x", `,"tools":[{"type":"function"}],"tool_choice":"none"`: "x", `,"tools":[{"type":"function"}]`: "TOOLSx",
		`,"tools":[{"type":"function"}],"tool_choice":"auto"`: "TOOLSx", `,"tools":{}`: "x", `,"tools":false,"tool_choice":{}`: "x",
	} {
		var got struct {
			Prompt string `json:"prompt"`
		}
		h.post("/apply-template", "{"+soundBodies["/apply-template"]+fields+"}").into(&got)
		if got.Prompt != want {
			t.Errorf("%s: %q, want %q", fields, got.Prompt, want)
		}
	}
	h.refuse("/apply-template", "{"+soundBodies["/apply-template"]+`,"tool_choice":"required"}`, "tool_choice", "auto")
}
