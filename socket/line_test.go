package socket

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// This file owns tests of bare LFs: a head that has one is refused when the LF comes, not when the client's time is up.

// refusedAtOnce holds the server to answer what was sent with 400 and the end of the connection, though the client sends no more.
func refusedAtOnce(t *testing.T, c net.Conn, r *bufio.Reader) {
	t.Helper()
	began := time.Now()
	if err := c.SetReadDeadline(began.Add(4 * soon)); err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(r)
	if d := time.Since(began); !strings.HasPrefix(string(all), "HTTP/1.1 400 ") || !strings.Contains(string(all), "bare LF") || d > soon {
		t.Errorf("after %v: %q", d, all)
	}
}

func TestBareLFIsRefusedAtOnce(t *testing.T) {
	f := start(t, defaultLimits)
	for name, c := range map[string]struct{ before, raw string }{
		"all lines":                {"", "GET / HTTP/1.1\nHost: x\n\n"},
		"the request line alone":   {"", "GET / HTTP/1.1\n"},
		"a header line":            {"", "GET / HTTP/1.1\r\nHost: x\n"},
		"the line behind the head": {"", "GET / HTTP/1.1\r\nHost: x\r\n\n"},
		"with a body":              {"", "POST / HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}"},
		"the second request":       {"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /2 HTTP/1.1\nHost: x\n\n"},
		"behind a body":            {"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na\nb\n", "GET /2 HTTP/1.1\nHost: x\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range networks {
				for _, piece := range []int{1, 1000} {
					conn := f.dial(t, network)
					r := bufio.NewReader(conn)
					if c.before != "" {
						send(t, conn, c.before)
						answer(t, r)
					}
					for at := 0; at < len(c.raw); at += piece {
						_, _ = io.WriteString(conn, c.raw[at:min(at+piece, len(c.raw))]) // it may be closed before all is sent
					}
					refusedAtOnce(t, conn, r)
				}
			}
		})
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
