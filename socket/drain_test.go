package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// This file owns tests of answers to clients that still send: they get them, however much they have sent before they look.

// sendAll writes everything before it reads anything, as simple clients do, and gives what comes then.
func sendAll(t *testing.T, c net.Conn, text string) (string, error) {
	t.Helper()
	if n, err := io.WriteString(c, text); err != nil {
		return "", fmt.Errorf("after %d bytes: %w", n, err)
	}
	all, err := io.ReadAll(c)
	return string(all), err
}

func TestWhoStillSendsGetsAnAnswer(t *testing.T) {
	f := start(t, defaultLimits)
	large := strings.Repeat("z", 9<<20)
	sized := func(path, head string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", path, head, len(large), large)
	}
	for name, c := range map[string]struct{ raw, want string }{
		"a body that is not read":         {sized("/unread", ""), " 413 "},
		"and no connection is kept":       {sized("/unread", "Connection: close\r\n"), " 413 "},
		"chunks that are not read":        {"POST /unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large), " 413 "},
		"a bad head":                      {sized("/", "Host : x\r\n"), " 400 "},
		"a bad line":                      {"POST / HTTP/1.1\nHost: x\n\n" + large, " 400 "},
		"no HTTP at all":                  {large, " 431 "},
		"a head that is too large":        {"GET / HTTP/1.1\r\nX: " + large, " 431 "},
		"requests behind the last":        {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1<<15), " 200 "},
		"another protocol's long opening": {"\x16\x03\x01" + large, " 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range networks {
				if a, err := sendAll(t, f.dial(t, network), c.raw); err != nil || !strings.Contains(a[:min(len(a), 20)], c.want) || strings.Count(a, "HTTP/1.1 ") != 1 {
					t.Errorf("%s: %v %.300q", network, err, a)
				}
			}
		})
	}
}

// Requests behind the last one, of which nobody has read a byte, take nothing from its answer either.
func TestUnreadRequestsBehindTheLast(t *testing.T) {
	for _, network := range networks {
		f := start(t, defaultLimits)
		c := f.dial(t, network)
		send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		receive(t, "the request", f.started)
		send(t, c, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
		f.release()
		if all, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(all), "the answer") {
			t.Errorf("%s: %v %q", network, err, all)
		}
	}
}

// Who never ends is left: after a while, and after so many bytes.
func TestDrainingEnds(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, "\n")
		began := time.Now()
		for time.Since(began) < patience { // it says nothing, but does not go either
			if _, err := io.WriteString(c, "z"); err != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(began); d < hasty.drain/2 || d > 10*hasty.drain {
			t.Errorf("%s: left after %v", network, d)
		}
	}
	patient := hasty
	patient.drain = patience
	f = start(t, patient)
	c := f.dial(t, "unix")
	began, block := time.Now(), make([]byte, 1<<20)
	send(t, c, "\n")
	sent := 0
	for err := error(nil); err == nil && sent < 4*drainBytes; sent += len(block) {
		_, err = c.Write(block)
	}
	if sent < drainBytes || sent > drainBytes+(8<<20) || time.Since(began) > patience/2 {
		t.Errorf("left after %d bytes, %v", sent, time.Since(began))
	}
}

// Who goes before the request is whole is not at fault for bad HTTP: it has gone.
func TestClientsThatGoMidway(t *testing.T) {
	f := start(t, defaultLimits)
	long := strings.Repeat("z", 100<<10)
	for name, c := range map[string]struct {
		raw     string
		handled bool // the handler reads the body, and sees it
	}{
		"in the request line":   {"GET / HT", false},
		"in the head":           {"GET / HTTP/1.1\r\nHost: x\r\n", false},
		"in a short body":       {"POST /midway HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345", false},
		"before the body":       {"POST /midway HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", false},
		"in a long body":        {"POST /midway HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + long, true},
		"in a chunk":            {"POST /midway HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + long, true},
		"between chunks":        {"POST /midway HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", true},
		"in a chunk's size":     {"POST /midway HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1", true},
		"before the last chunk": {"POST /midway HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range networks {
				for _, leave := range []func(net.Conn){
					func(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() },
					func(c net.Conn) { c.Close() },
				} {
					conn := f.dial(t, network)
					send(t, conn, c.raw)
					leave(conn)
					if !c.handled {
						if got := receive(t, "the refusal", f.refused); !strings.HasPrefix(got, "499 ") {
							t.Errorf("%s: refused with %q", network, got)
						}
					} else if err := receive(t, "the handler", f.midway); !errors.Is(err, context.Canceled) {
						t.Errorf("%s: the request's context: %v", network, err)
					}
				}
			}
		})
	}
	late := start(t, hasty)
	for _, network := range networks { // who is late has not gone
		for name, c := range map[string]string{"in a long body": long, "in a chunk's size": "1"} {
			framed := "Content-Length: 1000000\r\n\r\n"
			if name == "in a chunk's size" {
				framed = "Transfer-Encoding: chunked\r\n\r\n"
			}
			send(t, late.dial(t, network), "POST /midway HTTP/1.1\r\nHost: x\r\n"+framed+c)
			if err := receive(t, "the handler", late.midway); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: late %s: %v", network, name, err)
			}
		}
	}
	c := f.dial(t, "tcp")
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	send(t, c, "GET / HT")
	time.Sleep(20 * time.Millisecond)
	c.Close()
	if got := receive(t, "the refusal", f.refused); !strings.HasPrefix(got, "499 ") {
		t.Errorf("reset: refused with %q", got)
	}
}

// An answer is told as written when it is, once, also on a kept connection and before Shutdown returns; and why it
// is not, where the client does not take it.
func TestOnWritten(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		c := f.dial(t, network)
		for range 3 {
			send(t, c, "GET /written/10 HTTP/1.1\r\nHost: x\r\n\r\n")
			if err := receive(t, "the answer's end", f.written); err != nil {
				t.Errorf("%s: %v", network, err)
			}
		}
		send(t, c, strings.Repeat("GET /written/10 HTTP/1.1\r\nHost: x\r\n\r\n", 3))
		for range 3 {
			if err := receive(t, "the answer's end", f.written); err != nil {
				t.Errorf("%s, pipelined: %v", network, err)
			}
		}
		slow := f.dial(t, network)
		send(t, slow, "GET /written/20000000 HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := receive(t, "the answer's end", f.written); err == nil {
			t.Errorf("%s: a client that reads nothing has its answer", network)
		}
		gone := f.dial(t, network)
		send(t, gone, "GET /written/20000000 HTTP/1.1\r\nHost: x\r\n\r\n")
		gone.Close()
		if err := receive(t, "the answer's end", f.written); err == nil {
			t.Errorf("%s: a client that has gone has its answer", network)
		}
	}
	if len(f.written) > 0 {
		t.Error("told twice")
	}
	for range 20 {
		c := f.dial(t, "unix")
		send(t, c, "GET /written/10?slowly HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		answer(t, bufio.NewReader(c))
	}
	f.stopped = true
	if err := f.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n, handled := int64(len(f.written)), f.handled.Load()-16; n != handled {
		t.Errorf("%d of %d answers are told when the server is down", n, handled)
	}
}
