package chat

import (
	"fmt"
	"slices"

	"chimera/chat/jinja"
)

// This file owns what an assistant's message says beside its text: the calls it made, or why it refused. Many templates know
// neither, and a conversation would go on as if they had not been.

// answerFields are where an answer says it. A function_call has become one of the calls by then.
var answerFields = []string{"tool_calls", "refusal"}

// checkAnswers refuses a rendering that would be the same if no answer had said what a field holds. One rendering for each
// field that is there: a template that knows the field is taken to know it in every message.
func (t *Template) checkAnswers(vars *jinja.Dict, messages []*jinja.Dict, strange []bool, text string) error {
	for _, field := range answerFields {
		without, at := messages, -1
		for i, m := range slices.Backward(messages) {
			if roleOf(m) == "assistant" && saysSomething(m, field) {
				without, at = withoutField(without, i, field), i
			}
		}
		if at < 0 {
			continue
		}
		if other, err := t.render(vars, asUsers(without, strange)); err == nil && other.Text == text {
			return &FieldError{fmt.Sprintf("messages[%d].%s", at, sentAs(messages[at], field)), "the model's chat template leaves it out of the prompt: it would go unread"}
		}
	}
	return nil
}

// sentAs is a field's name in the message as it came: calls may have been a function_call.
func sentAs(message *jinja.Dict, field string) string {
	if old, _ := message.Get("function_call"); old != nil && field == "tool_calls" {
		return "function_call"
	}
	return field
}

// saysSomething tells a field with calls or a text from one that is absent, null or empty.
func saysSomething(message *jinja.Dict, field string) bool {
	value, _ := message.Get(field)
	text, _ := jinja.TextOf(value)
	return isFilled(value) || text != ""
}

// withoutField is the messages, of which one has null in a field.
func withoutField(messages []*jinja.Dict, i int, field string) []*jinja.Dict {
	out := slices.Clone(messages)
	out[i] = out[i].Copy()
	out[i].Set(field, nil)
	return out
}
