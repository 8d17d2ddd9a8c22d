package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The reference server's prompts, by a model's own template and by the well-known one for Gemma.
func TestGoldenPrompts(t *testing.T) {
	dir := os.Getenv("CHIMERA_GOLDEN")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "golden")
	}
	text, err := os.ReadFile(filepath.Join(dir, "chat_templates.json"))
	if os.IsNotExist(err) {
		t.Skip("no golden folder: set CHIMERA_GOLDEN")
	}
	var g map[string]map[string]json.RawMessage
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	for model, cases := range g {
		var props struct {
			Template string `json:"chat_template"`
			BOS      string `json:"bos_token"`
			EOS      string `json:"eos_token"`
		}
		if err := json.Unmarshal(cases["_props"], &props); err != nil {
			t.Fatal(err)
		}
		source, known := ByName(props.Template)
		if !known {
			source = props.Template
		}
		template, err := New(Sources{Default: source, BOS: props.BOS, EOS: props.EOS}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		for name, raw := range cases {
			if name == "_props" || (known && name == "empty_and_asst_last") { // its reference closes the answer
				continue
			}
			var c struct {
				Messages json.RawMessage `json:"messages"`
				Prompt   string          `json:"prompt"`
			}
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			context, _ := json.Marshal(map[string]any{"messages": c.Messages, "add_generation_prompt": true})
			if got, err := template.Render(context); err != nil || got.Text != c.Prompt {
				t.Errorf("%s/%s: %v\n got %q\nwant %q", model, name, err, got.Text, c.Prompt)
			}
		}
	}
}

// Every well-known template must take a whole conversation.
func TestWellKnownTemplates(t *testing.T) {
	const conversation = `{"messages":[{"role":"system","content":"S1"},{"role":"user","content":[{"type":"text","text":"U1"}]},
		{"role":"assistant","content":"A1"},{"role":"user","content":"U2"}],"add_generation_prompt":true}`
	for _, name := range Names() {
		source, _ := ByName(name)
		template, err := New(Sources{Default: source, BOS: "<s>", EOS: "</s>"}, time.Now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		prompt, err := template.Render([]byte(conversation))
		text := prompt.Text
		at := 0
		for _, part := range []string{"S1", "U1", "A1", "U2"} {
			i := indexFrom(text, part, at)
			if err != nil || i < 0 {
				t.Errorf("%s: %v: %q lacks %s in its place", name, err, text, part)
				break
			}
			at = i
		}
	}
}

func indexFrom(s, part string, at int) int {
	for i := at; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return i
		}
	}
	return -1
}
