package client

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"

	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"
)

// This file owns the interactive conversation.

// Conversation runs a chat in a terminal, and keeps what the user sends in the file at historyPath, if
// one is named, for the next. It returns when the user ends it, or with ctx's error.
func Conversation(ctx context.Context, c *Client, o Options, system, historyPath string) error {
	m := newChatModel(ctx, c, o, system, history{historyPath})
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithoutSignalHandler())
	m.send = p.Send
	c.Loading.Report = func(percent int) { p.Send(lineMsg(LoadingLine(percent))) }
	c.Loading.Done = func() { p.Send(lineMsg("")) }
	signals := make(chan os.Signal, 1) // its own handler would take one SIGINT for the end
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	go func() {
		for range signals {
			p.Send(interruptMsg{})
		}
	}()
	_, err := p.Run()
	return err
}

// chatModel is the terminal program's state. What is finished, to the last line of the answer under way, is printed
// above and becomes the terminal's own scrollback; only that line and the input are drawn.
type chatModel struct {
	ctx     context.Context
	client  *Client
	options Options
	system  string
	send    func(tea.Msg)

	input    textarea.Model
	greeted  bool
	width    atomic.Int64 // of the terminal; the goroutine that answers reads it
	messages []Message
	history  history
	sent     []string // what the user sent, now and earlier, for Up and Down
	at       int      // place in sent
	draft    string   // what stood in the input before Up

	stop        context.CancelFunc // ends the answer under way, if one is
	line        string             // its last, or what it waits for
	interrupted bool               // Ctrl+C was the last key
}

type (
	lineMsg      string // the last line of the answer so far
	interruptMsg struct{}
	doneMsg      struct {
		answer, line string // all of it, and what is not printed yet
		stats        Stats
		err          error
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

// Init implements tea.Model.
func (m *chatModel) Init() tea.Cmd { return m.input.Focus() }

// greet begins the conversation, once the terminal has told its width.
func (m *chatModel) greet() tea.Cmd {
	sent, err := m.history.load()
	m.sent, m.at, m.greeted = sent, len(sent), true
	return tea.Sequence(m.say(chatHelp()), m.notKept(err))
}

func (m *chatModel) resize(width int) tea.Cmd {
	m.width.Store(int64(width))
	m.input.SetWidth(width)
	if m.greeted {
		return nil
	}
	return m.greet()
}

// say prints text above.
func (m *chatModel) say(text string) tea.Cmd {
	return tea.Println(wrapped(Visible(text), m.columns()))
}

// columns leaves one for the mark behind an answer's last line.
func (m *chatModel) columns() int { return int(m.width.Load()) - 1 }

// notKept says that the history failed, once: the conversation itself goes on without.
func (m *chatModel) notKept(err error) tea.Cmd {
	if err == nil {
		return nil
	}
	m.history = history{}
	return m.say("(what you send is not kept: " + err.Error() + ")")
}

// View implements tea.Model.
func (m *chatModel) View() tea.View {
	if m.stop != nil {
		return tea.NewView(strings.TrimRight(m.line, " ") + "▏\n")
	}
	return tea.NewView(m.input.View())
}

// Update implements tea.Model.
func (m *chatModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		return m, m.resize(msg.Width)
	case lineMsg:
		m.line = string(msg)
		return m, nil
	case doneMsg:
		return m, m.finish(msg)
	case interruptMsg:
		return m, m.interrupt()
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+c" {
			return m, m.interrupt()
		}
		m.interrupted = false
		if cmd, handled := m.key(msg.String()); handled {
			return m, cmd
		}
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(msg)
	return m, cmd
}

// interrupt stops the answer, or forgets what was typed; where there is neither, or right after an answer
// was stopped, a second one ends the conversation.
func (m *chatModel) interrupt() tea.Cmd {
	switch {
	case m.interrupted:
		return tea.Quit
	case m.stop != nil:
		m.interrupted = true
		m.stop()
		return nil
	case m.input.Value() != "":
		m.input.Reset()
		return nil
	}
	m.interrupted = true
	return m.say("(Ctrl+C again, Ctrl+D or /bye ends the conversation)")
}

func (m *chatModel) key(key string) (cmd tea.Cmd, handled bool) {
	switch key {
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

// recall walks through what was sent, where the cursor cannot move within the input itself. Behind the last
// stands what was being typed.
func (m *chatModel) recall(step int) bool {
	last := m.input.LineCount() - 1
	if (step < 0 && m.input.Line() > 0) || (step > 0 && m.input.Line() < last) {
		return false
	}
	if m.at == len(m.sent) {
		m.draft = m.input.Value()
	}
	m.at = min(max(m.at+step, 0), len(m.sent))
	text := m.draft
	if m.at < len(m.sent) {
		text = m.sent[m.at]
	}
	m.input.SetValue(text)
	return true
}

func (m *chatModel) submit() tea.Cmd {
	typed := m.input.Value()
	text := strings.TrimSpace(typed)
	if text == "" || m.stop != nil {
		return nil
	}
	m.input.Reset()
	m.draft = ""
	if isCommand(typed) {
		m.at = len(m.sent)
		return m.command(text)
	}
	m.sent = append(m.sent, text)
	m.at = len(m.sent)
	warning := m.notKept(m.history.add(text))
	m.messages = append(m.messages, Message{"user", text})
	return tea.Sequence(m.say("> "+strings.ReplaceAll(text, "\n", "\n  ")), warning, m.ask())
}

// ask is the answer to the messages so far. Its goroutine alone prints meanwhile, so that lines keep their order.
func (m *chatModel) ask() tea.Cmd {
	ctx, stop := context.WithCancel(m.ctx)
	m.stop, m.line = stop, ""
	messages := append([]Message(nil), m.messages...)
	return func() tea.Msg {
		defer stop()
		var answer strings.Builder
		var filter visible
		var lines wrapper
		stats, err := m.client.Chat(ctx, messages, m.options, func(text string) {
			answer.WriteString(text)
			m.printLines(lines.add(filter.take(text), m.columns()))
			m.send(lineMsg(lines.line))
		})
		m.printLines(lines.add(filter.rest(), m.columns()))
		return doneMsg{answer.String(), lines.line, stats, err}
	}
}

func (m *chatModel) printLines(lines []string) {
	if len(lines) == 0 {
		return
	}
	text := strings.Join(lines, "\n")
	if text == "" {
		text = " " // an empty text prints no line at all
	}
	m.send(tea.Println(text)())
}

// finish prints the end of the answer. What came of one that was stopped or failed stays in the conversation, so that
// the next question may ask to go on; a question that got no answer at all is taken back.
func (m *chatModel) finish(done doneMsg) tea.Cmd {
	m.stop, m.line = nil, ""
	if done.answer == "" && done.err != nil {
		m.messages = m.messages[:len(m.messages)-1]
	} else {
		m.messages = append(m.messages, Message{"assistant", done.answer})
	}
	end := "(" + done.stats.String() + ")"
	switch {
	case errors.Is(done.err, context.Canceled) && m.ctx.Err() == nil:
		end = "(stopped)"
	case done.err != nil:
		end = "error: " + done.err.Error()
	}
	if done.line != "" {
		end = done.line + "\n" + end
	}
	return m.say(end)
}
