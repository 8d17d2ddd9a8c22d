package api

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
)

// This file owns server-sent events: one frame per flush, an error as a frame, and the end mark.

// sse writes frames to a client.
type sse struct {
	w *bufio.Writer
}

// send writes one event; the client has it when send returns.
func (s sse) send(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	return s.frame(b)
}

func (s sse) frame(data []byte) error {
	s.w.WriteString("data: ")
	s.w.Write(data)
	s.w.WriteString("\n\n")
	return s.w.Flush()
}

// stream answers with what produce sends. Errors before the first event cannot happen here: the
// endpoints check all they can before. Later ones become an event of their own.
func (c *call) stream(produce func(sse) error) {
	c.streams = true
	c.SetContentType("text/event-stream")
	c.Response.Header.Set("Cache-Control", "no-cache")
	c.Response.Header.Set("X-Accel-Buffering", "no") // proxies must pass each event on at once
	c.Response.ImmediateHeaderFlush = true
	c.SetBodyStreamWriter(func(w *bufio.Writer) {
		s := sse{w}
		status := 200
		switch err := produce(s); {
		case err == nil:
			_ = s.frame([]byte("[DONE]"))
		case errors.Is(err, context.Canceled):
			status = statusClientGone
		default:
			h := toHTTP(err)
			status = h.Status
			slog.Error("stream failed", "status", status, "cause", err)
			_ = s.frame(h.body())
		}
		c.finish(status)
	})
}

// withUsage tells whether a stream ends with the usage. If so all other chunks have the member as null,
// else none has it: none is what to set it to.
func (g *generation) withUsage() (with bool, none any) {
	if g.StreamOptions != nil && or(g.StreamOptions.IncludeUsage, false) {
		return true, (*usage)(nil)
	}
	return false, nil
}
