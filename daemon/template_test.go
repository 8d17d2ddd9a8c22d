package daemon

import (
	"errors"
	"strings"
	"testing"

	"chimera/config"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/tokenizer"
	"chimera/weights"
)

// Which of a file's templates renders, with tools and without, and what is said where none does.
func TestChoiceOfTemplate(t *testing.T) {
	const key = "tokenizer.chat_template"
	for name, c := range map[string]struct {
		keys             map[string]string
		override         string
		plain, withTools string
		problem          []string
	}{
		"none":             {},
		"one":              {keys: map[string]string{key: "A{{ messages[0].content }}"}, plain: "A", withTools: "A"},
		"with tool_use":    {keys: map[string]string{key: "A{{ messages[0].content }}", key + ".tool_use": "B{{ messages[0].content }}"}, plain: "A", withTools: "B"},
		"named default":    {keys: map[string]string{key + ".default": "A{{ messages[0].content }}", key + ".rag": "C{{ messages[0].content }}"}, plain: "A", withTools: "A"},
		"default and tool": {keys: map[string]string{key + ".default": "A{{ messages[0].content }}", key + ".tool_use": "B{{ messages[0].content }}"}, plain: "A", withTools: "B"},
		"two defaults":     {keys: map[string]string{key: "A{{ messages[0].content }}", key + ".default": "C{{ messages[0].content }}"}, plain: "A", withTools: "A"},
		"others alone":     {keys: map[string]string{key + ".rag": "C{{ messages[0].content }}", key + ".tool_use": "B{{ messages[0].content }}"}, problem: []string{"of the name default, only rag, tool_use"}},
		"chosen by name":   {keys: map[string]string{key + ".rag": "C{{ messages[0].content }}", key + ".tool_use": "B{{ messages[0].content }}"}, override: "rag", plain: "C", withTools: "C"},
		"empty":            {keys: map[string]string{key: ""}, problem: []string{"is empty (key tokenizer.chat_template)"}},
		"blank":            {keys: map[string]string{key: " \n"}, problem: []string{"is empty (key tokenizer.chat_template)"}},
		"empty default":    {keys: map[string]string{key + ".default": "", key + ".rag": "C"}, problem: []string{"is empty (key tokenizer.chat_template.default)"}},
		"empty, replaced":  {keys: map[string]string{key: ""}, override: "chatml", plain: "<|im_start|>", withTools: "<|im_start|>"},
		"empty beside":     {keys: map[string]string{key: "", key + ".default": "A{{ messages[0].content }}"}, plain: "A", withTools: "A"},
		"broken":           {keys: map[string]string{key: "{{ messages|nosuch }}"}, problem: []string{key, "line 1", `no filter named "nosuch"`}},
		"not closed":       {keys: map[string]string{key: "A{% if 1 %}"}, problem: []string{key, "endif"}},
		"broken, replaced": {keys: map[string]string{key: "{{ messages|nosuch }}"}, override: "chatml", plain: "<|im_start|>", withTools: "<|im_start|>"},
		"tool_use broken":  {keys: map[string]string{key: "A{{ messages[0].content }}", key + ".tool_use": "{{ 1|nosuch }}"}, plain: "A", withTools: "error"},
	} {
		f := fixtures.FileWith(t, c.keys)
		template, err := loader.NewTemplate(f, &tokenizer.Tokenizer{}, &config.Config{ChatTemplate: c.override})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (template.Template != nil) != (c.plain != "") || (template.Problem != "") != (c.problem != nil) {
			t.Errorf("%s: %+v", name, template)
			continue
		}
		for _, words := range c.problem {
			if !strings.Contains(template.Problem, words) {
				t.Errorf("%s: %q does not say %q", name, template.Problem, words)
			}
		}
		for fields, want := range map[string]string{``: c.plain, `,"tools":[]`: c.plain, `,"tools":[{"type":"function"}]`: c.withTools} {
			if template.Template == nil {
				break
			}
			r, err := template.Render([]byte(`{"messages":[{"role":"user","content":"x"}]` + fields + `}`))
			if want == "error" && err != nil {
				continue
			}
			if err != nil || !strings.HasPrefix(r.Text, want) {
				t.Errorf("%s%s: %q, %v; want %q", name, fields, r.Text, err, want)
			}
		}
	}
	for override, want := range map[string]error{"no-such-template": nil, "": engine.ErrModelFile} {
		f := fixtures.FileWith(t, nil)
		f.Metadata().Set(key, weights.Value{Type: weights.Uint32, Any: uint64(5)})
		_, err := loader.NewTemplate(f, &tokenizer.Tokenizer{}, &config.Config{ChatTemplate: override})
		if err == nil || want != nil && !errors.Is(err, want) || strings.Count(err.Error(), f.Name()) != 1 {
			t.Errorf("override %q: %v", override, err)
		}
	}
}

// The setting decides whether what clients send may become control tokens.
func TestControlTokensInMessages(t *testing.T) {
	f := fixtures.FileWith(t, map[string]string{"tokenizer.chat_template": "{{ messages[0].content }}"})
	for setting, literal := range map[bool]int{false: 1, true: 0} {
		template, err := loader.NewTemplate(f, &tokenizer.Tokenizer{}, &config.Config{ControlTokensInMessages: setting})
		if err != nil {
			t.Fatal(err)
		}
		r, err := template.Render([]byte(`{"messages":[{"role":"user","content":"x"}]}`))
		if err != nil || len(r.Literal) != literal {
			t.Errorf("%t: %v, %v", setting, r, err)
		}
	}
}

// show says why chat is off.
func TestInspectionSaysWhyChatIsOff(t *testing.T) {
	for source, want := range map[string]string{"{{ messages|nosuch }}": `no filter named "nosuch"`, "A": "", "": "is empty"} {
		f := fixtures.FileWith(t, map[string]string{"tokenizer.chat_template": source})
		c := config.Default()
		s, _, err := Inspect(f.Name(), &c, false)
		if err != nil || !strings.Contains(s.Summary.ChatProblem, want) || (s.Summary.ChatProblem == "") != (want == "") {
			t.Errorf("%s: %v, %+v", source, err, s)
		}
	}
}
