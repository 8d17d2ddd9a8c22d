package api

import (
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

func TestEncodedBodies(t *testing.T) {
	h := newBench(t, letters)
	body := "{" + soundBodies[textPath] + "}"
	for encoding, status := range map[string]int{"gzip": 415, "br": 415, "gzip, identity": 415, "identity": 200, "": 200} {
		r := h.do("POST", textPath, body, "Content-Encoding", encoding)
		if r.status != status || status == 415 && r.problem().Code != "unsupported_encoding" {
			t.Errorf("%q: status %d: %s", encoding, r.status, r.body)
		}
	}
}
