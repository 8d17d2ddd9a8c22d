package api

import (
	"strings"
	"testing"
)

// Bodies that every endpoint accepts; tests add fields to them.
var soundBodies = map[string]string{
	"/v1/chat/completions": `"messages":[{"role":"user","content":"x"}],"max_tokens":2`,
	"/v1/completions":      `"prompt":"x","max_tokens":2`,
	"/apply-template":      `"messages":[{"role":"user","content":"x"}]`,
	"/tokenize":            `"content":"x"`,
	"/detokenize":          `"tokens":[120]`,
}

const (
	chatPath, textPath = "/v1/chat/completions", "/v1/completions"
	both               = chatPath + " " + textPath
	every              = both + " /apply-template /tokenize /detokenize"
)

// refuse expects a 400 that names param and says words.
func (h *bench) refuse(path, body, param, words string) {
	h.t.Helper()
	r := h.post(path, body)
	p := r.problem()
	if r.status != 400 || p.Param != param || p.Type != "invalid_request_error" || p.Code == "" || p.Code == "invalid_json" {
		h.t.Errorf("%s %.200s: status %d, %+v; want a 400 that names %s", path, body, r.status, p, param)
	}
	if !strings.Contains(p.Message, param) || !strings.Contains(p.Message, words) {
		h.t.Errorf("%s %.200s: message %q; want %q and %q", path, body, p.Message, param, words)
	}
}

// kinds are values of every kind, and which kinds of field take them.
var kinds = []struct{ value, fit string }{
	{`null`, "any"}, {`true`, "boolean"}, {`"1"`, "string"}, {`1.5`, "number"}, {`{}`, "object"}, {`[]`, "list"},
}

// Every field of every endpoint, with values of every kind: those of another kind are refused by name, null
// counts as absent.
func TestFieldKinds(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ field, kind, paths string }{
		{"model", "string", every},
		{"max_tokens", "integer", both}, {"min_tokens", "integer", both}, {"n", "integer", both}, {"top_k", "integer", both},
		{"seed", "integer", both}, {"max_completion_tokens", "integer", chatPath}, {"top_logprobs", "integer", chatPath},
		{"best_of", "integer", textPath},
		{"temperature", "number", both}, {"top_p", "number", both}, {"min_p", "number", both},
		{"repetition_penalty", "number", both}, {"presence_penalty", "number", both}, {"frequency_penalty", "number", both},
		{"stream", "boolean", both}, {"ignore_eos", "boolean", both}, {"return_tokens_as_token_ids", "boolean", both},
		{"skip_special_tokens", "boolean", both}, {"echo", "boolean", textPath}, {"add_special_tokens", "boolean", textPath},
		{"add_generation_prompt", "boolean", chatPath + " /apply-template"},
		{"add_special", "boolean", "/tokenize"}, {"parse_special", "boolean", "/tokenize"}, {"with_pieces", "boolean", "/tokenize"},
		{"suffix", "string", textPath}, {"reasoning_effort", "string", chatPath},
		{"logit_bias", "object list", both}, {"stream_options", "object list", both}, {"response_format", "object list", chatPath},
		{"chat_template_kwargs", "object list", chatPath + " /apply-template"},
		{"tools", "list object", chatPath + " /apply-template"},
		{"stop", "string list object", both},
		{"logprobs", "boolean", chatPath}, {"logprobs", "integer", textPath},
		{"messages", "required list", chatPath + " /apply-template"}, {"prompt", "required string list", textPath},
		{"content", "required string list", "/tokenize"}, {"tokens", "required list", "/detokenize"},
	} {
		for _, path := range strings.Fields(c.paths) {
			for _, k := range kinds {
				fits := strings.Contains(c.kind, k.fit) || k.fit == "any" && !strings.Contains(c.kind, "required")
				body := "{" + withField(soundBodies[path], c.field, k.value) + "}"
				if !fits {
					h.refuse(path, body, c.field, c.field+": ")
				} else if r := h.post(path, body); r.status != 200 && r.problem().Param != c.field && c.field != "model" {
					t.Errorf("%s %s: status %d: %s", path, body, r.status, r.body)
				} else if k.fit == "any" && r.status != 200 {
					t.Errorf("%s %s: null is not absent: %s", path, body, r.body)
				}
			}
			if strings.Contains(c.kind, "required") {
				h.refuse(path, "{"+withField(soundBodies[path], c.field, "")+"}", c.field, "")
			}
		}
	}
}

// withField sets a field of a body without its braces, or takes it away where value is "".
func withField(body, field, value string) string {
	var kept []string
	for _, member := range splitMembers(body) {
		if !strings.HasPrefix(member, `"`+field+`":`) {
			kept = append(kept, member)
		}
	}
	if value != "" {
		kept = append(kept, `"`+field+`":`+value)
	}
	return strings.Join(kept, ",")
}

func splitMembers(body string) (members []string) {
	level, begin := 0, 0
	for i, b := range body {
		switch {
		case b == '[' || b == '{':
			level++
		case b == ']' || b == '}':
			level--
		case b == ',' && level == 0:
			members, begin = append(members, body[begin:i]), i+1
		}
	}
	return append(members, body[begin:])
}

// Values of the right kind that lie outside what a field takes; the message gives the range.
func TestFieldRanges(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ field, paths, values, words string }{
		{"temperature", both, `-0.1 100.5 1e300`, "between 0 and 100"},
		{"top_p", both, `0 -1 1.01 1e-300`, "above 0 and at most 1"},
		{"min_p", both, `-0.01 1.01`, "between 0 and 1"},
		{"repetition_penalty", both, `0 -1 100.5 1e-300`, "above 0 and at most 100"},
		{"presence_penalty", both, `-2.01 2.01`, "between -2 and 2"},
		{"frequency_penalty", both, `-2.01 2.01`, "between -2 and 2"},
		{"temperature", both, `1e999 -1e999`, "a number"},
		{"max_tokens", both, `-2 -1e300 -99999999999999999999`, "at least 0"},
		{"max_tokens", both, `0.5 1e-1 1.00000000000000000001 15e-1`, "an integer"},
		{"max_tokens", chatPath, `0 0.0 0e5`, "at least 1"},
		{"max_completion_tokens", chatPath, `0 -2`, "at least 1"},
		{"min_tokens", both, `-1`, "at least 0"},
		{"min_tokens", both, `3 1e300`, "max_tokens, 2"},
		{"top_k", both, `-2`, "at least -1"},
		{"n", both, `0 -1 129 1e3 99999999999999999999`, "between 1 and 128"},
		{"seed", both, `18446744073709551616 1e20 -9223372036854775809 -1e300`, "at most 18446744073709551615"},
		{"seed", both, `0.5 1e-300 "1" true [1]`, "an integer"},
		{"logprobs", textPath, `-1 21`, "between 0 and 20"},
		{"logprobs\":true,\"top_logprobs", chatPath, `-1 21`, "between 0 and 20"},
		{"top_logprobs", chatPath, `1`, "needs logprobs"},
		{"best_of", textPath, `2 0`, "equal to n"},
		{"suffix", textPath, `"x"`, "not supported"},
		{"stream_options", both, `{"include_usage":true}`, "stream"},
		{"logit_bias", both, `{"x":1} {"":1} {"-1":1} {"284":1} {"99999999999":1} {"+5":1} {"05":1}`, "from 0 to 283"},
		{"logit_bias", both, `{"5":101} {"5":-100.1}`, "between -100 and 100"},
		{"stop", both, `[1] [null] [["a"]] 5`, "a string or a list of strings"},
		{"logit_bias", both, `[[5]] [[5,1,1]] [["a",1]] [5]`, ""}, {"logit_bias", both, `[[284,1]] [[1.5,1]]`, "from 0 to 283"},
		{"logit_bias", both, `[[5,1],[5,2]] [[5,1],[5.0,2]]`, "twice"}, {"logit_bias", both, `5 "x" true`, "an object"},
		{"stop", both, `["` + strings.Repeat(`s","`, 256) + `s"]`, "at most 256"},
		{"stop", both, `["` + strings.Repeat(strings.Repeat("s", 1000)+`","`, 17) + `s"]`, "at most 16384"},
		{"stop", both, `"` + strings.Repeat("a", 1025) + `"`, "at most 1024"},
		{"prompt", textPath, `[] 5 true {} null`, ""},
		{"prompt", textPath, `[1,null] [1,1.5] [1,"a"] [-1] [284] [4294967297] [1e9]`, "from 0 to 283"},
		{"prompt", textPath, `[[null]]`, "from 0 to 283"},
		{"messages", chatPath, `[] {} "x" 5`, "1 to 4096"},
		{"content", "/tokenize", `5 true {} null [null] [["a"]]`, "a list of strings and token ids"},
		{"content", "/tokenize", `[1.5] ["a",-1] [284]`, "from 0 to 283"},
		{"tokens", "/detokenize", `[null] [1.5] ["a"] [-1] [284]`, "from 0 to 283"},
		{"response_format", chatPath, `{"type":"json_object"} {"type":"json_schema"}`, "text"},
		{"tool_choice", chatPath, `"required" {"type":"function"} 1 true`, "auto"},
		{"tools", chatPath, `[{"type":"function"}]`, "not supported"},
		{"audio", both, `{"voice":"x"}`, "not supported"}, {"modalities", both, `["text","audio"]`, "not supported"},
		{"functions", both, `[{}]`, "not supported"}, {"web_search_options", both, `{}`, "not supported"},
		{"stop_token_ids", both, `[5]`, "use stop"}, {"guided_json", both, `{} {"type":"object"}`, "not supported"},
		{"repeat_penalty", both, `1.1`, "use repetition_penalty"}, {"use_beam_search", both, `true`, "not supported"},
		{"grammar", both, `"root::=x"`, "not supported"}, {"prompt_logprobs", both, `0`, "not supported"},
	} {
		for _, path := range strings.Fields(c.paths) {
			for _, value := range strings.Fields(c.values) {
				param := c.field[strings.LastIndexByte(c.field, '"')+1:]
				h.refuse(path, "{"+withField(soundBodies[path], c.field, value)+"}", param, c.words)
			}
		}
	}
}

// Faults inside lists and objects are named by their place.
func TestNestedFields(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ path, body, param, words string }{
		{textPath, `"prompt":["a",5]`, "prompt[1]", "token ids"},
		{textPath, `"prompt":["a",null]`, "prompt[1]", "token ids"},
		{textPath, `"prompt":[[1],[2,null]]`, "prompt[1]", "from 0 to 283"},
		{textPath, `"prompt":[[1],[300]]`, "prompt[1]", "300"},
		{textPath, `"prompt":["x","` + strings.Repeat("x", 20000) + `"]`, "prompt[1]", "it has 20000 bytes, which are more than 256 tokens, and the answer needs at least 1; the context holds 256"},
		{textPath, `"prompt":["x","` + strings.Repeat("x", 300) + `"]`, "prompt[1]", "it has 301 tokens, and the answer needs at least 1; the context holds 256"},
		{textPath, `"prompt":"` + strings.Repeat("x", 300) + `"`, "prompt", "it has 301 tokens"},
		{textPath, `"prompt":"x","n":128,"stop":["` + strings.Repeat("x", 2000) + `"]`, "stop", "2000 bytes"},
		{chatPath, `"messages":[{"role":"user","content":"` + strings.Repeat("x", 300) + `"}]`, "messages", "the context holds 256"},
		{chatPath, `"messages":[{"role":"user","content":"x"},5]`, "messages[1]", "object"},
		{chatPath, `"messages":[{"content":"x"}]`, "messages[0].role", "missing"},
		{chatPath, `"messages":[{"role":"","content":"x"}]`, "messages[0].role", "missing"},
		{chatPath, `"messages":[{"role":5,"content":"x"}]`, "messages[0]", "role"},
		{chatPath, `"messages":[{"role":"user"}]`, "messages[0].content", "missing"},
		{chatPath, `"messages":[{"role":"user","content":null}]`, "messages[0].content", "missing"},
		{chatPath, `"messages":[{"role":"user","content":5}]`, "messages[0].content", "string"},
		{chatPath, `"messages":[{"role":"user","content":["x"]}]`, "messages[0].content", "objects"},
		{chatPath, `"messages":[{"role":"user","content":[{"type":"text"}]}]`, "messages[0].content[0]", "text"},
		{chatPath, `"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{}}]}]`, "messages[0].content[1]", "image_url"},
		{chatPath, soundBodies[chatPath] + `,"stream":true,"stream_options":{"include_usage":1}`, "stream_options.include_usage", "true or false"},
		{chatPath, soundBodies[chatPath] + `,"stream":true,"stream_options":{"continuous_usage_stats":true}`, "stream_options.continuous_usage_stats", "use include_usage"},
		{textPath, soundBodies[textPath] + `,"stream":true,"stream_options":{"continuous_usage_stats":true}`, "stream_options.continuous_usage_stats", "use include_usage"},
		{chatPath, soundBodies[chatPath] + `,"logit_bias":{"5":"x"}`, "logit_bias[5]", "a number"},
		{chatPath, soundBodies[chatPath] + `,"logit_bias":{"":"x"}`, "logit_bias", "no token id"},
		{chatPath, soundBodies[chatPath] + `,"chat_template_kwargs":{"messages":[]}`, "chat_template_kwargs.messages", "field of its own"},
		{chatPath, soundBodies[chatPath] + `,"response_format":{"type":5}`, "response_format.type", "a string"},
	} {
		h.refuse(c.path, "{"+c.body+"}", c.param, c.words)
	}
}

// What clients send of habit is accepted, in any combination with what is understood.
func TestHabitualFields(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct{ path, fields string }{
		{both, `"user":"u","metadata":{"a":"b"},"store":true,"service_tier":"auto","parallel_tool_calls":true`},
		{both, `"prompt_cache_key":"k","safety_identifier":"s","unknown":[[{"deep":1}]]`},
		{both, `"stream":false,"stream_options":{},"stop":null,"seed":-5,"n":1,"logit_bias":{},"top_k":-1`},
		{both, `"temperature":0,"top_p":1.0,"presence_penalty":-2,"frequency_penalty":2,"min_p":0,"repetition_penalty":1`},
		{both, `"audio":null,"functions":[],"guided_json":null,"repeat_penalty":1.0,"use_beam_search":false,"grammar":"","mirostat":0`},
		{both, `"stop":["1","2","3","4","5","6","7","8","9","a0","b0","c0","d0","e0","f0","g0","h0"],"logit_bias":{"5":-100,"283":100}`},
		{both, `"stop":"","logit_bias":[],"stream_options":{"include_usage":false,"include_obfuscation":true,"continuous_usage_stats":false}`}, {both, `"stop":["",""],"logit_bias":[[5,-1.5],[6,false]]`},
		{chatPath, `"tools":[],"tool_choice":"none","response_format":{},"modalities":["text"],"reasoning_effort":"low"`},
		{chatPath, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none"`},
		{chatPath, `"tools":null,"tool_choice":"auto","function_call":"auto","verbosity":"medium","logprobs":false,"top_logprobs":0`},
		{chatPath, `"max_completion_tokens":2,"chat_template_kwargs":{"enable_thinking":false}`},
		{textPath, `"suffix":"","best_of":1`},
	} {
		for _, path := range strings.Fields(c.path) {
			if r := h.post(path, "{"+soundBodies[path]+","+c.fields+"}"); r.status != 200 {
				t.Errorf("%s %s: status %d: %s", path, c.fields, r.status, r.body)
			}
		}
	}
}

// Fields that take a list or an object take any value that asks for nothing, and nothing else of another kind.
func TestEmptyValues(t *testing.T) {
	h := newBench(t, letters)
	for field, paths := range map[string]string{
		"logit_bias": both, "stop": both, "stream_options": both, "response_format": chatPath, "tools": chatPath + " /apply-template",
		"tool_choice": chatPath + " /apply-template", "chat_template_kwargs": chatPath + " /apply-template",
	} {
		for _, path := range strings.Fields(paths) {
			body := "{" + soundBodies[path] + `,"` + field + `":`
			for _, value := range []string{"null", "false", `""`, "[ ]", "{ }"} {
				if r := h.post(path, body+value+"}"); r.status != 200 {
					t.Errorf("%s %s: %s asks for nothing: status %d: %s", path, field, value, r.status, r.body)
				}
			}
			for _, value := range []string{"true", "1"} {
				h.refuse(path, body+value+"}", field, "")
			}
		}
	}
}
