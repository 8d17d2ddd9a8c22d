package api

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// This file owns the conversation: what its messages must be, and the way through the template to a prompt.

const maxMessages = 4096

// standardRoles are OpenAI's, the deprecated function included; the template says where it has none of them.
var standardRoles = []string{"system", "developer", "user", "assistant", "tool", "function"}

func checkMessages(list jsontext.Value, t Template) error {
	if k := list.Kind(); k != '[' {
		return badField("messages", "it must be a list of 1 to %d messages", maxMessages)
	}
	messages, err := elements("messages", list, maxMessages)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		return badField("messages", "it is empty: there must be 1 to %d messages", maxMessages)
	}
	for i, raw := range messages {
		var m struct {
			Role    *string        `json:"role"`
			Content jsontext.Value `json:"content"`
		}
		field := fmt.Sprintf("messages[%d]", i)
		if err := json.Unmarshal(raw, &m); err != nil {
			return badField(field, "it must be an object with role and content")
		}
		if m.Role == nil || *m.Role == "" {
			return badField(field+".role", "it is missing")
		}
		if !slices.Contains(standardRoles, *m.Role) && (t == nil || !t.NamesRole(*m.Role)) {
			return badField(field+".role", "%q is not known, only %s", *m.Role, strings.Join(standardRoles, ", "))
		}
		switch m.Content.Kind() {
		case '0', '{', 't', 'f':
			return badField(field+".content", "it must be a string or a list of parts")
		case 0, 'n':
			if slices.Contains([]string{"user", "system", "developer"}, *m.Role) { // others may have calls instead
				return badField(field+".content", "it is missing")
			}
		}
		if err := checkParts(field, m.Content); err != nil {
			return err
		}
	}
	return nil
}

// checkConversation checks the fields that make the prompt. continue_final_message and add_generation_prompt exclude each
// other as in vLLM, where the second is true unless the request says otherwise: here the first alone says enough.
func (r *chatRequest) checkConversation(m *Model) error {
	if or(r.ContinueFinalMessage, false) && or(r.AddGenerationPrompt, false) {
		return badField("continue_final_message", "it can't be true together with add_generation_prompt: an answer is continued or begun")
	}
	if err := checkMessages(r.Messages, m.Template); err != nil {
		return err
	}
	return checkMessageFields(r.Messages)
}

// checkParts accepts text parts alone: a picture that is silently dropped would be a wrong answer.
func checkParts(field string, content jsontext.Value) error {
	if content.Kind() != '[' {
		return nil
	}
	var parts []struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(content, &parts); err != nil {
		return badField(field+".content", "its parts must be objects with type and text")
	}
	for i, p := range parts {
		if p.Type != "text" || p.Text == nil {
			return badField(fmt.Sprintf("%s.content[%d]", field, i), "type %q is not supported, only \"text\"", p.Type)
		}
	}
	return nil
}

// templateContext is what the template sees.
func (r *chatRequest) templateContext() (jsontext.Value, error) {
	context := map[string]any{
		"messages": r.Messages, "add_generation_prompt": or(r.AddGenerationPrompt, true),
	}
	if r.ContinueFinalMessage != nil {
		context["continue_final_message"] = *r.ContinueFinalMessage
	}
	if r.ReasoningEffort != nil {
		context["reasoning_effort"] = *r.ReasoningEffort
	}
	if k := r.Tools.Kind(); k == '[' {
		context["tools"] = r.Tools
	} else if k != 0 && !asksNothing(r.Tools, nil) {
		return nil, badField("tools", "it must be a list")
	}
	for name, value := range r.TemplateKwargs {
		if name == "messages" || name == "tools" || name == "continue_final_message" {
			return nil, badField("chat_template_kwargs."+name, "it has a field of its own: %s", name)
		}
		context[name] = value
	}
	b, err := json.Marshal(context, json.Deterministic(true))
	return b, err
}

// render writes the conversation as the model's prompt.
func (r *chatRequest) render(m *Model) (Rendered, error) {
	if m.Template == nil {
		problem := m.NoTemplate
		if problem == "" {
			problem = "the model has no chat template"
		}
		return Rendered{}, &HTTPError{
			Status: 400, Type: "invalid_request_error", Code: "no_chat_template",
			Message: problem + ": start the server with --chat-template NAME|FILE, or use /v1/completions",
		}
	}
	context, err := r.templateContext()
	if err != nil {
		return Rendered{}, err
	}
	if measure(context).commas > maxValues { // a template's numbers cost as much as its strings
		return Rendered{}, badJSON(nil, "the JSON body has too many values: at most %d are allowed", maxValues)
	}
	prompt, err := m.Template.Render(context)
	var named interface {
		error
		Field() string
	}
	if errors.As(err, &named) {
		return Rendered{}, badField(named.Field(), "%v", named)
	}
	if err != nil {
		return Rendered{}, &HTTPError{Status: 400, Type: "invalid_request_error", Param: "messages", Code: "template_error", Message: "messages: the chat template refused the conversation: " + err.Error()}
	}
	return prompt, nil
}

// applyTemplate renders a conversation without running it, as llama-server's endpoint of that name.
func (s *Server) applyTemplate(c *call) error {
	var r chatRequest
	if err := c.decode(&r); err != nil {
		return err
	}
	m, err := s.lookup(or(r.Model, ""))
	if err != nil {
		return err
	}
	if err := cmp.Or(checkForeign("", r.Others, foreignFields), r.checkToolChoice()); err != nil {
		return err
	}
	if err := r.checkConversation(m); err != nil {
		return err
	}
	prompt, err := r.render(m)
	if err != nil {
		return err
	}
	return c.reply(struct {
		Prompt string `json:"prompt"`
	}{prompt.Text})
}
