package api

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"chimera/scheduler"
)

// This file owns tests of who a request is from, how it is named, and what the log says of it.

// asked keeps the tenants of what is submitted.
type asked struct {
	Engine
	tenants []string
}

func (a *asked) SubmitGroup(ctx context.Context, requests []scheduler.Request) ([]*scheduler.Sequence, error) {
	for _, r := range requests {
		a.tenants = append(a.tenants, r.Salt)
	}
	return a.Engine.SubmitGroup(ctx, requests)
}

// Requests are of one tenant if they are of one user of the Unix socket, or have one API key over TCP; those without a key are
// of one. All choices of a request are of its tenant.
func TestTenants(t *testing.T) {
	user := func(uid uint32) Peer { return Peer{Unix: true, UID: uid} }
	senders := []struct {
		peer Peer
		head []string
	}{
		{user(0), nil}, {user(1000), nil}, {Peer{}, nil}, {Peer{}, []string{"Authorization", "Bearer a"}}, {Peer{}, []string{"Authorization", "Bearer b"}},
		{Peer{}, []string{"Authorization", "Bearer uid 1000"}}, {Peer{}, []string{"X-Api-Key", "a"}}, {Peer{}, []string{"Api-Key", "a"}},
		{Peer{}, []string{"Authorization", `a" "b`}}, {Peer{}, []string{"Authorization", "a", "X-Api-Key", "b"}},
	}
	for _, isolate := range []bool{true, false} {
		h := newBench(t, letters)
		h.IsolateTenants = isolate
		engine := &asked{Engine: h.model.Engine}
		h.model.Engine = engine
		seen := map[string]int{}
		for i, s := range senders {
			for _, path := range []string{chatPath, textPath} {
				h.from(s.peer, Sites{})
				engine.tenants = nil
				if r := h.do("POST", path, "{"+soundBodies[path]+`,"n":2}`, s.head...); r.status != 200 || len(engine.tenants) != 2 || engine.tenants[0] != engine.tenants[1] {
					t.Fatalf("status %d, tenants %q: %s", r.status, engine.tenants, r.body)
				}
				tenant := engine.tenants[0]
				if before, known := seen[tenant]; isolate && known && before != i {
					t.Errorf("%+v and %+v are both %q", senders[before], s, tenant)
				}
				seen[tenant] = i
			}
		}
		if want := map[bool]int{true: len(senders), false: 1}[isolate]; len(seen) != want {
			t.Errorf("isolate %t: %d tenants, want %d: %v", isolate, len(seen), want, seen)
		}
		if _, shared := seen[""]; shared == isolate {
			t.Errorf("isolate %t: the shared tenant is used: %t", isolate, shared)
		}
	}
}

// A key is one tenant's however its scheme is written; what is another key, scheme or line is another's.
func TestTenantsOfOneKey(t *testing.T) {
	h := newBench(t, letters)
	h.IsolateTenants = true
	engine := &asked{Engine: h.model.Engine}
	h.model.Engine = engine
	tenant := func(name, value string) string {
		h.from(Peer{}, Sites{})
		engine.tenants = nil
		if r := h.do("POST", textPath, "{"+soundBodies[textPath]+"}", name, value); r.status != 200 || len(engine.tenants) != 1 {
			t.Fatalf("%s: %s: status %d, tenants %q: %s", name, value, r.status, engine.tenants, r.body)
		}
		return engine.tenants[0]
	}
	want := tenant("Authorization", "Bearer aB")
	for _, same := range []string{"bearer aB", "BEARER aB", "Bearer  aB"} {
		if got := tenant("Authorization", same); got != want {
			t.Errorf("%q: %q, want %q", same, got, want)
		}
	}
	for _, other := range [][2]string{
		{"Authorization", "Bearer ab"}, {"Authorization", "Basic aB"}, {"Authorization", "aB"}, {"Authorization", "Bearer"}, {"X-Api-Key", "aB"}, {"X-Api-Key", "Bearer aB"},
	} {
		if got := tenant(other[0], other[1]); got == want {
			t.Errorf("%q shares %q", other, got)
		}
	}
	if tenant("X-Api-Key", "bearer aB") == tenant("X-Api-Key", "Bearer aB") {
		t.Error("a key of another line has no scheme")
	}
}

// A client's own name for its request is kept if it can stand in a log line and a header.
func TestRequestIDs(t *testing.T) {
	h := newBench(t, letters)
	made := regexp.MustCompile(`^req-[0-9a-f]{24}$`)
	for given, kept := range map[string]bool{
		"abc-123": true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a\"b": false, "a\\b": false, "é": false, "a\tb": false,
	} {
		for _, path := range []string{"/health/live", "/nowhere"} {
			id := string(h.do("GET", path, "", "X-Request-Id", given).header.Peek("X-Request-Id"))
			if kept && id != given || !kept && !made.MatchString(id) {
				t.Errorf("%q became %q", given, id)
			}
		}
	}
	stream := h.do("POST", textPath, "{"+soundBodies[textPath]+`,"stream":true}`, "X-Request-Id", "mine")
	if got := string(stream.header.Peek("X-Request-Id")); got != "mine" {
		t.Errorf("a stream's id is %q", got)
	}
}

// A line has what was asked, by whom, and where its time and tokens went; what machines ask every few seconds is for debugging.
func TestAccessLog(t *testing.T) {
	h := newBench(t, letters)
	prompt := strings.Repeat("x", 40)
	h.complete(`"prompt":%q,"max_tokens":1`, prompt)
	for _, stream := range []bool{false, true} {
		log := recorded(t)
		r := h.do("POST", textPath, fmt.Sprintf(`{"prompt":%q,"max_tokens":3,"n":2,"ignore_eos":true,"stream":%t}`, prompt, stream), "X-Request-Id", "mine")
		if r.status != 200 {
			t.Fatalf("status %d: %s", r.status, r.body)
		}
		line := regexp.MustCompile(`level=INFO msg=request id=mine method=POST path=/v1/completions status=200 ms=\d+ model=first prompt_tokens=41 cached_tokens=40 tokens=6 queue_ms=\d+ ttft_ms=\d+`)
		if !line.MatchString(log.String()) {
			t.Errorf("stream %t: %s", stream, log)
		}
	}
	for path, level := range map[string]string{"/metrics": "DEBUG", "/health/live": "DEBUG", "/health/ready": "DEBUG", "/v1/models": "INFO", "/nowhere": "INFO"} {
		log := recorded(t)
		h.Peer = func(*fasthttp.RequestCtx) Peer { return Peer{} }
		h.do("GET", path, "")
		if !strings.Contains(log.String(), "level="+level+" msg=request ") {
			t.Errorf("%s: %s", path, log)
		}
	}
}

// What never becomes a request is counted and named like one; the log has it for debugging.
func TestRefusals(t *testing.T) {
	log := recorded(t)
	h := newBench(t, letters)
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, nil, nil)
	h.Refuse(ctx, 408, "the request took too long to arrive")
	r := reply{t: t, status: ctx.Response.StatusCode(), header: &ctx.Response.Header, body: ctx.Response.Body()}
	if p := r.problem(); r.status != 408 || p.Code != "bad_request" || !strings.Contains(p.Message, "too long") {
		t.Errorf("status %d: %s", r.status, r.body)
	}
	id := string(r.header.Peek("X-Request-Id"))
	if !strings.HasPrefix(id, "req-") || !strings.Contains(log.String(), "level=DEBUG msg=refused id="+id+" status=408") {
		t.Errorf("id %q, the log: %s", id, log)
	}
	h.Refuse(ctx, StatusClientGone, "the client went before its request was whole")
	if p := (reply{t: t, body: ctx.Response.Body()}).problem(); p.Type != "client_gone" || !strings.Contains(log.String(), "status=499") {
		t.Errorf("%+v, the log: %s", p, log)
	}
	if got := h.codes(); len(got) != 2 || got[0] != "408: 1" || got[1] != "499: 1" {
		t.Errorf("counted %q", got)
	}
}

// Who never had a place was in the queue all the time, and not for 0 ms.
func TestQueueTimeIsOfAPlace(t *testing.T) {
	for queued, want := range map[time.Duration]bool{0: false, 1: true, time.Second: true} {
		f := figures{model: "first", queued: queued}
		if got := slices.ContainsFunc(f.attrs(), func(a slog.Attr) bool { return a.Key == "queue_ms" }); got != want {
			t.Errorf("after %v in the queue: %v", queued, f.attrs())
		}
	}
}

// Each answer, and each part of one, names the weights that have computed it, whichever answer now; a status names those.
func TestFingerprint(t *testing.T) {
	for _, path := range []string{textPath, chatPath} {
		for _, stream := range []bool{false, true} {
			h := newBench(t, letters)
			r := h.post(path, fmt.Sprintf(`{"stream":%t,"stream_options":%s,%s}`, stream, map[bool]string{false: "null", true: `{"include_usage":true}`}[stream], soundBodies[path]))
			names := regexp.MustCompile(`"system_fingerprint":"([^"]*)"`).FindAllStringSubmatch(string(r.body), -1)
			if len(names) == 0 || stream && len(names) < 3 {
				t.Errorf("%s, stream %t: %s", path, stream, r.body)
			}
			for _, name := range names {
				if name[1] != "fp_echo" {
					t.Errorf("%s, stream %t: %s", path, stream, name[1])
				}
			}
			if r := h.do("GET", "/v1/status", ""); !strings.Contains(string(r.body), `"numerics_id":"fp_test"`) {
				t.Errorf("%s", r.body)
			}
		}
	}
}
