// Package chat turns conversations into prompts by a model's own template.
//
// This file owns Template: which of a file's templates renders a conversation, and what is passed to it.
package chat

import (
	"fmt"
	"os"
	"time"

	"chimera/chat/jinja"
)

// TemplateError says that a template could not be parsed or refused the conversation.
type TemplateError struct{ Err error }

func (e *TemplateError) Error() string { return "chat template: " + e.Err.Error() }

// Unwrap returns the cause, a *jinja.Error.
func (e *TemplateError) Unwrap() error { return e.Err }

// FieldError says which field of a conversation is wrong.
type FieldError struct{ Name, Problem string }

func (e *FieldError) Error() string { return e.Problem }

// Field names the field.
func (e *FieldError) Field() string { return e.Name }

// Sources are the templates of a model, with the texts of the tokens that they may name.
type Sources struct {
	Default  string
	ToolUse  string // for conversations with tools; "": as without
	BOS, EOS string
}

// Template is a model's chat template with what the model adds to every conversation. It never
// changes, so any number of goroutines may use it.
type Template struct {
	parsed   *jinja.Template
	roles    map[string]bool // that it compares roles with
	bos, eos string
	now      func() time.Time
	habits   habits
	toolUse  *Template
	toolErr  error // of a tool-use template that does not parse: conversations without tools need not care
}

// Prompt is a rendered conversation.
type Prompt struct {
	Text string
	// Literal lists the stretches (first byte and the one behind the last, ascending) that hold what the client has sent.
	Literal [][2]int
}

// New parses a model's templates.
func New(s Sources, now func() time.Time) (*Template, error) {
	parsed, err := jinja.Parse(s.Default)
	if err != nil {
		return nil, &TemplateError{err}
	}
	t := &Template{parsed: parsed, roles: namedRoles(parsed), bos: s.BOS, eos: s.EOS, now: now}
	t.habits = t.tryOut()
	if s.ToolUse != "" {
		t.toolUse, t.toolErr = New(Sources{Default: s.ToolUse, BOS: s.BOS, EOS: s.EOS}, now)
	}
	return t, nil
}

// Render renders a conversation. context is a JSON object: messages (required), add_generation_prompt,
// continue_final_message, tools and whatever else the template knows. An error is a *TemplateError or a *FieldError.
//
// The last message stays open (the prompt ends with its text, which the answer goes on with) if continue_final_message is true.
// The assistant's does so too if that is absent and add_generation_prompt isn't false.
func (t *Template) Render(context []byte) (Prompt, error) {
	vars, err := jinja.FromJSON(context)
	if err != nil {
		return Prompt{}, &TemplateError{err}
	}
	if tools, _ := vars.Get("tools"); t.hasToolUse() && isFilled(tools) {
		if t.toolErr != nil {
			return Prompt{}, fmt.Errorf("tool_use: %w", t.toolErr)
		}
		t = t.toolUse
	}
	for name, token := range map[string]string{"bos_token": t.bos, "eos_token": t.eos} {
		if _, given := vars.Get(name); !given {
			vars.Set(name, token)
		}
	}
	messages, err := t.readMessages(vars)
	if err != nil {
		return Prompt{}, err
	}
	open, err := staysOpen(vars, messages)
	if err != nil {
		return Prompt{}, err
	}
	render := t.renderAll
	if open {
		render = t.renderOpen
	}
	rendered, err := render(vars, messages)
	if err != nil {
		return Prompt{}, err
	}
	return Prompt{rendered.Text, rendered.Stretches()}, nil
}

// ToolUseError is why conversations with tools can't be rendered, nil if they can.
func (t *Template) ToolUseError() error { return t.toolErr }

func (t *Template) hasToolUse() bool { return t.toolUse != nil || t.toolErr != nil }

// NamesRole says whether the template speaks of a role by its name.
func (t *Template) NamesRole(role string) bool {
	return t.roles[role] || t.toolUse != nil && t.toolUse.NamesRole(role)
}

// messageBytes is what a message counts for beside its text in the limits of a rendering: templates ask much of each, such as
// whether it ends with something, and all 4096 that the API takes are to be rendered.
const messageBytes = 2 << 10

func (t *Template) render(vars *jinja.Dict, messages []*jinja.Dict) (jinja.Rendered, error) {
	list := &jinja.List{}
	for _, m := range messages {
		list.Items = append(list.Items, m)
	}
	vars.Set("messages", list)
	input := jinja.TextBytes(vars) + messageBytes*len(messages)
	return t.parsed.Render(vars, jinja.Options{Now: t.now, Input: input})
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
