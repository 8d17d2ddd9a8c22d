// Package chat turns conversations into prompts by a model's own template.
//
// This file owns Template: what is passed to the template, and the open last answer.
package chat

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"chimera/chat/jinja"
)

// TemplateError says that a template could not be parsed or refused the conversation.
type TemplateError struct{ Err error }

func (e *TemplateError) Error() string { return "chat template: " + e.Err.Error() }

// Unwrap returns the cause, a *jinja.Error.
func (e *TemplateError) Unwrap() error { return e.Err }

// Template is a model's chat template with what the model adds to every conversation. It never
// changes, so any number of goroutines may use it.
type Template struct {
	parsed   *jinja.Template
	bos, eos string
	now      func() time.Time
}

// New parses a template. bos and eos are the texts of the tokens that it may name.
func New(source, bos, eos string, now func() time.Time) (*Template, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return nil, &TemplateError{err}
	}
	return &Template{parsed, bos, eos, now}, nil
}

// Render renders a conversation. context is a JSON object: messages (required), add_generation_prompt,
// tools and whatever else the template knows. An answer that ends the conversation stays open: it is
// written as the beginning of the answer to come.
func (t *Template) Render(context []byte) (string, error) {
	vars, err := jinja.FromJSON(context)
	if err != nil {
		return "", &TemplateError{err}
	}
	t.addTokens(vars)
	open, err := openAnswer(vars)
	if err != nil {
		return "", &TemplateError{err}
	}
	text, err := t.parsed.Render(vars, jinja.Options{Now: t.now})
	if err != nil {
		return "", &TemplateError{err}
	}
	return text + open, nil
}

func (t *Template) addTokens(vars *jinja.Dict) {
	for key, value := range map[string]string{"bos_token": t.bos, "eos_token": t.eos} {
		if _, given := vars.Get(key); !given {
			vars.Set(key, value)
		}
	}
}

// openAnswer flattens the messages' parts to text, takes a last message of the assistant out of the
// conversation and returns its text.
func openAnswer(vars *jinja.Dict) (string, error) {
	value, _ := vars.Get("messages")
	list, ok := value.(*jinja.List)
	if !ok {
		return "", errors.New("messages must be a list")
	}
	for i, item := range list.Items {
		m, ok := item.(*jinja.Dict)
		if !ok {
			return "", fmt.Errorf("messages[%d] must be an object", i)
		}
		flatten(m)
	}
	n := len(list.Items)
	if n == 0 {
		return "", nil
	}
	last := list.Items[n-1].(*jinja.Dict)
	role, _ := last.Get("role")
	content, _ := last.Get("content")
	text, isText := content.(string)
	if add, given := vars.Get("add_generation_prompt"); role != "assistant" || !isText || (given && add == false) {
		return "", nil
	}
	if _, calls := last.Get("tool_calls"); calls {
		return "", nil
	}
	vars.Set("messages", &jinja.List{Items: list.Items[:n-1]})
	vars.Set("add_generation_prompt", true)
	return text, nil
}

// flatten joins a list of text parts, which few templates know, to one text.
func flatten(message *jinja.Dict) {
	content, _ := message.Get("content")
	parts, ok := content.(*jinja.List)
	if !ok {
		return
	}
	var texts []string
	for _, part := range parts.Items {
		if p, ok := part.(*jinja.Dict); ok {
			text, _ := p.Get("text")
			if s, ok := text.(string); ok {
				texts = append(texts, s)
			}
		}
	}
	message.Set("content", strings.Join(texts, "\n"))
}

// nowVariable fixes the clock that templates see, for tests and for answers that can be repeated.
const nowVariable = "CHIMERA_NOW"

// Clock is the system's, or stands still at CHIMERA_NOW=2026-11-24T09:05:07.
func Clock() (func() time.Time, error) {
	text, ok := os.LookupEnv(nowVariable)
	if !ok {
		return time.Now, nil
	}
	t, err := time.Parse("2006-01-02T15:04:05", text)
	if err != nil {
		return nil, fmt.Errorf("%s=%s: want a time like 2026-11-24T09:05:07", nowVariable, text)
	}
	return func() time.Time { return t }, nil
}
