package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns tests of answers that do not come to their end: none looks complete, the fault is that of whose it is, and a
// panic ends its request alone.

// lockedLog is read while requests write it.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// recorded makes the log readable.
func recorded(t *testing.T) *lockedLog {
	t.Helper()
	log, before := &lockedLog{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return log
}

// codes are the counters of chimera_requests_total that are not 0.
func (h *bench) codes() (list []string) {
	h.t.Helper()
	families, err := h.Metrics.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "chimera_requests_total" {
				list = append(list, fmt.Sprintf("%s: %v", m.Label[0].GetValue(), m.GetCounter().GetValue()))
			}
		}
	}
	return list
}

// A request ends before its answer does: by the client, by the server's stop, by an engine that fails, by a panic on any of its
// goroutines. Each has its status, for a whole answer and for a stream, and no stream ends as if it were whole.
func TestCutAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		cut    func(h *bench, end context.CancelCauseFunc)
		status int
		code   string
		says   string // in the log
	}{
		"the client went":  {func(_ *bench, end context.CancelCauseFunc) { end(nil) }, 499, "", ""},
		"the server stops": {func(_ *bench, end context.CancelCauseFunc) { end(scheduler.ErrDraining) }, 503, "shutting_down", ""},
		"the engine fails": {func(h *bench, _ context.CancelCauseFunc) {
			h.instance.mu.Lock()
			defer h.instance.mu.Unlock()
			h.instance.fail = func(int) error { return engine.ErrPoisoned }
		}, 500, "internal_error", "poisoned"},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream %t", name, stream), func(t *testing.T) {
				log := recorded(t)
				h := newBench(t, func([]int32) int32 { return 'a' })
				ctx, end := context.WithCancelCause(t.Context())
				h.client = ctx
				release := h.gateOpen(3, func() {
					h.until(func() bool { return !stream || h.streaming.Load() })
					c.cut(h, end)
				})
				r := h.post(textPath, fmt.Sprintf(`{"prompt":"x","max_tokens":250,"n":2,"stream":%t}`, stream))
				release()
				h.client = t.Context()
				h.wantCut(r, stream, c.status, c.code)
				if faulty := strings.Contains(log.String(), "level=ERROR"); faulty != (c.says != "") || !strings.Contains(log.String(), c.says) {
					t.Errorf("the log: %s", log)
				}
			})
		}
	}
}

// wantCut holds an answer to be one error, as what it is or as the last event.
func (h *bench) wantCut(r reply, stream bool, status int, code string) {
	h.t.Helper()
	if got := h.codes(); len(got) != 1 || got[0] != fmt.Sprintf("%d: 1", status) {
		h.t.Errorf("counted %q, want one %d", got, status)
	}
	if !stream {
		if p := r.problem(); r.status != status || p.Code != code {
			h.t.Errorf("status %d, %+v", r.status, p)
		}
		return
	}
	events := r.events()
	last := reply{t: h.t, body: []byte(events[len(events)-1])}
	if p := last.problem(); p.Code != code || r.broken == nil || strings.Contains(string(r.body), `"finish_reason":"`) {
		h.t.Errorf("the stream ends with %s, broken off: %v", last.body, r.broken)
	}
}

// bursting is a template that panics.
type bursting struct{}

func (bursting) Render(jsontext.Value) (Rendered, error) { panic("in the template") }
func (bursting) NamesRole(string) bool                   { return false }

// burstingEngine gives sequences that panic when they are read.
type burstingEngine struct{ sequence *scheduler.Sequence }

func (b burstingEngine) SubmitGroup(context.Context, []scheduler.Request) ([]*scheduler.Sequence, error) {
	return []*scheduler.Sequence{b.sequence}, nil
}

func TestPanicsEndOneRequest(t *testing.T) {
	sound := "{" + soundBodies[textPath] + "}"
	for name, c := range map[string]struct {
		arrange func(*bench)
		path    string
		body    string
	}{
		"in a handler":              {func(h *bench) { h.model.Template = bursting{} }, chatPath, "{" + soundBodies[chatPath] + "}"},
		"in the engine's way in":    {func(h *bench) { h.model.Engine = nil }, textPath, sound},
		"in a follower":             {func(h *bench) { h.model.Engine = burstingEngine{} }, textPath, sound},
		"in a stream's follower":    {func(h *bench) { h.model.Engine = burstingEngine{} }, textPath, "{" + soundBodies[textPath] + `,"stream":true}`},
		"in the writer of a stream": {func(h *bench) { h.Metrics.ttft = nil }, textPath, "{" + soundBodies[textPath] + `,"stream":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			log := recorded(t)
			h := newBench(t, letters)
			sane := *h.model
			c.arrange(h)
			stream := name == "in the writer of a stream" // all else comes before the first event
			h.wantCut(h.post(c.path, c.body), stream, 500, "internal_error")
			if text := log.String(); !strings.Contains(text, "panic: ") || !strings.Contains(text, "goroutine ") {
				t.Errorf("the log has no stack: %s", text)
			}
			*h.model = sane
			if h.Metrics.ttft != nil {
				h.complete(`"prompt":"x","max_tokens":2`)
			}
		})
	}
}

// wire serves the handlers on a connection and gives what comes over it.
func (h *bench) wire() func(request string) string {
	l := fasthttputil.NewInmemoryListener()
	server := &fasthttp.Server{Handler: h.handle, StreamRequestBody: true}
	go server.Serve(l)
	h.t.Cleanup(func() { l.Close() })
	return func(request string) string {
		h.t.Helper()
		c, err := l.Dial()
		if err != nil {
			h.t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, request); err != nil {
			h.t.Fatal(err)
		}
		all, _ := io.ReadAll(c)
		return string(all)
	}
}

// On the wire a whole stream has its last chunk, and one that was cut off has none.
func TestChunkedEnd(t *testing.T) {
	const lastChunk = "\r\n0\r\n\r\n"
	request := func(body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", textPath, len(body), body)
	}
	h := newBench(t, func([]int32) int32 { return 'a' })
	send := h.wire()
	if a := send(request(`{"prompt":"x","max_tokens":5,"stream":true}`)); !strings.Contains(a, "data: [DONE]") || !strings.HasSuffix(a, lastChunk) {
		t.Errorf("whole: %q", a)
	}
	ctx, end := context.WithCancelCause(t.Context())
	h.client = ctx
	h.streaming.Store(false)
	release := h.gateOpen(3, func() {
		h.until(h.streaming.Load)
		end(scheduler.ErrDraining)
	})
	a := send(request(`{"prompt":"x","max_tokens":200,"stream":true}`))
	release()
	if strings.HasSuffix(a, lastChunk) || !strings.Contains(a, "shutting_down") || strings.Contains(a, "[DONE]") {
		t.Errorf("cut off: %q", a)
	}
}

// HTTP/1.0 has no chunks: what is asked for as a stream is a whole answer, or an error like one, counted and logged once under
// the request's name.
func TestStreamsOfHTTP10(t *testing.T) {
	request := func(tokens int) string {
		body := fmt.Sprintf(`{"prompt":"x","max_tokens":%d,"stream":true}`, tokens)
		return fmt.Sprintf("POST %s HTTP/1.0\r\nX-Request-Id: mine\r\nContent-Length: %d\r\n\r\n%s", textPath, len(body), body)
	}
	for name, c := range map[string]struct {
		cut    func(h *bench, end context.CancelCauseFunc)
		status int
		says   string
	}{
		"whole":            {nil, 200, "data: [DONE]\n\n"},
		"the server stops": {func(_ *bench, end context.CancelCauseFunc) { end(scheduler.ErrDraining) }, 503, `"type":"server_error","param":null,"code":"shutting_down"}}`},
		"the client went":  {func(_ *bench, end context.CancelCauseFunc) { end(nil) }, 499, `"type":"client_gone"`},
		"the engine fails": {func(h *bench, _ context.CancelCauseFunc) {
			h.instance.mu.Lock()
			defer h.instance.mu.Unlock()
			h.instance.fail = func(int) error { return engine.ErrPoisoned }
		}, 500, `"code":"internal_error"`},
	} {
		t.Run(name, func(t *testing.T) {
			log := recorded(t)
			h := newBench(t, func([]int32) int32 { return 'a' })
			send, tokens := h.wire(), 5
			if c.cut != nil {
				ctx, end := context.WithCancelCause(t.Context())
				h.client = ctx
				defer h.gateOpen(3, func() { c.cut(h, end) })()
				tokens = 200
			}
			a := send(request(tokens))
			head, body, _ := strings.Cut(a, "\r\n\r\n")
			if !strings.Contains(head, fmt.Sprintf(" %d ", c.status)) || !strings.Contains(head, fmt.Sprintf("Content-Length: %d\r\n", len(body))) ||
				!strings.Contains(head, "X-Request-Id: mine") || strings.Contains(head, "chunked") || !strings.Contains(body, c.says) {
				t.Errorf("%s\n%s", head, body)
			}
			if stream := strings.Contains(head, "text/event-stream"); stream != (c.status == 200) || strings.Contains(body, "[DONE]") != stream {
				t.Errorf("%s\n%s", head, body)
			}
			if got := h.codes(); len(got) != 1 || got[0] != fmt.Sprintf("%d: 1", c.status) {
				t.Errorf("counted %q", got)
			}
			if n := strings.Count(log.String(), "msg=request id=mine "); n != 1 {
				t.Errorf("%d lines: %s", n, log)
			}
		})
	}
}

// stuck is a connection whose client takes so many bytes and no more.
type stuck struct {
	net.Conn
	left int
}

func (s *stuck) Write(b []byte) (int, error) {
	if s.left -= len(b); s.left < 0 {
		return 0, errors.New("write timed out")
	}
	return s.Conn.Write(b)
}

type stuckListener struct{ net.Listener }

func (l stuckListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &stuck{c, 2000}, err
}

// A client that does not read is cut off; that is its own fault, not the server's.
func TestSlowReaderIsAtFault(t *testing.T) {
	log := recorded(t)
	h := newBench(t, func([]int32) int32 { return 'a' })
	l := fasthttputil.NewInmemoryListener()
	go (&fasthttp.Server{Handler: h.handle, StreamRequestBody: true, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}).Serve(stuckListener{l})
	defer l.Close()
	c, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	body := `{"prompt":"x","max_tokens":200,"stream":true}`
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", textPath, len(body), body)
	_, _ = io.ReadAll(c)
	h.until(func() bool { return len(h.codes()) > 0 && h.scheduler.Snapshot().Running == 0 })
	if got := h.codes()[0]; got != "499: 1" || strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("counted %s; the log: %s", got, log)
	}
	_ = c.SetDeadline(time.Now())
}

// A body that does not come whole: by whose doing decides what the request counts as.
func TestBodiesThatDoNotCome(t *testing.T) {
	whole := "{" + soundBodies[textPath] + "}"
	for name, c := range map[string]struct {
		why    error // the request's context is done
		end    error // of the body
		size   int   // it announces
		status int
		code   string
	}{
		"the client went, by length": {context.Canceled, io.EOF, 1 << 16, 499, ""},
		"the client went, in chunks": {context.Canceled, io.ErrUnexpectedEOF, -1, 499, ""},
		"the client is late":         {os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, 1 << 16, 408, "bad_request"},
		"the client is late, chunks": {os.ErrDeadlineExceeded, errors.New("broken chunk"), -1, 408, "bad_request"},
		"the server stops":           {scheduler.ErrDraining, errors.New("broken chunk"), -1, 503, "shutting_down"},
		"shorter than it says":       {nil, io.EOF, 1 << 16, 400, "bad_body"},
		"chunks that are none":       {nil, errors.New("broken chunk"), -1, 400, "bad_body"},
		"as long as it says":         {nil, io.EOF, len(whole), 200, ""},
		"as long as its chunks":      {nil, io.EOF, -1, 200, ""},
	} {
		h := newBench(t, letters)
		if c.why != nil {
			ctx, end := context.WithCancelCause(t.Context())
			end(c.why)
			h.client = ctx
		}
		ctx := &fasthttp.RequestCtx{}
		ctx.Init(&fasthttp.Request{}, nil, nil)
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetRequestURI(textPath)
		ctx.Request.SetBodyStream(io.MultiReader(strings.NewReader(whole), failing{c.end}), c.size)
		h.Handle(ctx)
		r := reply{t: t, status: ctx.Response.StatusCode(), body: ctx.Response.Body()}
		if got := h.codes(); r.status != c.status || len(got) != 1 || got[0] != fmt.Sprintf("%d: 1", c.status) || c.status != 200 && r.problem().Code != c.code {
			t.Errorf("%s: counted %q, status %d: %s", name, got, r.status, r.body)
		}
	}
}

// failing is a body's end.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// An answer counts when it is written: a success that the client has not taken is none, and an error stays what it is.
func TestAnswersThatAreNotTaken(t *testing.T) {
	for _, c := range []struct {
		path    string
		failure error
		status  string
	}{
		{"/health/live", nil, "200: 1"}, {"/health/live", errors.New("write timed out"), "499: 1"},
		{"/nowhere", nil, "404: 1"}, {"/nowhere", errors.New("write timed out"), "404: 1"},
	} {
		h, log := newBench(t, letters), recorded(t)
		var written func(error)
		h.Written = func(_ *fasthttp.RequestCtx, f func(error)) { written = f }
		h.do("GET", c.path, "", "X-Request-Id", "mine")
		if got := h.codes(); len(got) > 0 || strings.Contains(log.String(), "msg=request") {
			t.Errorf("%s: counted %q before it is written", c.path, got)
		}
		written(c.failure)
		if got := h.codes(); len(got) != 1 || got[0] != c.status || !strings.Contains(log.String(), "id=mine method=GET path="+c.path+" status="+c.status[:3]) {
			t.Errorf("%s, %v: counted %q; the log: %s", c.path, c.failure, got, log)
		}
	}
}
