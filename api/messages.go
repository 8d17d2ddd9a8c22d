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
		if err := checkMessage(fmt.Sprintf("messages[%d]", i), raw, t); err != nil {
			return err
		}
	}
	return nil
}

// checkMessage checks one message. Its content may be null, which is no text, as templates have it.
func checkMessage(field string, raw jsontext.Value, t Template) error {
	var m struct {
		Role      jsontext.Value `json:"role"`
		Content   jsontext.Value `json:"content"`
		ToolCalls jsontext.Value `json:"tool_calls"`
	}
	if raw.Kind() != '{' || json.Unmarshal(raw, &m) != nil {
		return badField(field, "it must be an object with role and content")
	}
	role, problem := stringMember(m.Role)
	if problem != "" {
		return badField(field+".role", "%s", problem)
	}
	if !slices.Contains(standardRoles, role) && (t == nil || !t.NamesRole(role)) {
		return badField(field+".role", "%q is not known, only %s", role, strings.Join(standardRoles, ", "))
	}
	if k := m.ToolCalls.Kind(); k != 0 && k != '[' && !asksNothing(m.ToolCalls, nil) {
		return badField(field+".tool_calls", "it must be a list of calls")
	}
	switch m.Content.Kind() {
	case '0', '{', 't', 'f':
		return badField(field+".content", "it must be a string or a list of parts")
	case 0:
		if slices.Contains([]string{"user", "system", "developer"}, role) { // others may have calls instead
			return badField(field+".content", "it is missing")
		}
	}
	return checkParts(field+".content", m.Content)
}

// stringMember reads what must be a string that says something, or tells what is wrong with it. It is read by hand: there
// may be one in each 20 bytes of the body, and a decoder keeps 4 KiB for the strings that it has seen.
func stringMember(raw jsontext.Value) (s, problem string) {
	if k := raw.Kind(); k != '"' && k != 'n' && k != 0 {
		return "", "it must be a string"
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil || len(text) == 0 {
		return "", "it is missing"
	}
	return string(text), ""
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

// checkParts accepts text parts alone: a picture that is silently dropped would be a wrong answer. A text may be null, as a
// content may.
func checkParts(field string, content jsontext.Value) error {
	if content.Kind() != '[' {
		return nil
	}
	var parts []jsontext.Value
	if err := json.Unmarshal(content, &parts); err != nil {
		return err
	}
	for i, raw := range parts {
		if member, problem := checkPart(raw); problem != "" {
			return badField(fmt.Sprintf("%s[%d]%s", field, i, member), "%s", problem)
		}
	}
	return nil
}

// checkPart tells which member of a part is wrong, none where all of it is, and how.
func checkPart(raw jsontext.Value) (member, problem string) {
	var p struct {
		Type jsontext.Value `json:"type"`
		Text jsontext.Value `json:"text"`
	}
	if raw.Kind() != '{' || json.Unmarshal(raw, &p) != nil {
		return "", "it must be an object with type and text"
	}
	kind, problem := stringMember(p.Type)
	if problem != "" {
		return ".type", problem
	}
	if kind != "text" {
		return "", fmt.Sprintf("type %q is not supported, only \"text\"", kind)
	}
	switch p.Text.Kind() {
	case '"', 'n':
		return "", ""
	case 0:
		return ".text", "it is missing"
	}
	return ".text", "it must be a string"
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
	m := c.model.Model
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
