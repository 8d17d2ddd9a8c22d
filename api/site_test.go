package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// This file owns tests of which web pages may use the server.

func (h *bench) from(p Peer, s Sites) {
	h.Peer = func(*fasthttp.RequestCtx) Peer { return p }
	h.Sites = s
}

func TestSites(t *testing.T) {
	loopback, outside, unix := Peer{Loopback: true}, Peer{}, Peer{Unix: true}
	none := Sites{Own: []string{"Box7", "Box7.local"}}
	named := Sites{Own: []string{"Box7", "Box7.local"}, Hosts: []string{"chat.example", ".corp.example"}}
	pages := Sites{Origins: []string{"https://ui.example", "null"}}
	for _, c := range []struct {
		name         string
		peer         Peer
		sites        Sites
		host, origin string
		code         string // of the refusal
	}{
		{"a program by address", loopback, none, "127.0.0.1:8080", "", ""},
		{"a program by IPv6", loopback, none, "[::1]:8080", "", ""},
		{"IPv6 without a port", loopback, none, "[::1]", "", ""},
		{"IPv6 with a zone", loopback, none, "[fe80::1%25eth0]:8080", "", ""},
		{"localhost", loopback, none, "LocalHost:8080", "", ""},
		{"localhost, as DNS writes it", loopback, none, "localhost.:8080", "", ""},
		{"a name below localhost", loopback, none, "chimera.localhost", "", ""},
		{"the machine's name", loopback, none, "box7:8080", "", ""},
		{"the machine's name in its own network", loopback, none, "box7.local", "", ""},
		{"no Host, as HTTP/1.0", loopback, none, "", "", ""},
		{"a name that DNS points here", loopback, none, "evil.example", "", "host_not_allowed"},
		{"the same with a port", loopback, none, "evil.example:8080", "", "host_not_allowed"},
		{"a name that begins like ours", loopback, none, "localhost.evil.example", "", "host_not_allowed"},
		{"a name that begins like an address", loopback, none, "127.0.0.1.evil.example", "", "host_not_allowed"},
		{"the machine's name elsewhere", loopback, none, "box7.evil.example", "", "host_not_allowed"},
		{"a number that is no address", loopback, none, "2130706433", "", "host_not_allowed"},
		{"an allowed name", loopback, named, "Chat.Example:443", "", ""},
		{"a name below an allowed one", loopback, named, "a.b.corp.example", "", ""},
		{"that one itself is not below", loopback, named, "corp.example", "", "host_not_allowed"},
		{"an allowed name with more before it", loopback, named, "notchat.example", "", "host_not_allowed"},
		{"any name", loopback, Sites{Hosts: []string{"*"}}, "evil.example", "", ""},
		{"a name to an address of the network", outside, none, "gpu.corp", "", ""},
		{"the same where names are given", outside, named, "gpu.corp", "", "host_not_allowed"},
		{"a name on the Unix socket", unix, named, "evil.example", "https://evil.example", ""},

		{"a page of ours", loopback, none, "127.0.0.1:8080", "http://127.0.0.1:8080", ""},
		{"a page of ours by a proxy", loopback, named, "chat.example", "https://chat.example", ""},
		{"a foreign page", loopback, none, "127.0.0.1:8080", "https://evil.example", "origin_not_allowed"},
		{"a page of another port", loopback, none, "127.0.0.1:8080", "http://127.0.0.1:3000", "origin_not_allowed"},
		{"a page without a site", loopback, none, "127.0.0.1:8080", "null", "origin_not_allowed"},
		{"an empty origin", loopback, none, "127.0.0.1:8080", "", ""},
		{"a page of a name that DNS points here", outside, none, "evil.example:8080", "http://evil.example:8080", "origin_not_allowed"},
		{"a page of a given name", outside, named, "chat.example", "http://chat.example", ""},
		{"a foreign page from the network", outside, none, "10.0.0.5:8080", "http://10.0.0.9", "origin_not_allowed"},
		{"an allowed page", loopback, pages, "127.0.0.1:8080", "https://ui.example", ""},
		{"an allowed page of the wrong scheme", loopback, pages, "127.0.0.1:8080", "http://ui.example", "origin_not_allowed"},
		{"an allowed page with a tail", loopback, pages, "127.0.0.1:8080", "https://ui.example.evil.example", "origin_not_allowed"},
		{"a page without a site that is allowed", loopback, pages, "127.0.0.1:8080", "null", ""},
		{"any page", outside, Sites{Origins: []string{"*"}}, "10.0.0.5", "https://evil.example", ""},
		{"an extension", loopback, none, "127.0.0.1:8080", "chrome-extension://abc", "origin_not_allowed"},
	} {
		h := newBench(t, letters)
		h.from(c.peer, c.sites)
		for _, kind := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded"} {
			head := []string{"Host", c.host, "Content-Type", kind}
			if c.origin != "" {
				head = append(head, "Origin", c.origin)
			}
			r := h.do("POST", textPath, "{"+soundBodies[textPath]+"}", head...)
			allowed := string(r.header.Peek("Access-Control-Allow-Origin"))
			switch {
			case c.code == "" && r.status != 200:
				t.Errorf("%s, %q: status %d: %s", c.name, kind, r.status, r.body)
			case c.code != "" && (r.status != 403 || r.problem().Code != c.code || allowed != ""):
				t.Errorf("%s, %q: status %d: %s; allowed %q", c.name, kind, r.status, r.body, allowed)
			case c.code == "" && c.origin != "" && !c.peer.Unix && allowed != c.origin:
				t.Errorf("%s: the page may not read the answer: %q", c.name, allowed)
			}
			if len(r.header.Peek("Vary")) == 0 {
				t.Errorf("%s: the answer could be cached for another page", c.name)
			}
		}
	}
}

// Two origins, or a whole address in the request line that says otherwise than Host, are no way around.
func TestSitesCannotBeGoneAround(t *testing.T) {
	h := newBench(t, letters)
	h.from(Peer{Loopback: true}, Sites{Origins: []string{"https://ui.example"}})
	send := h.wire()
	for request, want := range map[string]string{
		"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":                                                               " 200 ",
		"GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":                                            " 403 ",
		"GET http://localhost/v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n":                                            " 403 ",
		"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://ui.example\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n": " 403 ",
	} {
		if a := send(request); !strings.Contains(strings.SplitN(a, "\r\n", 2)[0]+" ", want) {
			t.Errorf("%q: %.300q", request, a)
		}
	}
}

// A browser asks before it sends JSON; what may be asked is the page's origin alone.
func TestPreflight(t *testing.T) {
	h := newBench(t, letters)
	h.from(Peer{Loopback: true}, Sites{Origins: []string{"https://ui.example"}})
	ask := func(path, origin string) reply {
		return h.do("OPTIONS", path, "", "Host", "localhost", "Origin", origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type,x-stainless-os", "Access-Control-Request-Private-Network", "true")
	}
	r := ask(chatPath, "https://ui.example")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://ui.example", "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Private-Network": "true",
		"Access-Control-Allow-Headers": "authorization,content-type,x-stainless-os", "Access-Control-Max-Age": "600", "Vary": "Origin",
	} {
		if got := string(r.header.Peek(name)); got != want || r.status != 204 {
			t.Errorf("status %d, %s: %q, want %q", r.status, name, got, want)
		}
	}
	if r := ask(chatPath, "https://evil.example"); r.status != 403 || len(r.header.Peek("Access-Control-Allow-Origin")) > 0 {
		t.Errorf("a foreign page: status %d, %s", r.status, r.header)
	}
	if r := ask("/nowhere", "https://ui.example"); r.status != 404 || string(r.header.Peek("Access-Control-Allow-Origin")) != "https://ui.example" {
		t.Errorf("no such path: status %d, %s", r.status, r.header)
	}
	if r := h.do("OPTIONS", chatPath, "", "Host", "localhost"); r.status != 405 || string(r.header.Peek("Allow")) != "POST" {
		t.Errorf("OPTIONS of a program: status %d, %s", r.status, r.header)
	}
	bad := h.do("POST", chatPath, "{", "Host", "localhost", "Origin", "https://ui.example")
	if bad.status != 400 || string(bad.header.Peek("Access-Control-Allow-Origin")) != "https://ui.example" {
		t.Errorf("a page may not read its error: status %d, %s", bad.status, bad.header)
	}
}

func TestSettingsOfSites(t *testing.T) {
	for name, good := range map[string]bool{
		"example.org": true, ".example.org": true, "*": true, "gpu_1": true, "": false, ".": false, "https://example.org": false,
		"example.org:80": false, "a/b": false, "*.example.org": false,
	} {
		if err := CheckHost(name); (err == nil) != good {
			t.Errorf("host %q: %v", name, err)
		}
	}
	for origin, good := range map[string]bool{
		"https://ui.example": true, "http://127.0.0.1:3000": true, "chrome-extension://abc": true, "null": true, "*": true, "": false,
		"ui.example": false, "https://ui.example/": false, "https://ui.example/x": false, "://x": false,
	} {
		if err := CheckOrigin(origin); (err == nil) != good {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
}
