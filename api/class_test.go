package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"chimera/scheduler"
)

// This file owns tests of how urgent a request is, for whose share it counts, and how it is refused.

// watchedEngine notes what it is asked, and refuses as it is told.
type watchedEngine struct {
	Engine
	asks     []scheduler.Ask
	requests []scheduler.Request
	precheck error
	submit   error
}

func (e *watchedEngine) Precheck(a scheduler.Ask) error {
	e.asks = append(e.asks, a)
	return e.precheck
}

func (e *watchedEngine) SubmitGroup(ctx context.Context, r []scheduler.Request) ([]*scheduler.Sequence, error) {
	e.requests = append(e.requests, r...)
	if e.submit != nil {
		return nil, e.submit
	}
	return e.Engine.SubmitGroup(ctx, r)
}

func newWatched(t *testing.T) (*bench, *watchedEngine) {
	h := newBench(t, letters)
	e := &watchedEngine{Engine: h.model.Engine}
	h.model.Engine = e
	return h, e
}

// Every header line, and what the engine is told. What is wrong is a 400 that names the line, before the body is read.
func TestUrgencyHeaders(t *testing.T) {
	h, e := newWatched(t)
	h.Deadline = func(c scheduler.Class) time.Duration {
		return map[scheduler.Class]time.Duration{scheduler.Interactive: time.Minute, scheduler.Batch: time.Hour}[c]
	}
	h.Tenant = func(p Peer, key string) string { return "tenant of " + key }
	for _, c := range []struct {
		name, value string
		bad         string
		class       scheduler.Class
		priority    int
		patience    time.Duration
	}{
		{"", "", "", scheduler.Interactive, 5, time.Minute},
		{"x-chimera-class", "interactive", "", scheduler.Interactive, 5, time.Minute},
		{"X-Chimera-Class", "batch", "", scheduler.Batch, 5, time.Hour},
		{"x-chimera-class", "background", "", scheduler.Background, 5, 0},
		{"x-chimera-class", "Batch", "it must be interactive, batch or background", 0, 0, 0},
		{"x-chimera-class", "fast", "fast, it must be", 0, 0, 0},
		{"x-chimera-class", "", "it is empty", 0, 0, 0},
		{"x-chimera-priority", "0", "", 0, 0, time.Minute},
		{"x-chimera-priority", "9", "", 0, 9, time.Minute},
		{"x-chimera-priority", "10", "10, it must be a digit from 0 to 9", 0, 0, 0},
		{"x-chimera-priority", "-1", "-1, it must be", 0, 0, 0},
		{"x-chimera-priority", "+1", "+1, it must be", 0, 0, 0},
		{"x-chimera-priority", "05", "05, it must be", 0, 0, 0},
		{"x-chimera-priority", "5.0", "it must be", 0, 0, 0},
		{"x-chimera-priority", "high", "it must be", 0, 0, 0},
		{"x-chimera-deadline-ms", "1500", "", 0, 5, 1500 * time.Millisecond},
		{"x-chimera-deadline-ms", "86400000", "", 0, 5, 24 * time.Hour},
		{"x-chimera-deadline-ms", "86400001", "from 1 to 86400000", 0, 0, 0},
		{"x-chimera-deadline-ms", "0", "0, it must be a number of milliseconds", 0, 0, 0},
		{"x-chimera-deadline-ms", "-5", "-5, it must be", 0, 0, 0},
		{"x-chimera-deadline-ms", "1e3", "it must be", 0, 0, 0},
		{"x-chimera-deadline-ms", "99999999999999999999", "it must be", 0, 0, 0},
		{"x-chimera-deadline-ms", strings.Repeat("7", 5000), "it must be", 0, 0, 0},
		{"x-chimera-deadline-ms", "\xff", "it must be", 0, 0, 0},
	} {
		for _, path := range strings.Fields(both) {
			e.asks, e.requests = nil, nil
			head := []string{"Authorization", "Bearer k"}
			if c.name != "" {
				head = append(head, c.name, c.value)
			}
			before := time.Now()
			r := h.do("POST", path, "{"+soundBodies[path]+`,"n":2}`, head...)
			if c.bad != "" {
				p := r.problem()
				if r.status != 400 || p.Code != "invalid_header" || !strings.EqualFold(p.Param, c.name) || !strings.Contains(p.Message, c.bad) || len(p.Message) > 300 || len(e.asks)+len(e.requests) > 0 {
					t.Errorf("%s: %.20s: status %d, %+v", c.name, c.value, r.status, p)
				}
				continue
			}
			if r.status != 200 || len(e.requests) != 2 || len(e.asks) != 1 {
				t.Fatalf("%s: %s: status %d: %s", c.name, c.value, r.status, r.body)
			}
			for _, q := range e.requests {
				after := q.Deadline.Sub(before)
				if q.Class != c.class || q.Priority != c.priority || q.Tenant != "tenant of k" || (c.patience == 0) != q.Deadline.IsZero() ||
					c.patience > 0 && (after < c.patience || after > c.patience+5*time.Second) {
					t.Errorf("%s: %s: %+v", c.name, c.value, q)
				}
			}
			if a := e.asks[0]; a.Class != c.class || a.Answers != 2 || a.Tenant != "tenant of k" || !a.Deadline.Equal(e.requests[0].Deadline) {
				t.Errorf("%s: %s: asked %+v", c.name, c.value, a)
			}
		}
	}
}

func TestUrgencyInTheLog(t *testing.T) {
	log := recorded(t)
	h := newBench(t, letters)
	h.Tenant = func(Peer, string) string { return "night" }
	h.do("POST", textPath, "{"+soundBodies[textPath]+"}", classHeader, "batch")
	if text := log.String(); !strings.Contains(text, " class=batch tenant=night") {
		t.Errorf("%s", text)
	}
	h.Tenant = nil
	h.post(textPath, "{"+soundBodies[textPath]+"}")
	if text := log.String(); strings.Count(text, "class=") != 1 || strings.Count(text, "tenant=") != 1 {
		t.Errorf("%s", text)
	}
}

func TestUrgencyLineTwice(t *testing.T) {
	h := newBench(t, letters)
	send := h.wire()
	body := "{" + soundBodies[textPath] + "}"
	a := send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-chimera-class: batch\r\nX-CHIMERA-CLASS: background\r\nContent-Length: %d\r\n\r\n%s", textPath, len(body), body))
	if !strings.HasPrefix(a, "HTTP/1.1 400 ") || !strings.Contains(a, "2 lines, it may stand once") {
		t.Errorf("%q", a)
	}
}

// Deadlines count from a request's last byte, however long it took to send.
func TestDeadlinesCountFromTheLastByte(t *testing.T) {
	came := time.Unix(1000, 0)
	if got := (urgency{patience: time.Second}).deadline(came); !got.Equal(time.Unix(1001, 0)) {
		t.Errorf("%v", got)
	}
	h, e := newWatched(t)
	ctx := slowly(h, 50*time.Millisecond)
	h.Handle(ctx)
	if len(e.requests) != 1 || time.Until(e.requests[0].Deadline) < time.Hour-40*time.Millisecond {
		t.Errorf("%s: %+v", ctx.Response.Body(), e.requests)
	}
}

// slowly is a request whose body takes a while.
func slowly(h *bench, d time.Duration) *fasthttp.RequestCtx {
	var request fasthttp.Request
	request.Header.SetMethod("POST")
	request.SetRequestURI(textPath)
	request.Header.Set(deadlineHeader, "3600000")
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&request, nil, nil)
	ctx.Request.SetBodyStream(&lateBody{strings.NewReader("{" + soundBodies[textPath] + "}"), d}, -1)
	return ctx
}

type lateBody struct {
	*strings.Reader
	after time.Duration
}

func (b *lateBody) Read(p []byte) (int, error) {
	time.Sleep(b.after)
	b.after = 0
	return b.Reader.Read(p)
}

// Which header line is the key.
func TestKeys(t *testing.T) {
	h, e := newWatched(t)
	h.Tenant = func(_ Peer, key string) string { return key }
	for want, head := range map[string][]string{
		"":  {},
		"a": {"Authorization", "Bearer a"}, "b": {"X-Api-Key", "b"}, "c": {"Api-Key", "c"}, "d": {"authorization", "bEARER  d "},
		"e": {"Authorization", "Basic x", "X-Api-Key", "e"}, "f": {"Authorization", "Bearer f", "X-Api-Key", "g"}, "h": {"Authorization", "Bearer ", "Api-Key", "h"},
	} {
		e.requests = nil
		h.do("POST", textPath, "{"+soundBodies[textPath]+"}", head...)
		if len(e.requests) != 1 || e.requests[0].Tenant != want {
			t.Errorf("%q: %q", head, e.requests[0].Tenant)
		}
	}
}

// A refusal has a prediction of when to come again, on both endpoints, plain and as a stream: no head has been sent.
func TestOverload(t *testing.T) {
	full := &scheduler.OverloadError{RetryAfter: 2300 * time.Millisecond, Err: scheduler.ErrQueueFull}
	late := &scheduler.OverloadError{RetryAfter: time.Minute, Err: scheduler.ErrDeadline}
	never := &scheduler.OverloadError{RetryAfter: 300 * time.Millisecond, Least: 230*time.Millisecond + 1, Err: scheduler.ErrDeadline}
	soon := fmt.Errorf("lane: %w", &scheduler.OverloadError{Err: scheduler.ErrQueueFull})
	long := &scheduler.OverloadError{RetryAfter: math.MaxInt64, Err: scheduler.ErrQueueFull}
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{full, 429, "queue_full", "3"}, {late, 429, "overloaded", "60"}, {never, 429, "deadline_too_short", ""}, {soon, 429, "queue_full", "1"}, {long, 429, "queue_full", "86400"},
		{scheduler.ErrQueueFull, 429, "queue_full", "1"}, {scheduler.ErrDeadline, 503, "deadline_exceeded", "1"}, {scheduler.ErrDraining, 503, "shutting_down", "1"},
	} {
		for _, refuse := range []func(*watchedEngine){func(e *watchedEngine) { e.precheck = c.err }, func(e *watchedEngine) { e.submit = c.err }} {
			for _, path := range strings.Fields(both) {
				for _, stream := range []string{"", `,"stream":true`} {
					h, e := newWatched(t)
					refuse(e)
					r := h.post(path, "{"+soundBodies[path]+stream+"}")
					if p := r.problem(); r.status != c.status || p.Code != c.code || string(r.header.Peek("Retry-After")) != c.retry || p.Message == "" ||
						strings.Contains(p.Message, " 231 ms") != (c.err == never) || strings.Contains(p.Message, deadlineHeader) != errors.Is(c.err, scheduler.ErrDeadline) { // more time may help
						t.Errorf("%v: status %d, %s, %+v", c.err, r.status, r.header.Peek("Retry-After"), p)
					} else if code := h.codes(); len(code) != 1 || code[0] != fmt.Sprintf("%d: 1", c.status) {
						t.Errorf("%v: counted %q", c.err, code)
					}
				}
			}
		}
	}
}

// expiring is an engine whose sequences end in the queue.
func expired(t *testing.T, h *bench) Engine {
	t.Helper()
	return engineFunc(func(ctx context.Context, r []scheduler.Request) ([]*scheduler.Sequence, error) {
		h.instance.mu.Lock()
		h.instance.fail = func(int) error { return scheduler.ErrDeadline }
		h.instance.mu.Unlock()
		return h.scheduler.SubmitGroup(ctx, r)
	})
}

type engineFunc func(context.Context, []scheduler.Request) ([]*scheduler.Sequence, error)

func (f engineFunc) SubmitGroup(ctx context.Context, r []scheduler.Request) ([]*scheduler.Sequence, error) {
	return f(ctx, r)
}

// A deadline that passes before the first token is 503, of a stream too: its head waits for the first event.
func TestDeadlineBeforeTheFirstToken(t *testing.T) {
	for _, path := range strings.Fields(both) {
		for _, stream := range []string{"", `,"stream":true`, `,"stream":true,"n":3`} {
			h := newBench(t, letters)
			h.model.Engine = expired(t, h)
			r := h.post(path, "{"+soundBodies[path]+stream+"}")
			if p := r.problem(); r.status != 503 || p.Code != "deadline_exceeded" || len(r.header.Peek("Retry-After")) == 0 {
				t.Errorf("%s%s: status %d: %s", path, stream, r.status, r.body)
			}
			if code := h.codes(); len(code) != 1 || code[0] != "503: 1" {
				t.Errorf("%s%s: counted %q", path, stream, code)
			}
		}
	}
}

// What is refused by its size is neither rendered nor tokenised.
func TestRefusedBeforeTokenising(t *testing.T) {
	h, e := newWatched(t)
	h.model.Template = bursting{}
	e.precheck = &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	text := strings.Repeat("x", 1<<20)
	for path, body := range map[string]string{textPath: `{"prompt":"` + text + `"}`, chatPath: `{"messages":[{"role":"user","content":"` + text + `"}]}`} {
		e.asks = nil
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := h.post(path, body)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; r.status != 429 || r.problem().Code != "queue_full" || taken > 20<<20 {
			t.Errorf("%s: status %d, %d MiB allocated: %.200s", path, r.status, taken>>20, r.body)
		}
		if len(e.asks) != 1 || e.asks[0].PromptBytes != len(text) || e.asks[0].Answers != 1 || len(e.requests) > 0 {
			t.Errorf("%s: asked %+v", path, e.asks)
		}
	}
}

// The figures that the engine is asked with are lower bounds.
func TestPromptSizes(t *testing.T) {
	h, e := newWatched(t)
	for body, want := range map[string]scheduler.Ask{
		`{"prompt":"abc"}`:                      {PromptBytes: 3, Prompts: 1, Answers: 1},
		`{"prompt":["ab","cde"],"n":3}`:         {PromptBytes: 5, Prompts: 2, Answers: 6},
		`{"prompt":[1,2,3]}`:                    {PromptTokens: 3, Prompts: 1, Answers: 1},
		`{"prompt":[[1],[2,3]],"n":2}`:          {PromptTokens: 3, Prompts: 2, Answers: 4},
		`{"prompt":"a\u00e9\n","max_tokens":1}`: {PromptBytes: 4, Prompts: 1, Answers: 1},
	} {
		e.asks = nil
		h.post(textPath, body)
		if len(e.asks) != 1 || e.asks[0] != want {
			t.Errorf("%s: %+v", body, e.asks)
		}
	}
	for messages, want := range map[string]int{
		`[{"role":"user","content":"abc"}]`:                                              3,
		`[{"role" : "user", "content" : "a\n\u00e9\"\\b"}, {"content":"xy","role":"r"}]`: 8,
		`[{"role":"user","content":[{"type":"text","text":"abcd"},{"text":"e"}]}]`:       5,
		`[{"role":"user","content":null,"name":"content"}]`:                              0,
		`[]`: 0, `["`: 0, `["content":"\`: 1, `["content":"\u`: 1, `"`: 0,
	} {
		if got := textBytes(jsontext.Value(messages)); got != want {
			t.Errorf("%s: %d, want %d", messages, got, want)
		}
	}
}

func TestPreflightOfUrgency(t *testing.T) {
	h := newBench(t, letters)
	h.Sites.Origins = []string{"https://ui.example"}
	names := strings.ToLower(classHeader + "," + priorityHeader + "," + deadlineHeader)
	r := h.do("OPTIONS", chatPath, "", "Origin", "https://ui.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", names)
	if r.status != 204 || string(r.header.Peek("Access-Control-Allow-Headers")) != names {
		t.Errorf("status %d: %s", r.status, r.header)
	}
}

func TestRetrySeconds(t *testing.T) {
	for after, want := range map[time.Duration]int{-time.Second: 1, 0: 1, time.Millisecond: 1, time.Second: 1, time.Second + 1: 2, time.Hour: 3600} {
		if got := (&HTTPError{RetryAfter: after}).retrySeconds(); got != want {
			t.Errorf("%v: %d", after, got)
		}
	}
	if h := toHTTP(errors.Join(errors.New("x"), scheduler.ErrDeadline)); h.Status != 503 {
		t.Errorf("%v", h)
	}
}
