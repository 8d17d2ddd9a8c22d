package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// This file owns what may be typed in a conversation besides questions.

// command is a word behind a slash.
type command struct {
	names []string // the first is the one that help names
	help  string
	run   func(*chatModel) tea.Cmd
}

func commands() []command {
	return []command{
		{[]string{"/help", "/?"}, "shows this", func(m *chatModel) tea.Cmd { return m.say(chatHelp()) }},
		{[]string{"/clear"}, "forgets the conversation", (*chatModel).clear},
		{[]string{"/bye", "/exit", "/quit"}, "ends it", func(*chatModel) tea.Cmd { return tea.Quit }},
	}
}

func chatHelp() string {
	text := "Enter sends, Alt+Enter or Ctrl+J makes a new line, Up and Down walk through what you sent, Ctrl+C stops an answer and, pressed again, the conversation, Ctrl+D or /bye ends it"
	for _, c := range commands() {
		if c.names[0] != "/bye" {
			text += ", " + c.names[0] + " " + c.help
		}
	}
	return text + "."
}

// commandWord is what a command looks like: /etc/hosts is a question, and so is all that begins with a space.
var commandWord = regexp.MustCompile(`^/[A-Za-z?]*(\s|$)`)

func isCommand(typed string) bool { return commandWord.MatchString(typed) }

// command runs what was typed, or says what may be.
func (m *chatModel) command(text string) tea.Cmd {
	word, behind, _ := strings.Cut(text, " ")
	var known []string
	for _, c := range commands() {
		if slices.Contains(c.names, strings.ToLower(word)) && behind == "" {
			return c.run(m)
		}
		known = append(known, c.names[0])
	}
	return m.say(fmt.Sprintf("(%s is no command: there are %s; with a space before it, it is sent as a question)", text, strings.Join(known, ", ")))
}

// clear begins anew, with the system message if there was one.
func (m *chatModel) clear() tea.Cmd {
	m.messages = opening(m.system)
	return m.say("(the conversation is forgotten)")
}
