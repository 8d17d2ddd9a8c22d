package loader

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/api"
	"chimera/chat"
	"chimera/chat/jinja"
	"chimera/config"
	"chimera/engine"
	"chimera/tokenizer"
	"chimera/weights"
)

// This file owns the choice of a chat template: the one that was asked for, or the model's own.

// The keys of a file's templates: one for all conversations, others by name (templateKey.NAME).
const (
	templateKey = "tokenizer.chat_template"
	defaultName = "default"
	toolUseName = "tool_use" // for conversations with tools
)

// Template is what a daemon renders conversations with. A model whose template can't be used is served all the same:
// then Template is nil and Problem says why.
type Template struct {
	api.Template
	Problem string
}

// NewTemplate returns the template that override names (a well-known name, one of the file's or a file), or the model's own, or
// none if it has none. What the user asked for must be sound; what the model brings need not.
func NewTemplate(f *weights.File, tok *tokenizer.Tokenizer, c *config.Config) (Template, error) {
	now, err := chat.Clock()
	if err != nil {
		return Template{}, &config.Error{Err: err}
	}
	sources, problem, err := templateSources(f, c.ChatTemplate)
	if err != nil || problem != "" || sources.Default == "" {
		return Template{Problem: problem}, err
	}
	sources.BOS, sources.EOS = tok.TokenText(tok.BOS()), tok.TokenText(tok.EOS())
	t, err := chat.New(sources, now)
	switch {
	case err != nil && c.ChatTemplate == "":
		return Template{Problem: fmt.Sprintf("the model's own chat template can't be used (key %s: %v)", templateKey, errors.Unwrap(err))}, nil
	case err != nil:
		return Template{}, &config.Error{Err: fmt.Errorf("chat-template %s: %w", c.ChatTemplate, err)}
	}
	if err := t.ToolUseError(); err != nil {
		slog.Warn("conversations with tools are refused", "file", f.Name(), "key", templateKey+"."+toolUseName, "cause", err)
	}
	return Template{Template: rendered{t, c.ControlTokensInMessages}}, nil
}

// TemplateProblem says why a file's own template can't be used, "" if it can or there is none.
func TemplateProblem(f *weights.File) (string, error) {
	t, err := NewTemplate(f, &tokenizer.Tokenizer{}, &config.Config{})
	return t.Problem, err
}

// rendered adapts chat.Template to the API.
type rendered struct {
	*chat.Template
	controlTokens bool // also in what clients send
}

// Render implements api.Template.
func (r rendered) Render(context jsontext.Value) (api.Rendered, error) {
	prompt, err := r.Template.Render(context)
	if r.controlTokens {
		prompt.Literal = nil
	}
	return api.Rendered(prompt), err
}

// templateSources are the templates to take, or the problem with those of the file.
func templateSources(f *weights.File, override string) (s chat.Sources, problem string, err error) {
	named, err := NamedTemplates(f)
	if err != nil {
		return s, "", err
	}
	if source := named[override]; source != "" && override != "" {
		return chat.Sources{Default: source}, "", nil
	}
	if override != "" {
		s.Default, err = namedTemplate(override)
		return s, "", err
	}
	s.Default, s.ToolUse = named[""], named[toolUseName]
	if s.Default == "" {
		s.Default = named[defaultName]
	}
	if s.Default == "" {
		problem = noDefault(named)
	}
	return s, problem, nil
}

// noDefault says why a file with templates has none to take, "" if it has none at all.
func noDefault(named map[string]string) string {
	for name, key := range map[string]string{"": templateKey, defaultName: templateKey + "." + defaultName} {
		if _, there := named[name]; there {
			return fmt.Sprintf("the model's own chat template is empty (key %s)", key)
		}
	}
	if len(named) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(named))
	return fmt.Sprintf("the model has no chat template of the name default, only %s", strings.Join(names, ", "))
}

// NamedTemplates are a file's templates by name, "" for the one without. A blank one, which could say nothing, is "".
func NamedTemplates(f *weights.File) (map[string]string, error) {
	named := map[string]string{}
	for _, key := range f.Metadata().Keys() {
		name, ok := strings.CutPrefix(key, templateKey)
		if !ok || name != "" && name[0] != '.' {
			continue // tokenizer.chat_templates lists the names once more
		}
		source, _, err := f.Metadata().String(key)
		if err != nil {
			return nil, OfFile(f, fmt.Errorf("%w: %w", err, engine.ErrModelFile))
		}
		if strings.TrimSpace(source) == "" {
			source = ""
		}
		named[strings.TrimPrefix(name, ".")] = source
	}
	return named, nil
}

// namedTemplate is a well-known template or the text of a file.
func namedTemplate(name string) (string, error) {
	if source, ok := chat.ByName(name); ok {
		return source, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", &config.Error{Err: fmt.Errorf("chat template %q is neither a file (%w) nor one of %s", name, err, strings.Join(chat.Names(), ", "))}
	}
	return string(text), nil
}

// RenderTemplate renders a model file's template, or the one in a file, with the variables of a JSON
// object alone.
func RenderTemplate(modelPath, templatePath string, context []byte) (string, error) {
	source, err := offlineTemplate(modelPath, templatePath)
	if err != nil {
		return "", err
	}
	now, err := chat.Clock()
	if err != nil {
		return "", &config.Error{Err: err}
	}
	t, err := jinja.Parse(source)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	vars, err := jinja.FromJSON(context)
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	r, err := t.Render(vars, jinja.Options{Now: now, Input: len(context)})
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return r.Text, nil
}

func offlineTemplate(modelPath, templatePath string) (string, error) {
	if templatePath != "" {
		return namedTemplate(templatePath)
	}
	f, err := OpenFile(modelPath)
	if err != nil {
		return "", err
	}
	sources, problem, err := templateSources(f, "")
	if err == nil && problem == "" && sources.Default == "" {
		problem = "key " + templateKey + " is missing"
	}
	if problem != "" {
		err = fmt.Errorf("%s: %s: give another with --template: %w", modelPath, problem, engine.ErrModelFile)
	}
	return sources.Default, errors.Join(err, f.Close())
}
