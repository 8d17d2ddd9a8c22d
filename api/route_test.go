package api

import (
	"fmt"
	"strings"
	"testing"
)

// This file owns tests of which path is which route.

// A route has one spelling; others are told it.
func TestOneSpelling(t *testing.T) {
	h := newBench(t, letters)
	send := h.wire()
	for path, hint := range map[string]string{
		"/v1/chat/completions/": "/v1/chat/completions", "/chat/completions": chatPath, "//v1//chat/completions": chatPath,
		"/v1/v1/chat/completions": chatPath, "/V1/Chat/Completions": chatPath, "/completions": textPath, "/models": "/v1/models",
		"/v1/models/": "/v1/models", "/v1/tokenize": "/tokenize", "/v1/health/live": "/health/live", "/health": "/health/ready",
		"//metrics": "/metrics", "/metrics/": "/metrics", "/v1/metrics": "/metrics", "/./metrics": "", "/x/../metrics": "", "/x/..%2fmetrics": "",
		"/%6detrics": "", "/metrics%00": "", "/metrics;a": "", "/nowhere": "", "/": "", "/v1": "", "/v1/": "", "*": "",
	} {
		a := send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(a, "HTTP/1.1 404 ") && !(path == "*" && strings.HasPrefix(a, "HTTP/1.1 4")) {
			t.Errorf("%s: %.300q", path, a)
		}
		if hint == "" && strings.Contains(a, ": use ") || hint != "" && !strings.Contains(a, ": use "+hint+`"`) {
			t.Errorf("%s: the hint is not %q: %q", path, hint, a)
		}
	}
	for _, path := range []string{"/metrics", "/metrics?x=1", "/v1/models/first", "/v1/models/%66irst"} {
		if a := send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(a, "HTTP/1.1 200 ") {
			t.Errorf("%s: %.300q", path, a)
		}
	}
}

// A target is a path, or an http:// address as proxies get it; all else is refused, and no route is had by it.
func TestTargets(t *testing.T) {
	h := newBench(t, letters)
	send := h.wire()
	for target, status := range map[string]int{
		"/metrics": 200, "/metrics?a=b?c": 200, "http://x/metrics": 200, "HTTP://x:80/metrics?q": 200, "http://x//metrics": 404, "http://x/": 404,
		"/metrics#": 400, "/metrics#x": 400, "/metrics?a#x": 400, "/x#/metrics": 400, "http://x/metrics#x": 400, "#/metrics": 400,
		"ftp://x/metrics": 400, "https://x/metrics": 400, "file:///metrics": 400, "http:///metrics": 400, "http://user@x/metrics": 400,
		"http://user:word@x/metrics": 400, "http://x": 400, "http://x?/metrics": 400, "http:/metrics": 400, "http:metrics": 400, "//x/metrics": 404,
		"metrics": 400, "x:80": 400, "*": 400, "?/metrics": 400, "\\metrics": 400, "/\\metrics": 404, "/metrics\\": 404, "http://x\\/metrics": 400,
	} {
		a := send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(a, fmt.Sprintf("HTTP/1.1 %d ", status)) || strings.Contains(a, "chimera_requests") != (status == 200) {
			t.Errorf("%s: want %d: %.300q", target, status, a)
		}
	}
	body := "{" + soundBodies[textPath] + "}"
	for _, target := range []string{textPath + "#/x", textPath + "#", "ftp://x" + textPath} {
		if r := h.do("POST", target, body); r.status != 400 || r.problem().Code != "bad_target" {
			t.Errorf("%s: status %d: %s", target, r.status, r.body)
		}
	}
}

func TestEncodedBodies(t *testing.T) {
	h := newBench(t, letters)
	body := "{" + soundBodies[textPath] + "}"
	for encoding, status := range map[string]int{"gzip": 415, "br": 415, "gzip, identity": 415, "identity": 200, "": 200} {
		r := h.do("POST", textPath, body, "Content-Encoding", encoding)
		if r.status != status || status == 415 && r.problem().Code != "unsupported_encoding" {
			t.Errorf("%q: status %d: %s", encoding, r.status, r.body)
		}
	}
	send := h.wire() // several lines are one list
	for lines, status := range map[string]int{
		"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n": 415, "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n": 415,
		"Content-Encoding:\r\nContent-Encoding: br\r\n": 415, "Content-Encoding: identity\r\nContent-Encoding: Identity, identity\r\n": 200,
	} {
		a := send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", textPath, lines, len(body), body))
		if !strings.HasPrefix(a, fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Errorf("%q: %.300q", lines, a)
		}
	}
}
