package socket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// This file owns tests of what no head may hold: a head that has it is refused when it comes, not when the client's time is up.

// refusedAtOnce holds the server to answer what was sent with 400 and the end of the connection, though the client sends no more.
func refusedAtOnce(t *testing.T, c net.Conn, r *bufio.Reader, why error) {
	t.Helper()
	began := time.Now()
	if err := c.SetReadDeadline(began.Add(4 * soon)); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if d := time.Since(began); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 400 ") || !strings.Contains(string(all), why.Error()) || d > soon {
		t.Errorf("after %v: %v %q", d, err, all)
	}
}

func TestBadHeadsAreRefusedAtOnce(t *testing.T) {
	f := start(t, defaultLimits)
	const (
		get     = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
		post    = "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na\nb\n"
		chunked = chunkedHead + "4;x=y\r\na\nb\n\r\n2\r\n\r\n\r\n0\r\nX-Sum: x\r\n\r\n"
		bareLFs = "GET /2 HTTP/1.1\nHost: x\n\n"
	)
	for name, c := range map[string]struct {
		before  string
		answers int
		raw     string
		why     error
	}{
		"all lines":                   {"", 0, "GET / HTTP/1.1\nHost: x\n\n", errBareLF},
		"the request line alone":      {"", 0, "GET / HTTP/1.1\n", errBareLF},
		"a header line":               {"", 0, "GET / HTTP/1.1\r\nHost: x\n", errBareLF},
		"the line behind the head":    {"", 0, "GET / HTTP/1.1\r\nHost: x\r\n\n", errBareLF},
		"the first byte":              {"", 0, "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", errBareLF},
		"behind an empty line":        {"", 0, "\r\n\nGET / HTTP/1.1\r\n", errBareLF},
		"with a body":                 {"", 0, "POST / HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", errBareLF},
		"the second request":          {get, 1, bareLFs, errBareLF},
		"the second's first byte":     {get, 1, "\nGET", errBareLF},
		"behind a body":               {post, 1, bareLFs, errBareLF},
		"behind chunks":               {chunked, 1, bareLFs, errBareLF},
		"behind pipelined requests":   {get + post + chunked + get, 4, bareLFs, errBareLF},
		"behind those, no empty line": {get + get, 2, "GET /health/live HTTP/1.1\r\nHost: localhost\n", errBareLF},
		"in a pipeline":               {"", 1, get + bareLFs, errBareLF},
		"CRs end lines":               {"", 0, "GET / HTTP/1.1\rHost: x\r\r", errBareCR},
		"a CR in a line":              {get, 1, "GET / HTTP/1.1\r\nHost: x\ry\r\n", errBareCR},
		"nothing but CRs":             {"", 0, "\r\r\r\r", errBareCR},
		"TLS":                         {"", 0, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", errControl},
		"TLS behind a request":        {get, 1, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", errControl},
		"SSL 2":                       {"", 0, "\x80\x2e\x01\x00\x02", errMethod},
		"a NUL":                       {"", 0, "GET / HTTP/1.1\r\nHost: \x00x", errControl},
		"an escape":                   {"", 0, "GET /\x1b HTTP/1.1", errControl},
		"a body alone":                {get, 1, `{"prompt":"x"}`, errMethod},
		"a leading space":             {"", 0, " GET / HTTP/1.1\r\n", errMethod},
		"a longer body than it says":  {"", 1, post + "{}", errMethod},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range networks {
				for _, piece := range []int{1, 1000} {
					conn := f.dial(t, network)
					r := bufio.NewReader(conn)
					send(t, conn, c.before)
					if c.before != "" {
						for range c.answers {
							answer(t, r)
						}
					}
					for at := 0; at < len(c.raw); at += piece {
						_, _ = io.WriteString(conn, c.raw[at:min(at+piece, len(c.raw))]) // it may be closed before all is sent
					}
					if c.before == "" {
						for range c.answers {
							answer(t, r)
						}
					}
					refusedAtOnce(t, conn, r, c.why)
				}
			}
		})
	}
}

// In trailers a bare LF is as bad as in heads.
func TestBareLFInTrailers(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, chunkedHead+"1\r\nx\r\n0\r\nX-Sum: x\n")
		refusedAtOnce(t, c, bufio.NewReader(c), errBareLF)
	}
}

// However a connection's bytes come, it is known where each request ends, and all of them are passed on.
func TestFraming(t *testing.T) {
	requests, _ := pipeline(9)
	requests = "\r\n" + requests + chunkedHead + "00A ; x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\n" +
		"GET /x HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:\t 0012 \r\n\r\n\n\x00\r\r..........HEAD / HTTP/1.0\r\n\r\n"
	requests = strings.Replace(requests, "..........", "........", 1)
	var ends []int
	for i := 1; i < len(requests); i++ { // each request begins with a method and a path
		if m := requests[i:]; strings.HasPrefix(m, "GET /") && !strings.HasPrefix(m, "GET /not") || strings.HasPrefix(m, "POST /") || strings.HasPrefix(m, "HEAD /") {
			ends = append(ends, i)
		}
	}
	ends = append(ends[1:], len(requests))
	ends = append([]int{2}, ends...)
	for _, piece := range []int{1, 2, 3, 17, 1000} {
		var f framing
		var got []int
		for at := 0; at < len(requests); at += piece {
			b := []byte(requests[at:min(at+piece, len(requests))])
			if n := f.read(b); n != len(b) || f.bad != nil {
				t.Fatalf("pieces of %d: at %d: %v", piece, at+n, f.bad)
			}
			if !f.midway() {
				got = append(got, at+len(b))
			}
		}
		if piece == 1 && fmt.Sprint(got) != fmt.Sprint(ends) {
			t.Errorf("requests end at %v, want %v", got, ends)
		}
		if f.midway() {
			t.Errorf("pieces of %d: the last request has no end", piece)
		}
	}
}

// Bodies have bare LFs, however their requests follow one another.
func TestBareLFsOfBodies(t *testing.T) {
	f := start(t, defaultLimits)
	const body = "a\nb\n\ncc\n"
	length := "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n" + body
	chunks := chunkedHead + "8\r\n" + body + "\r\n0\r\n\r\n"
	for _, c := range []struct {
		name, raw string
		answers   int
	}{
		{"by length", strings.Repeat(length, 3), 3},
		{"in chunks", strings.Repeat(chunks, 3), 3},
		{"mixed", length + chunks + "GET /g HTTP/1.1\r\nHost: x\r\n\r\n" + length + chunks, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, network := range networks {
				for _, piece := range []int{1, 7, 64, 150, 100000} {
					conn := f.dial(t, network)
					go func() {
						for at := 0; at < len(c.raw); at += piece {
							if _, err := io.WriteString(conn, c.raw[at:min(at+piece, len(c.raw))]); err != nil {
								return
							}
						}
					}()
					r := bufio.NewReader(conn)
					for i := range c.answers {
						if a := answer(t, r); a.StatusCode() != 200 || strings.HasPrefix(string(a.Body()), "POST") && !strings.HasSuffix(string(a.Body()), body) {
							t.Fatalf("%s, pieces of %d, answer %d: %d %q", network, piece, i, a.StatusCode(), a.Body())
						}
					}
				}
			}
		})
	}
}

// A head that came with the request before it is not looked for in the body that follows.
func TestBodyBehindAHeadThatCameEarly(t *testing.T) {
	f := start(t, defaultLimits)
	const body = "a\nb\n"
	head := "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		send(t, c, head+body+head)
		for range 2 {
			if a := answer(t, r); a.StatusCode() != 200 || string(a.Body()) != "POST /p "+body {
				t.Fatalf("%s: %d %q", network, a.StatusCode(), a.Body())
			}
			send(t, c, body+head)
		}
	}
}
