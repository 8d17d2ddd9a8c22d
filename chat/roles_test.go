package chat

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Templates as model files have them, in small: what each lacks a role for.
var small = map[string]string{
	// The first message may be the system's; it goes into the user's first turn.
	"prefix": `{% if messages[0].role == 'system' %}{% set p = messages[0].content ~ '+' %}{% set rest = messages[1:] %}{% else %}{% set p = '' %}{% set rest = messages %}{% endif %}` +
		`{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}{% endif %}{{ 'A' if m.role == 'assistant' else 'U' }}[{{ p if loop.first else '' }}{{ m.content }}]{% endfor %}`,
	"refuses":     `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ m.role[0]|upper }}[{{ m.content }}]{% endfor %}`,
	"else":        `{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% else %}A[{{ m.content }}]{% endif %}{% endfor %}`,
	"drops":       `{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% elif m.role == 'assistant' %}A[{{ m.content }}]{% endif %}{% endfor %}`,
	"first alone": `{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% elif m.role == 'system' and loop.first %}S[{{ m.content }}]{% else %}A[{{ m.content }}]{% endif %}{% endfor %}`,
	"all":         `{% for m in messages %}{{ m.role[0]|upper }}[{{ m.content }}]{% endfor %}`,
	"developer":   `{% for m in messages %}{% if m.role == 'developer' %}D{% else %}{{ m.role[0]|upper }}{% endif %}[{{ m.content }}]{% endfor %}`,
	"harmony":     `{% if messages[0].role == 'developer' %}D[{{ messages[0].content }}]{% endif %}{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% elif m.role == 'assistant' %}A[{{ m.content }}]{% endif %}{% endfor %}`,
	"function":    `{% for m in messages %}{% if m.role == 'tool' %}T{% elif m['role'] == "user" %}U{% else %}A{% endif %}[{{ m.content }}]{% endfor %}{% if tools and tools[0].type == 'function' %}{% endif %}`,
	"switch":      `{% set off = messages[0].role == 'system' and messages[0].content == '/off' %}{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% elif m.role == 'assistant' %}A[{{ m.content }}]{% endif %}{% endfor %}{{ '-' if off }}`,
	"changes":     `{% for m in messages %}{{ m.role[0]|upper }}[{{ m.content|upper|replace('S', 's') }}]{% endfor %}`,
}

func TestRolesThatTemplatesLack(t *testing.T) {
	for _, c := range []struct{ template, messages, want string }{
		{"prefix", "system:s user:u", "U[s+u]"},
		{"prefix", "system:s", "U[s]"},
		{"prefix", "system:s system:t user:u", "U[s/t/u]"},
		{"prefix", "user:u system:s", "U[u]U[s]"}, // its own way
		{"prefix", "user:u assistant:a system:s", "U[u]A[a]U[s]"},
		{"prefix", "user:u assistant:a system:s user:v", "U[u]A[a]U[s/v]"},
		{"prefix", "user:u user:v", "error"}, // the template's reason, which has nothing to do with the system
		{"refuses", "system:s user:u", "U[s/u]"},
		{"refuses", "developer:d user:u", "U[d/u]"},
		{"refuses", "system:s", "U[s]"},
		{"refuses", "user:u tool:t", "U[u]T[t]"},
		{"else", "system:s user:u", "U[s/u]"},
		{"else", "user:u assistant:a system:s", "U[u]A[a]U[s]"},
		{"else", "user:u assistant:a tool:t", "U[u]A[a]U[t]"},
		{"else", "user:u assistant:a function:t user:v", "U[u]A[a]U[t/v]"},
		{"drops", "system:s user:u", "U[s/u]"},
		{"drops", "user:u assistant:a tool:t", "U[u]A[a]U[t]"},
		{"drops", "user:u assistant:a tool:t system:s", "U[u]A[a]U[t/s]"},
		{"first alone", "system:s user:u", "S[s]U[u]"},
		{"first alone", "system:s", "S[s]"},
		{"first alone", "system:s user:u assistant:a system:r", "S[s]U[u]A[a]U[r]"},
		{"all", "system:s user:u developer:d tool:t function:f", "S[s]U[u]S[d]T[t]T[f]"},
		{"all", "system:", "S[]"},
		{"developer", "developer:d system:s user:u", "D[d]S[s]U[u]"},
		{"harmony", "developer:d user:u", "D[d]U[u]"},
		{"harmony", "user:u developer:d user:v", "U[u/d/v]"},
		{"function", "user:u function:t", "U[u]T[t]"},
		{"switch", "system:/off user:u", "U[u]-"},
		{"switch", "system:s user:u", "U[s/u]"},
		{"changes", "system:sx user:u", "S[sX]U[U]"}, // its text is there, though not as it was sent
	} {
		var messages []string
		for _, m := range strings.Fields(c.messages) {
			role, content, _ := strings.Cut(m, ":")
			messages = append(messages, fmt.Sprintf(`{"role":%q,"content":%q}`, role, content))
		}
		got := render(t, small[c.template], `{"messages":[`+strings.Join(messages, ",")+`],"add_generation_prompt":false}`)
		if got = strings.ReplaceAll(got, "\n\n", "/"); got != c.want && !(c.want == "error" && strings.Contains(got, "turns")) {
			t.Errorf("%s, %s: %q, want %q", c.template, c.messages, got, c.want)
		}
	}
}

// The well-known templates lose no text and put none into the assistant's mouth, whatever the order.
func TestWellKnownTemplatesKeepAllText(t *testing.T) {
	for _, name := range Names() {
		source, _ := ByName(name)
		for _, roles := range []string{"system", "system system", "system user", "user system", "user assistant system", "system assistant user", "system system user", "user developer user", "user assistant tool", "user tool user", "system user assistant user system"} {
			var messages []string
			for i, role := range strings.Fields(roles) {
				messages = append(messages, fmt.Sprintf(`{"role":%q,"content":"text%d"}`, role, i))
			}
			got := render(t, source, `{"messages":[`+strings.Join(messages, ",")+`],"add_generation_prompt":true}`)
			asAssistant := strings.Join(messages, ",")
			for i, role := range strings.Fields(roles) {
				if strings.Count(got, fmt.Sprintf("text%d", i)) != 1 {
					t.Errorf("%s, %s: %q has not text%d once", name, roles, got, i)
				}
				if role != "assistant" {
					asAssistant = strings.Replace(asAssistant, fmt.Sprintf(`{"role":%q,"content":"text%d"`, role, i), fmt.Sprintf(`{"role":"assistant","content":"text%d"`, i), 1)
				}
			}
			if roles != "system assistant user" && got == render(t, source, `{"messages":[`+asAssistant+`],"add_generation_prompt":true,"continue_final_message":false}`) {
				t.Errorf("%s, %s: %q is what the assistant's would be", name, roles, got)
			}
		}
	}
}

// A message's text is in the prompt, or changes it, or is refused, however many messages there are.
func TestNoTextVanishes(t *testing.T) {
	const drops = `{% for m in messages %}{% if m.role == 'user' %}U[{{ m.content }}]{% elif m.role == 'assistant' %}A[{{ m.content }}]{% endif %}{% endfor %}`
	const lastOfAll = `U:{{ messages[-1].content }}`
	const calls = `{% for m in messages %}{{ m.role[0]|upper }}[{% if m.tool_calls %}!{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}]{% endfor %}`
	const leaves = ": the model's chat template leaves it out"
	for _, c := range []struct{ template, messages, want string }{
		{`x`, `{"role":"user","content":"u"}`, "error: messages[0].content" + leaves},
		{`x`, `{"role":"user","content":" "}`, "x"},
		{`x`, `{"role":"user","content":"u"},{"role":"assistant","content":"a"}`, "error: messages[0].content" + leaves},
		{`x`, `{"role":"system","content":"s"}`, "error: messages[0].content" + leaves},
		{lastOfAll, `{"role":"user","content":"u"}`, "U:u"},
		{lastOfAll, `{"role":"system","content":"s"},{"role":"user","content":"u"}`, "U:s\n\nu"},
		{lastOfAll, `{"role":"assistant","content":"a"},{"role":"user","content":"v"}`, "error: messages[0].content" + leaves},
		{lastOfAll, `{"role":"user","content":"u"},{"role":"assistant","content":""},{"role":"user","content":"v"}`, "error: messages[0].content" + leaves},
		{lastOfAll + `{{ messages[0].content == '/off' }}`, `{"role":"user","content":"/off"},{"role":"user","content":"v"}`, "U:vTrue"},
		{calls, `{"role":"user","content":"u"},{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f"}}]},{"role":"user","content":"v"}`, "U[u]A[!]U[v]"},
		{calls, `{"role":"user","content":"u"},{"role":"assistant","content":"a</think>"},{"role":"user","content":"v"}`, "U[u]A[]U[v]"},
		{`{% for m in messages if m.role == 'user' %}U[{{ m.content }}]{% endfor %}`, `{"role":"user","content":"u"},{"role":"assistant","content":"a"},{"role":"user","content":"v"}`, "error: messages[1].content" + leaves},
	} {
		if got := render(t, c.template, `{"messages":[`+c.messages+`],"add_generation_prompt":false}`); got != c.want && !(strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s, %s: %q, want %q", c.template, c.messages, got, c.want)
		}
	}
	for _, others := range []int{10, 252, 253, 254, 255, 300, 4000} {
		many := strings.Repeat(`{"role":"user","content":"u"},{"role":"assistant","content":"a"},`, others/2)
		if got := render(t, drops, `{"messages":[`+many+`{"role":"system","content":"sys"}],"add_generation_prompt":false}`); !strings.HasSuffix(got, "U[sys]") {
			t.Errorf("behind %d messages: %.300q", others, got)
		}
		if got := render(t, drops, `{"messages":[{"role":"system","content":"sys"},`+many+`{"role":"user","content":"u"}],"add_generation_prompt":false}`); !strings.HasPrefix(got, "U[sys") {
			t.Errorf("before %d messages: %.300q", others, got)
		}
	}
}

func TestNamesRole(t *testing.T) {
	for source, roles := range map[string]map[string]bool{
		`{% if m.role == "ipython" or m['role'] == 'critic' %}{% elif m["role"] in ['a', "b"] %}{% elif m.get('role') != 'c' %}{% endif %}{{ 'other' }}`:  {"ipython": true, "critic": true, "a": true, "b": true, "c": true, "assitant": false, "user": false, "other": false, "": false},
		`{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}`:                                                               {"content": false, "\n": false, "<|im_end|>": false, "<|im_start|>": false},
		`{{ '<|' ~ m.role ~ '|>' if m.role != 'critic' else 'x' }}{{ m.role and 'y' }}{{ m.role ~ 'z' == 'w' }}`:                                          {"critic": true, "<|": false, "|>": false, "x": false, "y": false, "z": false, "w": false},
		`{% if 'a' == m.role == 'b' %}{% elif m.role not in ('c', 'd') %}{% elif m.role|trim|lower == 'e' %}{% elif m.role.strip() == 'f' %}{% endif %}`:  {"a": true, "b": true, "c": true, "d": true, "e": true, "f": true},
		`{% set role = m.role %}{% if role == 'a' %}{% elif role is eq 'b' %}{% elif role is not equalto('c') %}{% elif role is in ['d'] %}{% endif %}`:   {"a": true, "b": true, "c": true, "d": true},
		`{{ {'a': 'X', 'b': 'Y'}[m.role] }}{{ {'c': 'Z'}.get(m.role, 'd') }}{% if m.content == 'e' or m.role[0] == 'f' %}{% endif %}`:                     {"a": true, "b": true, "c": true, "X": false, "d": false, "e": false, "f": false},
		`{% if m.role == '<|im_end|>' or m.role == '[INST]' or m.role == '</s>' or m.role == 'a b' or m.role == '' or m.role == 'end-user' %}{% endif %}`: {"<|im_end|>": false, "[INST]": false, "</s>": false, "a b": false, "": false, "end-user": true},
	} {
		template, err := New(Sources{Default: source, ToolUse: `{% if m.role == 'model' %}{% endif %}`}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		roles["model"] = true
		for role, want := range roles {
			if template.NamesRole(role) != want {
				t.Errorf("%s: %q: %t", source, role, !want)
			}
		}
	}
}
