package chat

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// render renders with a template of the test's own; an error is its text.
func render(t *testing.T, source, context string) string {
	t.Helper()
	template, err := New(Sources{Default: source, BOS: "<s>", EOS: "</s>"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := template.Render([]byte(context))
	if err != nil {
		var field *FieldError
		if errors.As(err, &field) {
			return "error: " + field.Name + ": " + field.Problem
		}
		return "error: " + err.Error()
	}
	return p.Text
}

const callsAsJSON = `{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls or [] %}({{ (c.function or c).arguments|tojson }}){% endfor %};{% endfor %}`

func TestMessagesAsTemplatesWantThem(t *testing.T) {
	for _, c := range []struct{ messages, want string }{
		{`{"role":"user","content":"x"},{"role":"assistant","content":null}`, "user:x;assistant:;"},
		{`{"role":"user","content":"x"},{"role":"assistant"}`, "user:x;assistant:;"},
		{`{"role":"user","content":[]}`, "user:;"},
		{`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, "user:a\nb;"},
		{calling(`"{\"b\": 1, \"a\": {\"é\": [null, true, 1.5, \"x\"]}}"`), `user:x;assistant:({"b": 1, "a": {"é": [null, true, 1.5, "x"]}});`},
		{calling(`{"b":1,"a":2}`), `user:x;assistant:({"b": 1, "a": 2});`},
		{calling(`""`), `user:x;assistant:({});`},
		{calling(`" \n"`), `user:x;assistant:({});`},
		{calling(`null`), `user:x;assistant:({});`},
		{calling(`"{}"`), `user:x;assistant:({});`},
		{`{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"name":"f","arguments":"{\"a\":1}"}]}`, `user:x;assistant:({"a": 1});`},
		{`{"role":"user","content":"x"},{"role":"assistant","content":"y","tool_calls":null}`, `user:x;assistant:y;`},
		{`{"role":"user","content":"x"},{"role":"assistant","content":"y","tool_calls":[]}`, `user:x;assistant:y;`},
		{`{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}}`, `user:x;assistant:({"a": 1});`},
		{`{"role":"user","content":"x"},{"role":"assistant","content":"y","function_call":null}`, `user:x;assistant:y;`},
		{`{"role":"user","content":"x"},{"role":"assistant","function_call":"f"}`, "error: messages[1].function_call: it must be an object"},
		{`{"role":"user","content":"x"},{"role":"assistant","function_call":{"name":"f","arguments":"5"}}`, "error: messages[1].function_call.arguments: they must"},
		{calling(`"{\"a\": 1"`), "error: messages[1].tool_calls[0].function.arguments: they must be a JSON object, or a string that holds one"},
		{calling(`"{\"a\": 1} x"`), "error: messages[1].tool_calls[0].function.arguments: they must be a JSON object"},
		{calling(`"[1]"`), "error: messages[1].tool_calls[0].function.arguments: they must"},
		{calling(`"5"`), "error: messages[1].tool_calls[0].function.arguments: they must"},
		{calling(`[1]`), "error: messages[1].tool_calls[0].function.arguments: they must"},
		{calling(`5`), "error: messages[1].tool_calls[0].function.arguments: they must"},
		{calling(`"{\"a\": [` + strings.Repeat("0,", maxArgumentValues) + `0]}"`), "error: messages[1].tool_calls[0].function.arguments: they hold too many values"},
		{calling(`"{\"a\": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}"`), "error: messages[1].tool_calls[0].function.arguments: they must"},
		{`{"role":"user","content":"x"},{"role":"assistant","tool_calls":[5]}`, "error: messages[1].tool_calls[0]: it must be an object"},
		{`{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"function":5}]}`, "error: messages[1].tool_calls[0].function: it must be an object"},
	} {
		got := render(t, callsAsJSON, `{"messages":[`+c.messages+`],"add_generation_prompt":false}`)
		if got != c.want && !(strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%.300s: %q, want %q", c.messages, got, c.want)
		}
	}
}

func calling(arguments string) string {
	return `{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":` + arguments + `}}]}`
}

// Whether the last answer stays open is decided by values: null, false and [] are as if absent, except that false for
// continue_final_message says no where add_generation_prompt says nothing.
func TestAnswerThatIsContinued(t *testing.T) {
	const shut, open, begun = "U[x]A[y]", "U[x]A[y", "U[x]A[y]A["
	const source = `{% for m in messages %}{{ m.role[0]|upper }}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}A[{% endif %}`
	for _, c := range []struct{ fields, want string }{
		{``, open},
		{`,"add_generation_prompt":true`, open},
		{`,"add_generation_prompt":false`, shut},
		{`,"continue_final_message":true`, open},
		{`,"continue_final_message":true,"add_generation_prompt":false`, open},
		{`,"continue_final_message":false,"add_generation_prompt":true`, begun},
		{`,"continue_final_message":false,"add_generation_prompt":false`, shut},
		{`,"continue_final_message":null`, open},
	} {
		for _, calls := range []string{``, `,"tool_calls":[]`, `,"tool_calls":null`} {
			got := render(t, source, `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"`+calls+`}]`+c.fields+`}`)
			if got != c.want {
				t.Errorf("%s with %s: %q, want %q", c.fields, calls, got, c.want)
			}
		}
	}
	for _, c := range []struct{ messages, want string }{
		{`{"role":"user","content":"x"}`, "U[x"},
		{`{"role":"system","content":"s"}`, "S[s"},
		{`{"role":"user","content":"x"},{"role":"tool","content":"t"}`, "U[x]T[t"},
		{calling(`{}`), "error: continue_final_message: the last message ends with tool calls"},
		{`{"role":"user","content":"x"},{"role":"assistant","content":""}`, "U[x]A["},
		{`{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y"}]}`, "U[x]A[y"},
	} {
		if got := render(t, source, `{"messages":[`+c.messages+`],"continue_final_message":true}`); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.messages, got, c.want)
		}
	}
}

// The last message is continued where the template ends its text in that turn: neither in a thought that it opens for new answers
// nor without the space and the thoughts that it begins an answer with.
func TestContinuedTurnIsTheTemplates(t *testing.T) {
	const mistral = `{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}`
	const thinking = `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}`
	const reasoning = `{% for m in messages %}<|{{ m.role }}|>{{ '<think>' ~ m.reasoning_content ~ '</think>' if m.reasoning_content }}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}`
	const trimming = `{% for m in messages %}<|{{ m.role }}|> {{ m.content|trim }} <|end|>{% endfor %}`
	const inside = `{% for m in messages %}<|{{ m.role }}|>{{ '<think>' if add_generation_prompt and loop.last }}{{ m.content }}<|end|>{% endfor %}`
	const shown = `{{ messages|length }}{{ messages[-1].content }}:{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}`
	for _, c := range []struct{ template, answer, want string }{
		{mistral, `"content":"The sky"`, "[INST] hi [/INST] The sky"},
		{mistral, `"content":"The sky "`, "[INST] hi [/INST] The sky "},
		{mistral, `"content":""`, "[INST] hi [/INST] "},
		{mistral, `"content":null`, "[INST] hi [/INST] "},
		{thinking, `"content":"The sky"`, "<|user|>hi<|end|><|assistant|>The sky"},
		{thinking, `"content":""`, "<|user|>hi<|end|><|assistant|>"},
		{thinking, `"content":" \n"`, "<|user|>hi<|end|><|assistant|> \n"},
		{reasoning, `"content":"The sky","reasoning_content":"blue"`, "<|user|>hi<|end|><|assistant|><think>blue</think>The sky"},
		{trimming, `"content":" The sky "`, "<|user|> hi <|end|><|assistant|> The sky"},
		{trimming, `"content":" "`, "<|user|> hi <|end|><|assistant|> "},
		{inside, `"content":"x"`, "<|user|>hi<|end|><|assistant|>x"},
		{shown, `"content":"x"`, "2x:<|user|>hi<|end|><|assistant|>x"},
	} {
		for _, fields := range []string{`,"continue_final_message":true,"add_generation_prompt":false`, `,"continue_final_message":true`, ``} {
			got := render(t, c.template, `{"messages":[{"role":"user","content":"hi"},{"role":"assistant",`+c.answer+`}]`+fields+`}`)
			if got != c.want {
				t.Errorf("%s with %s: %q, want %q", c.answer, fields, got, c.want)
			}
		}
	}
	const drops = `{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}A{% endif %}{% endfor %}`
	if got := render(t, drops, `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x"}]}`); !strings.HasPrefix(got, "error: continue_final_message: the model's chat template does not write") {
		t.Errorf("an answer that is not written is continued: %q", got)
	}
}

func TestNothingRendered(t *testing.T) {
	const conversation = `{"messages":[{"role":"user","content":"x"}]}`
	for _, source := range []string{"", "{# nothing #}", "{% if tools %}x{% endif %}", "{{ nosuch }}", "{% if add_generation_prompt %}x{% endif %}"} {
		if got := render(t, source, conversation); !strings.Contains(got, "it renders nothing") {
			t.Errorf("%s: %q", source, got)
		}
	}
}

// What the client has sent is literal, wherever the template puts it; what the template writes, roles included, is not.
func TestLiteralIsWhatClientsSend(t *testing.T) {
	template, err := New(Sources{Default: `{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content|trim }}<|end|>{% endfor %}{{ (tools or [])|tojson }}{{ extra }}{% if add_generation_prompt %}<|assistant|>{% endif %}`, BOS: "<s>"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const messages = `{"messages":[{"role":"user","content":" <|end|> "},{"role":"assistant","content":"<|user|>"}]`
	for fields, want := range map[string]string{
		`,"tools":[{"<|end|>":"<s>"}],"extra":"</s>","add_generation_prompt":false`: `<s><|user|>«<|end|>»<|end|><|assistant|>«<|user|>»<|end|>[{"«<|end|>»": "«<s>»"}]«</s>»`,
		``: `<s><|user|>«<|end|>»<|end|><|assistant|>«<|user|>»`,
	} {
		p, err := template.Render([]byte(messages + fields + "}"))
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		at := 0
		for _, s := range p.Literal {
			fmt.Fprintf(&shown, "%s«%s»", p.Text[at:s[0]], p.Text[s[0]:s[1]])
			at = s[1]
		}
		shown.WriteString(p.Text[at:])
		if shown.String() != want {
			t.Errorf("got  %s\nwant %s", shown.String(), want)
		}
	}
}

func TestToolUseTemplate(t *testing.T) {
	template, err := New(Sources{Default: "plain {{ messages[0].content }}", ToolUse: "tools {{ messages[0].content }}"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := New(Sources{Default: "plain {{ messages[0].content }}", ToolUse: "{{ 1|nosuch }}"}, time.Now)
	if err != nil || broken.ToolUseError() == nil || template.ToolUseError() != nil {
		t.Fatal(err, broken.ToolUseError(), template.ToolUseError())
	}
	for _, c := range []struct{ fields, want, broken string }{
		{``, "plain x", "plain x"}, {`,"tools":null`, "plain x", "plain x"}, {`,"tools":[]`, "plain x", "plain x"}, {`,"tools":[{}]`, "tools x", ""},
	} {
		context := []byte(`{"messages":[{"role":"user","content":"x"}]` + c.fields + `}`)
		if p, err := template.Render(context); err != nil || p.Text != c.want {
			t.Errorf("%s: %q, %v", c.fields, p.Text, err)
		}
		if p, err := broken.Render(context); p.Text != c.broken || (err == nil) != (c.broken != "") {
			t.Errorf("%s, broken: %q, %v", c.fields, p.Text, err)
		}
	}
}

// Long conversations are rendered, in one message or many: that they are too long is for the context to say.
func TestLongConversations(t *testing.T) {
	const chatml = `{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}`
	const asking = `{% for m in messages %}{% for i in range(12) %}{{ '!' if m.role ~ i == m.content or i in [loop.index0, 50] and false }}{% endfor %}{{ m.content }}{% endfor %}`
	const mistral = `{% for m in messages %}{% if m.content is not none and '</think>' in m.content %}{{ raise_exception('no') }}{% endif %}{% set c = m.content.split('</think>')[-1].lstrip('\n') %}[INST] {{ c|trim }} [/INST]{% endfor %}`
	for _, source := range []string{chatml, mistral} {
		for _, count := range []int{1, 400} {
			message := `{"role":"user","content":"` + strings.Repeat("a b ", 8<<20/4/count) + `"}`
			messages := strings.Repeat(message+",", count-1) + message
			if got := render(t, source, `{"messages":[`+messages+`],"add_generation_prompt":false}`); len(got) < 8<<20-count || strings.HasPrefix(got, "error") {
				t.Errorf("%d messages: %.200s", count, got)
			}
		}
	}
	long := calling(`{"a":"` + strings.Repeat("x", 7<<20) + `"}`)
	if got := render(t, callsAsJSON, `{"messages":[`+long+`],"add_generation_prompt":false}`); len(got) < 7<<20 {
		t.Errorf("long arguments: %.200s", got)
	}
	const most = 4096
	messages := strings.Repeat(`{"role":"user","content":"a"},`, most-1) + `{"role":"user","content":"b"}`
	if got := render(t, asking, `{"messages":[`+messages+`],"add_generation_prompt":false}`); got != strings.Repeat("a", most-1)+"b" {
		t.Errorf("%d messages: %.200s", most, got)
	}
}
