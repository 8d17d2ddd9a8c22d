package daemon

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/api"
	"chimera/chat"
	"chimera/chat/jinja"
	"chimera/engine"
	"chimera/tokenizer"
	"chimera/weights"
)

// This file owns the choice of a chat template: the one that was asked for, or the model's own.

const templateKey = "tokenizer.chat_template"

// NewTemplate returns the template that override names (a well-known name or a file), or the model's
// own, or nil if it has none.
func NewTemplate(f *weights.File, tok *tokenizer.Tokenizer, override string) (api.Template, error) {
	source, err := templateSource(f, override)
	if err != nil || source == "" {
		return nil, err
	}
	now, err := chat.Clock()
	if err != nil {
		return nil, &ConfigError{err}
	}
	t, err := chat.New(source, tok.TokenText(tok.BOS()), tok.TokenText(tok.EOS()), now)
	if err != nil && override == "" {
		return nil, fmt.Errorf("%s: key %s: %w: %w", f.Name(), templateKey, err, engine.ErrModelFile)
	}
	if err != nil {
		return nil, &ConfigError{fmt.Errorf("chat-template %s: %w", override, err)}
	}
	return rendered{t}, nil
}

// rendered adapts chat.Template to the API's raw JSON.
type rendered struct{ *chat.Template }

// Render implements api.Template.
func (r rendered) Render(context jsontext.Value) (string, error) { return r.Template.Render(context) }

func templateSource(f *weights.File, override string) (string, error) {
	if override != "" {
		return namedTemplate(override)
	}
	source, _, err := f.Metadata().String(templateKey)
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, engine.ErrModelFile)
	}
	return source, nil
}

// namedTemplate is a well-known template or the text of a file.
func namedTemplate(name string) (string, error) {
	if source, ok := chat.ByName(name); ok {
		return source, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", &ConfigError{fmt.Errorf("chat template %q is neither a file (%w) nor one of %s", name, err, strings.Join(chat.Names(), ", "))}
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
		return "", &ConfigError{err}
	}
	t, err := jinja.Parse(source)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	vars, err := jinja.FromJSON(context)
	if err != nil {
		return "", fmt.Errorf("context: %w", err)
	}
	text, err := t.Render(vars, jinja.Options{Now: now})
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return text, nil
}

func offlineTemplate(modelPath, templatePath string) (string, error) {
	if templatePath != "" {
		return namedTemplate(templatePath)
	}
	f, err := openFile(modelPath)
	if err != nil {
		return "", err
	}
	source, ok, err := f.Metadata().String(templateKey)
	if err == nil && !ok {
		err = fmt.Errorf("%s: key %s is missing: %w", modelPath, templateKey, engine.ErrModelFile)
	}
	return source, errors.Join(err, f.Close())
}
