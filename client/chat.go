package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
)

// This file owns the interactive conversation.

const chatHelp = "Enter sends, Alt+Enter or Ctrl+J makes a new line, Up and Down walk through what you sent, Ctrl+C stops an answer, Ctrl+D or /bye ends, /clear forgets the conversation."

// Conversation runs a chat in a terminal, and keeps what the user sends in the file at historyPath, if
// one is named, for the next. It returns when the user ends it.
func Conversation(ctx context.Context, c *Client, o Options, system, historyPath string) error {
	m := newChatModel(ctx, c, o, system, history{historyPath})
	p := tea.NewProgram(m, tea.WithContext(ctx))
	m.send = p.Send
	_, err := p.Run()
	return err
}

// Pipe is the conversation without a terminal: each line is a turn, each answer goes to out.
func Pipe(ctx context.Context, c *Client, o Options, system string, in io.Reader, out io.Writer) error {
	messages := opening(system)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, maxEvent)
	for scanner.Scan() {
		if strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		messages = append(messages, Message{"user", scanner.Text()})
		var answer strings.Builder
		_, err := c.Chat(ctx, messages, o, func(text string) {
			answer.WriteString(text)
			io.WriteString(out, text)
		})
		fmt.Fprintln(out)
		if err != nil {
			return err
		}
		messages = append(messages, Message{"assistant", answer.String()})
	}
	return scanner.Err()
}

func opening(system string) []Message {
	if system == "" {
		return nil
	}
	return []Message{{"system", system}}
}

// chatModel is the terminal program's state. What is finished is printed above and becomes the
// terminal's own scrollback; only the answer under way and the input are drawn.
type chatModel struct {
	ctx     context.Context
	client  *Client
	options Options
	system  string
	send    func(tea.Msg)

	input    textarea.Model
	messages []Message
	history  history
	sent     []string // what the user sent, now and earlier, for Up and Down
	at       int      // place in sent
	answer   string   // under way
	stop     context.CancelFunc
}

type (
	textMsg string
	doneMsg struct {
		stats Stats
		err   error
	}
)

func newChatModel(ctx context.Context, c *Client, o Options, system string, h history) *chatModel {
	input := textarea.New()
	input.Placeholder = "Ask something"
	input.ShowLineNumbers = false
	input.CharLimit = 0
	input.SetHeight(3)
	input.KeyMap.InsertNewline.SetKeys("alt+enter", "ctrl+j")
	return &chatModel{ctx: ctx, client: c, options: o, system: system, input: input, messages: opening(system), history: h}
}

func (m *chatModel) Init() tea.Cmd {
	sent, err := m.history.load()
	m.sent, m.at = sent, len(sent)
	return tea.Sequence(tea.Println(chatHelp), m.notKept(err), m.input.Focus())
}

// notKept says that the history failed, once: the conversation itself goes on without.
func (m *chatModel) notKept(err error) tea.Cmd {
	if err == nil {
		return nil
	}
	m.history = history{}
	return tea.Println("(what you send is not kept: " + err.Error() + ")")
}

func (m *chatModel) View() tea.View {
	if m.stop != nil {
		return tea.NewView(m.answer + "▏\n")
	}
	return tea.NewView(m.input.View())
}

func (m *chatModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.input.SetWidth(msg.Width)
	case textMsg:
		m.answer += string(msg)
		return m, nil
	case doneMsg:
		return m, m.finish(msg)
	case tea.KeyPressMsg:
		if cmd, handled := m.key(msg.String()); handled {
			return m, cmd
		}
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(msg)
	return m, cmd
}

func (m *chatModel) key(key string) (cmd tea.Cmd, handled bool) {
	switch key {
	case "ctrl+c":
		if m.stop != nil {
			m.stop()
			return nil, true
		}
		if m.input.Value() == "" {
			return tea.Println("(Ctrl+D or /bye ends the conversation)"), true
		}
		m.input.Reset()
		return nil, true
	case "ctrl+d":
		return tea.Quit, m.input.Value() == ""
	case "enter":
		return m.submit(), true
	case "up":
		return nil, m.recall(-1)
	case "down":
		return nil, m.recall(1)
	}
	return nil, false
}

// recall walks through what was sent, where the cursor cannot move within the input itself.
func (m *chatModel) recall(step int) bool {
	last := m.input.LineCount() - 1
	if (step < 0 && m.input.Line() > 0) || (step > 0 && m.input.Line() < last) {
		return false
	}
	m.at = min(max(m.at+step, 0), len(m.sent))
	m.input.SetValue("")
	if m.at < len(m.sent) {
		m.input.SetValue(m.sent[m.at])
	}
	return true
}

func (m *chatModel) submit() tea.Cmd {
	text := strings.TrimSpace(m.input.Value())
	if text == "" || m.stop != nil {
		return nil
	}
	m.input.Reset()
	switch text {
	case "/bye", "/exit", "/quit":
		return tea.Quit
	case "/clear":
		m.messages = opening(m.system)
		return tea.Println("(the conversation is forgotten)")
	}
	m.sent = append(m.sent, text)
	m.at = len(m.sent)
	warning := m.notKept(m.history.add(text))
	m.messages = append(m.messages, Message{"user", text})
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	messages := append([]Message(nil), m.messages...)
	ask := func() tea.Msg {
		defer stop()
		stats, err := m.client.Chat(ctx, messages, m.options, func(t string) { m.send(textMsg(t)) })
		return doneMsg{stats, err}
	}
	return tea.Sequence(tea.Println("> "+strings.ReplaceAll(text, "\n", "\n  ")), warning, ask)
}

// finish prints the answer and keeps it as a turn; a question that failed is taken back.
func (m *chatModel) finish(done doneMsg) tea.Cmd {
	answer, stopped := m.answer, errors.Is(done.err, context.Canceled) && m.ctx.Err() == nil
	m.answer, m.stop = "", nil
	switch {
	case stopped:
		m.messages = append(m.messages, Message{"assistant", answer})
		return tea.Println(answer + " (stopped)")
	case done.err != nil:
		m.messages = m.messages[:len(m.messages)-1]
		return tea.Println("error: " + done.err.Error())
	}
	m.messages = append(m.messages, Message{"assistant", answer})
	return tea.Println(answer + "\n(" + done.stats.String() + ")")
}
