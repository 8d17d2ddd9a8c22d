package api

import (
	"bytes"
	"fmt"
	"io"
)

// This file owns server-sent events: one frame per write, an error as a frame, and the end mark.

// sse writes frames to a client.
type sse struct {
	w io.Writer
}

// send writes one event.
func (s sse) send(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	return s.frame(b)
}

// frame fails when the client has gone, or does not read.
func (s sse) frame(data []byte) error {
	frame := append(append([]byte("data: "), data...), "\n\n"...)
	if _, err := s.w.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// stream answers with what produce sends. Errors before the first event are none of its: there is a token by now. Later ones become an event of their own, and the body then breaks off: a client
// that does not know the event must not take what it has for the whole answer.
//
// Rejected: fasthttp's SetBodyStreamWriter, whose bodies can't break off, and which leaves a panic to end the process.
//
// HTTP/1.0 has no chunks, so its answers are whole: an error comes instead of the events.
func (c *call) stream(produce func(sse) error) error {
	if !c.Request.Header.IsHTTP11() {
		return c.streamWhole(produce)
	}
	c.streams = true
	c.headStream()
	c.Response.Header.Set("X-Accel-Buffering", "no") // proxies must pass each event on at once
	c.Response.ImmediateHeaderFlush = true
	read, write := io.Pipe()
	c.SetBodyStream(read, -1)
	go func() {
		s := sse{write}
		err := c.endStream(s, protect(func() error { return produce(s) }))
		write.CloseWithError(err)
	}()
	return nil
}

func (c *call) headStream() {
	c.SetContentType("text/event-stream")
	c.Response.Header.Set("Cache-Control", "no-cache")
}

func (c *call) streamWhole(produce func(sse) error) error {
	var events bytes.Buffer
	s := sse{&events}
	if err := produce(s); err != nil {
		return err
	}
	c.headStream()
	_ = s.frame([]byte("[DONE]")) // a buffer takes all
	c.SetBody(events.Bytes())
	return nil
}

// endStream writes the end mark, or why there is none. What it returns is nil for a whole answer.
func (c *call) endStream(s sse, err error) error {
	if err == nil {
		_ = s.frame([]byte("[DONE]"))
		c.finish(200)
		return nil
	}
	h := c.toHTTP(err)
	c.logFailure(h)
	_ = s.frame(h.body()) // nobody may be there to read it
	c.finish(h.Status)
	return h
}

// withUsage tells whether a stream ends with the usage. If so all other chunks have the member as null,
// else none has it: none is what to set it to.
func (g *generation) withUsage() (with bool, none any) {
	if g.StreamOptions != nil && or(g.StreamOptions.IncludeUsage, false) {
		return true, (*usage)(nil)
	}
	return false, nil
}
