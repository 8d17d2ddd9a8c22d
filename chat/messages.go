package chat

import (
	"errors"
	"fmt"
	"strings"

	"chimera/chat/jinja"
)

// This file owns a conversation's messages: the form in which templates want them, whatever clients send, and the one
// that is to be continued.

// readMessages gives the messages the form that templates expect: content is one text, empty where there is none, and marked
// so that it can be found in what is rendered; calls have their arguments as objects; roles are ones that the template knows.
func (t *Template) readMessages(vars *jinja.Dict) ([]*jinja.Dict, error) {
	value, _ := vars.Get("messages")
	list, ok := value.(*jinja.List)
	if !ok {
		return nil, &TemplateError{errors.New("messages must be a list")}
	}
	values := 0
	messages := make([]*jinja.Dict, len(list.Items))
	for i, item := range list.Items {
		m, ok := item.(*jinja.Dict)
		if !ok {
			return nil, &TemplateError{fmt.Errorf("messages[%d] must be an object", i)}
		}
		m.Set("content", jinja.Mark(contentText(m), contentMark(i)))
		m.Set("role", t.knownRole(m))
		if err := readArguments(m, fmt.Sprintf("messages[%d]", i), &values); err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, nil
}

// contentMark tells messages apart, of which the API takes a sixteenth of what there are marks for. 1 is that of all else that
// came in, placeholderMark the last.
func contentMark(message int) uint16 { return uint16(2 + message%(placeholderMark-2)) }

const placeholderMark = 1<<16 - 1

// contentText joins a list of text parts, which few templates know, to one text. What has no text is empty.
func contentText(message *jinja.Dict) string {
	content, _ := message.Get("content")
	parts, ok := content.(*jinja.List)
	if !ok {
		text, _ := jinja.TextOf(content)
		return text
	}
	var texts []string
	for _, part := range parts.Items {
		if p, ok := part.(*jinja.Dict); ok {
			value, _ := p.Get("text")
			if text, ok := jinja.TextOf(value); ok {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, "\n")
}

func roleOf(message *jinja.Dict) string {
	role, _ := message.Get("role")
	text, _ := jinja.TextOf(role)
	return text
}

// knownRole is the message's role, or the one that stands for it where the template does not name it. It is not marked: it is
// one of a few words, and many templates make a control token of it, such as <|user|>.
func (t *Template) knownRole(message *jinja.Dict) string {
	role := roleOf(message)
	if instead := map[string]string{"developer": "system", "function": "tool"}[role]; instead != "" && !t.NamesRole(role) {
		return instead
	}
	return role
}

// maxArgumentValues bounds what the arguments of all calls hold, as the API bounds a body's values: those in a string have
// not been counted yet.
const maxArgumentValues = 1 << 18

// readArguments turns the arguments of a message's calls, which OpenAI's interface has as a string of JSON, into objects:
// templates write them as JSON, or walk their names. A string that holds no object is refused, since no form of it would be
// what the template was trained with. function_call, which came before tool_calls, becomes one of them.
func readArguments(message *jinja.Dict, field string, values *int) error {
	value, _ := message.Get("tool_calls")
	calls, _ := value.(*jinja.List)
	if old, _ := message.Get("function_call"); old != nil && calls == nil {
		if err := readCall(old, field+".function_call", values); err != nil {
			return err
		}
		call := jinja.NewDict()
		call.Set("type", "function")
		call.Set("function", old)
		message.Set("tool_calls", &jinja.List{Items: []jinja.Value{call}})
	}
	if calls == nil {
		return nil
	}
	for i, item := range calls.Items {
		at := fmt.Sprintf("%s.tool_calls[%d]", field, i)
		call, ok := item.(*jinja.Dict)
		if !ok {
			return &FieldError{at, "it must be an object"}
		}
		if function, _ := call.Get("function"); function != nil {
			item, at = function, at+".function"
		}
		if err := readCall(item, at, values); err != nil {
			return err
		}
	}
	return nil
}

func readCall(call jinja.Value, field string, values *int) error {
	object, ok := call.(*jinja.Dict)
	if !ok {
		return &FieldError{field, "it must be an object"}
	}
	arguments, err := argumentsObject(object, values)
	if err != nil {
		return &FieldError{field + ".arguments", err.Error()}
	}
	object.Set("arguments", arguments)
	return nil
}

func argumentsObject(call *jinja.Dict, values *int) (*jinja.Dict, error) {
	value, _ := call.Get("arguments")
	if object, ok := value.(*jinja.Dict); ok {
		return object, nil
	}
	text, ok := jinja.TextOf(value)
	if value == nil || ok && strings.TrimSpace(text) == "" {
		return jinja.NewDict(), nil
	}
	if *values += 1 + strings.Count(text, ","); *values > maxArgumentValues {
		return nil, fmt.Errorf("they hold too many values: all calls together may have %d", maxArgumentValues)
	}
	object, err := jinja.FromJSON([]byte(text))
	if !ok || err != nil {
		return nil, errors.New("they must be a JSON object, or a string that holds one")
	}
	return object, nil
}

// staysOpen tells whether the last message is to be continued: if it is wished, or if it is the assistant's and nothing is said.
func staysOpen(vars *jinja.Dict, messages []*jinja.Dict) (bool, error) {
	const field = "continue_final_message"
	wish, _ := vars.Get(field)
	if len(messages) == 0 || wish == false {
		return false, nil
	}
	last := messages[len(messages)-1]
	calls, _ := last.Get("tool_calls")
	if wish != true {
		add, given := vars.Get("add_generation_prompt")
		return roleOf(last) == "assistant" && !isFilled(calls) && !(given && add == false), nil
	}
	if isFilled(calls) {
		return false, &FieldError{field, "the last message ends with tool calls, which cannot be continued"}
	}
	return true, nil
}

// renderOpen renders a conversation up to the end of the last message's text, as the template writes that turn: an answer begins
// otherwise than it is asked for where templates open it with a thought, or with a space. A text that is blank
// gets a placeholder to be found by, which many templates would trim away otherwise.
func (t *Template) renderOpen(vars *jinja.Dict, messages []*jinja.Dict) (jinja.Rendered, error) {
	end := len(messages) - 1
	mark := contentMark(end)
	blank := strings.TrimSpace(contentText(messages[end])) == ""
	if blank {
		content, _ := messages[end].Get("content")
		mark = placeholderMark
		messages[end].Set("content", jinja.Concat(content, jinja.Mark("x", mark)))
	}
	vars.Set("add_generation_prompt", false)
	rendered, err := t.renderAll(vars, messages)
	if err != nil {
		return rendered, err
	}
	at := len(rendered.Marks) - 1
	for at >= 0 && rendered.Marks[at] != mark {
		at--
	}
	if at < 0 {
		return rendered, &FieldError{"continue_final_message", "the model's chat template does not write the last message's text, so it can't be continued"}
	}
	if !blank {
		at++
	}
	return jinja.Rendered{Text: rendered.Text[:at], Marks: rendered.Marks[:at]}, nil
}

// isFilled tells lists with items from absent, null and empty ones.
func isFilled(v jinja.Value) bool {
	list, ok := v.(*jinja.List)
	return ok && len(list.Items) > 0
}
