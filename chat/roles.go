package chat

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"chimera/chat/jinja"
)

// This file owns messages of roles that a template does not have. Many have no system role, or only as the first message
// before a user's; some write whatever is not the user's as the assistant's. A text that would vanish, or be put into the
// assistant's mouth, becomes the user's: it is joined to the user's next message, or is one of its own.

// roleWord is what a role is made of. It is written without a mark, so one that a template compares with a control token's text
// is none: a client could write the token by it.
var roleWord = regexp.MustCompile(`^[\pL\pN_.-]+$`)

// namedRoles lists the roles that a template compares with. The names alone would not do: most templates hold "function" as a
// type of tools.
func namedRoles(parsed *jinja.Template) map[string]bool {
	named := parsed.ComparedWith("role")
	maps.DeleteFunc(named, func(role string, _ bool) bool { return !roleWord.MatchString(role) })
	return named
}

// habits is what a template was seen to do.
type habits struct {
	// assistants: messages of that role are written as the assistant's, if they are the first message or a later one.
	assistants [2]map[string]bool
}

const first, later = 0, 1

// tryOut renders small conversations that differ in a role alone.
func (t *Template) tryOut() (h habits) {
	write := func(roles ...string) (string, bool) {
		vars := jinja.NewDict()
		vars.Set("bos_token", t.bos)
		vars.Set("eos_token", t.eos)
		vars.Set("add_generation_prompt", false)
		var messages []*jinja.Dict
		for i, role := range roles {
			m := jinja.NewDict()
			m.Set("role", role)
			m.Set("content", []string{"one", "two", "three"}[i])
			messages = append(messages, m)
		}
		rendered, err := t.render(vars, messages)
		return rendered.Text, err == nil && strings.Contains(rendered.Text, "two")
	}
	h.assistants = [2]map[string]bool{{}, {}}
	for _, role := range []string{"system", "tool"} {
		for place, conversation := range [2][]string{{"", "user"}, {"user", ""}} {
			texts, ok := [2]string{}, [2]bool{}
			for i, candidate := range []string{role, "assistant"} {
				roles := append([]string(nil), conversation...)
				roles[place] = candidate
				texts[i], ok[i] = write(roles...)
			}
			h.assistants[place][role] = ok[0] && ok[1] && texts[0] == texts[1]
		}
	}
	return h
}

// renderAll renders the messages, those that the template has no role for as the user's. It refuses to lose a text, or all.
func (t *Template) renderAll(vars *jinja.Dict, messages []*jinja.Dict) (jinja.Rendered, error) {
	rendered, strange, err := t.renderRoles(vars, messages)
	if err != nil {
		return rendered, &TemplateError{err}
	}
	if rendered.Text == "" {
		return rendered, &TemplateError{errors.New("it renders nothing for this conversation")}
	}
	if err := t.checkKept(vars, messages, strange, rendered); err != nil {
		return rendered, err
	}
	return rendered, t.checkAnswers(vars, messages, strange, rendered.Text)
}

// renderRoles also tells which messages became the user's.
func (t *Template) renderRoles(vars *jinja.Dict, messages []*jinja.Dict) (jinja.Rendered, []bool, error) {
	strange := make([]bool, len(messages))
	for i, m := range messages {
		strange[i] = t.habits.assistants[min(i, later)][roleOf(m)]
	}
	rendered, err := t.render(vars, asUsers(messages, strange))
	lost := vanished(rendered, messages)
	if err == nil && len(lost) > 0 && t.differsWithout(vars, messages, strange, lost, rendered.Text) {
		lost = nil
	}
	more := slices.Clone(strange)
	for i, m := range messages {
		// An error may come of what the template has to say to any role; a system message is what most refuse.
		role := roleOf(m)
		system := role == "system" || role == "developer"
		more[i] = strange[i] || err != nil && system || err == nil && lost[i] && role != "user" && role != "assistant"
	}
	if slices.Equal(more, strange) {
		return rendered, strange, err
	}
	second, secondErr := t.render(vars, asUsers(messages, more))
	if secondErr != nil || err == nil && len(vanished(second, messages)) >= len(lost) {
		return rendered, strange, err // it has another reason, which is the one to tell
	}
	return second, more, nil
}

// checkKept refuses a rendering in which the text of a message is not, and which would be the same without that message. Many
// templates leave out part of what they are given, such as what an answer with calls says, but write its turn.
func (t *Template) checkKept(vars *jinja.Dict, messages []*jinja.Dict, strange []bool, rendered jinja.Rendered) error {
	lost := vanished(rendered, messages)
	for _, role := range []string{"user", "assistant", ""} { // "" is all others; by role, so that there are few renderings
		of := map[int]bool{}
		least := len(messages)
		for i := range lost {
			if has := roleOf(messages[i]); has == role || role == "" && has != "user" && has != "assistant" {
				of[i], least = true, min(least, i)
			}
		}
		if len(of) > 0 && !t.differsWithout(vars, messages, strange, of, rendered.Text) {
			return &FieldError{fmt.Sprintf("messages[%d].content", least), "the model's chat template leaves it out of the prompt: it would go unread"}
		}
	}
	return nil
}

// vanished lists the messages whose text is nowhere in what was rendered.
func vanished(rendered jinja.Rendered, messages []*jinja.Dict) map[int]bool {
	seen := map[uint16]bool{}
	for i, mark := range rendered.Marks {
		if i == 0 || mark != rendered.Marks[i-1] {
			seen[mark] = true
		}
	}
	lost := map[int]bool{}
	for i, m := range messages {
		if strings.TrimSpace(contentText(m)) != "" && !seen[contentMark(i)] {
			lost[i] = true
		}
	}
	return lost
}

// differsWithout tells whether messages whose text is not in what was rendered have had an effect all the same: some templates
// read switches such as /no_think from the system message.
func (t *Template) differsWithout(vars *jinja.Dict, messages []*jinja.Dict, strange []bool, lost map[int]bool, text string) bool {
	var rest []*jinja.Dict
	var restStrange []bool
	for i, m := range messages {
		if !lost[i] {
			rest, restStrange = append(rest, m), append(restStrange, strange[i])
		}
	}
	without, err := t.render(vars, asUsers(rest, restStrange))
	return err == nil && without.Text != text
}

// asUsers gives the user the messages that are strange, joined to the user's own beside them, since templates want user and
// assistant in turns. The messages stay as they are: others are made.
func asUsers(messages []*jinja.Dict, strange []bool) (out []*jinja.Dict) {
	usersTurn := false // the last of out is the user's, and may be added to
	joins := false     // because it is, or holds, a strange one
	for i, m := range messages {
		user := roleOf(m) == "user"
		if !strange[i] && !(user && usersTurn && joins) {
			out = append(out, m)
			usersTurn, joins = user, false
			continue
		}
		content, _ := m.Get("content")
		if usersTurn {
			last := out[len(out)-1]
			said, _ := last.Get("content")
			out[len(out)-1] = userMessage(last, jinja.Concat(said, "\n\n", content))
		} else {
			out = append(out, userMessage(m, content))
		}
		usersTurn, joins = true, strange[i]
	}
	return out
}

// userMessage is a message of the user with what else was said of the other one.
func userMessage(of *jinja.Dict, content jinja.Value) *jinja.Dict {
	m := of.Copy()
	m.Set("role", "user")
	m.Set("content", content)
	return m
}
