package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns how urgent a request is and for whose share it counts: what its header lines say, what holds where they are
// silent, and that it is refused before its text is tokenised where its answer would come too late.

// The header lines.
const (
	classHeader    = "X-Chimera-Class"
	priorityHeader = "X-Chimera-Priority"
	deadlineHeader = "X-Chimera-Deadline-Ms"
)

// MaxDeadline bounds deadlines: nobody waits longer for a first token.
const MaxDeadline = 24 * time.Hour

// classes are the words for them.
var classes = map[string]scheduler.Class{"interactive": scheduler.Interactive, "batch": scheduler.Batch, "background": scheduler.Background}

// urgency is what a request says of itself.
type urgency struct {
	class    scheduler.Class
	priority int
	patience time.Duration // from its arrival to its first token; 0: it waits for ever
	tenant   string
}

// deadline is when the first token is due of a request that came then.
func (u urgency) deadline(came time.Time) time.Time {
	if u.patience == 0 {
		return time.Time{}
	}
	return came.Add(u.patience)
}

// attrs are what the log says of it beyond the ordinary.
func (u urgency) attrs() (list []slog.Attr) {
	for word, class := range classes {
		if class == u.class && class != scheduler.Interactive {
			list = append(list, slog.String("class", word))
		}
	}
	if u.tenant != "" {
		list = append(list, slog.String("tenant", u.tenant))
	}
	return list
}

// readUrgency reads the header lines. It comes before the body: what is wrong is known at once.
func (c *call) readUrgency() error {
	u := urgency{priority: scheduler.DefaultPriority}
	value, err := c.oneLine(classHeader)
	if err != nil {
		return err
	}
	var known bool
	if u.class, known = classes[value]; value != "" && !known {
		return badHeader(classHeader, value, "it must be interactive, batch or background")
	}
	if value, err = c.oneLine(priorityHeader); err != nil {
		return err
	}
	if value != "" {
		if u.priority, err = strconv.Atoi(value); err != nil || u.priority < 0 || u.priority > 9 || len(value) != 1 {
			return badHeader(priorityHeader, value, "it must be a digit from 0 to 9")
		}
	}
	if value, err = c.oneLine(deadlineHeader); err != nil {
		return err
	}
	if value != "" {
		ms, err := strconv.ParseUint(value, 10, 64)
		if most := uint64(MaxDeadline / time.Millisecond); err != nil || ms == 0 || ms > most {
			return badHeader(deadlineHeader, value, fmt.Sprintf("it must be a number of milliseconds from 1 to %d", most))
		}
		u.patience = time.Duration(ms) * time.Millisecond
	} else if c.server.Deadline != nil {
		u.patience = c.server.Deadline(u.class)
	}
	u.tenant = c.tenant()
	c.urgency, c.generates = u, true
	return nil
}

// oneLine is a header line's value: "" where there is none. Of two nobody knows which is meant.
func (c *call) oneLine(name string) (string, error) {
	lines := c.Request.Header.PeekAll(name)
	switch {
	case len(lines) == 0:
		return "", nil
	case len(lines) > 1:
		return "", badHeader(name, fmt.Sprintf("%d lines", len(lines)), "it may stand once")
	case len(lines[0]) == 0:
		return "", badHeader(name, "it is empty", "leave it out")
	}
	return string(lines[0]), nil
}

// badHeader is a 400 that names the header line.
func badHeader(name, value, want string) *HTTPError {
	h := badField(name, "%s, %s", clip(validUTF8(value), maxParam), want)
	h.Code = "invalid_header"
	return h
}

// tenant is for whose share the request counts.
func (c *call) tenant() string {
	if c.server.Tenant == nil {
		return ""
	}
	return c.server.Tenant(c.peer, c.key())
}

// Prechecker is an engine that can refuse a request by its size, before there are tokens. *scheduler.Lane is to be one.
type Prechecker interface {
	Precheck(scheduler.Ask) error
}

// precheck asks the engine whether the request may be worth tokenising.
func (c *call) precheck(m *Model, size promptSize, choices int, answerTokens int64) error {
	e, can := m.Engine.(Prechecker)
	if !can {
		return nil
	}
	ask := scheduler.Ask{
		PromptBytes: size.bytes, PromptTokens: size.tokens, Prompts: size.prompts, Answers: size.prompts * choices,
		Class: c.urgency.class, Tenant: c.urgency.tenant, Deadline: c.urgency.deadline(c.started),
	}
	err := e.Precheck(ask)
	if err != nil && m.Ended != nil {
		for range ask.Answers {
			m.Ended(Ended{Ask: &ask, Answer: int(min(answerTokens, int64(m.MaxContext))), Arrived: c.started, Refused: err, Request: scheduler.Request{
				Class: ask.Class, Tenant: ask.Tenant, Deadline: ask.Deadline, Priority: c.urgency.priority,
			}})
		}
	}
	return err
}

// promptSize is the least that prompts come to.
type promptSize struct{ prompts, bytes, tokens int }

// sizeOf is that of a completion's prompts.
func sizeOf(prompts []textOrIDs) (s promptSize) {
	s.prompts = len(prompts)
	for _, p := range prompts {
		s.bytes += len(p.text)
		s.tokens += len(p.ids)
	}
	return s
}

// textBytes is the least that the texts of a conversation come to: members content and text that are strings. An escape counts
// as one byte.
func textBytes(messages jsontext.Value) (n int) {
	counts := false
	for i := 0; i < len(messages); i++ {
		if messages[i] != '"' {
			continue
		}
		first, length := i+1, 0
		for i++; i < len(messages) && messages[i] != '"'; i++ {
			if length++; messages[i] == '\\' {
				if i++; i < len(messages) && messages[i] == 'u' {
					i += 4
				}
			}
		}
		rest := bytes.TrimLeft(messages[min(i+1, len(messages)):], " \t\r\n")
		switch isName := len(rest) > 0 && rest[0] == ':'; {
		case isName:
			name := string(messages[first:min(i, len(messages))])
			counts = name == "content" || name == "text"
		case counts:
			n += length
		}
	}
	return n
}
