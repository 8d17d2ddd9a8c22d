package chat

import (
	"strings"
	"testing"
)

// This file owns tests of what answers say beside their text.

// Calls and refusals are in the prompt, or refused by their field's name; what is null or empty says nothing.
func TestAnswersThatTemplatesLack(t *testing.T) {
	const call = `{"function":{"name":"f","arguments":"{\"a\":1}"}}`
	for name, c := range map[string]struct{ template, answer, want string }{
		"calls":                {small["all"], `"content":null,"tool_calls":[` + call + `]`, "error: messages[1].tool_calls"},
		"calls beside a text":  {small["all"], `"content":"a","tool_calls":[` + call + `]`, "error: messages[1].tool_calls"},
		"a function_call":      {small["all"], `"content":null,"function_call":{"name":"f","arguments":"{}"}`, "error: messages[1].function_call"},
		"a refusal":            {small["all"], `"content":null,"refusal":"no"`, "error: messages[1].refusal"},
		"a role that is lost":  {small["drops"], `"content":null,"refusal":"no"`, "error: messages[1].refusal"},
		"null":                 {small["all"], `"content":"a","tool_calls":null,"refusal":null`, "U[u]A[a]U[v]"},
		"empty":                {small["all"], `"content":"a","tool_calls":[],"refusal":""`, "U[u]A[a]U[v]"},
		"calls that are known": {callsAsJSON, `"content":null,"tool_calls":[` + call + `]`, `user:u;assistant:({"a": 1});user:v;`},
		"a refusal is not":     {callsAsJSON, `"content":"a","tool_calls":[` + call + `],"refusal":"no"`, "error: messages[1].refusal"},
		"a known refusal":      {`{% for m in messages %}{{ m.content or m.refusal }}{% endfor %}`, `"content":null,"refusal":"no"`, "unov"},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, c.template, `{"messages":[{"role":"user","content":"u"},{"role":"assistant",`+c.answer+`},{"role":"user","content":"v"}],"add_generation_prompt":false}`)
			if field, _, _ := strings.Cut(got, ": the model's chat template leaves it out"); field != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A client's fields of other roles are not the assistant's: no template is asked for them.
func TestOthersHaveNoCalls(t *testing.T) {
	got := render(t, small["all"], `{"messages":[{"role":"user","content":"u","refusal":"no"}],"add_generation_prompt":false}`)
	if got != "U[u]" {
		t.Errorf("%q", got)
	}
}
