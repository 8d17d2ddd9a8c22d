package socket

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// soon bounds the time from a hang-up to the end of the request's context. It takes well below a
// millisecond; a loaded machine gets the rest.
const soon = 500 * time.Millisecond

func reset(c net.Conn) error {
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return c.Close()
}

func TestHangUpCancels(t *testing.T) {
	f := start(t, defaultLimits)
	for _, c := range []struct {
		name, network string
		hangUp        func(net.Conn) error
	}{
		{"unix close", "unix", net.Conn.Close},
		{"unix shutdown of both directions", "unix", func(c net.Conn) error {
			_ = c.(*net.UnixConn).CloseRead()
			return c.(*net.UnixConn).CloseWrite()
		}},
		{"tcp close", "tcp", net.Conn.Close},
		{"tcp reset", "tcp", reset},
		{"tcp end of input", "tcp", func(c net.Conn) error { return c.(*net.TCPConn).CloseWrite() }},
	} {
		for _, path := range []string{"/wait", "/stream"} {
			t.Run(c.name+" "+path, func(t *testing.T) {
				conn := f.dial(t, c.network)
				send(t, conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
				receive(t, "the request", f.started)
				if path == "/stream" { // the answer is under way
					if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
						t.Fatalf("%q %v", line, err)
					}
				}
				began := time.Now()
				if err := c.hangUp(conn); err != nil {
					t.Fatal(err)
				}
				if d := receive(t, "cancellation", f.cancelled).Sub(began); d > soon {
					t.Errorf("cancelled after %v", d)
				}
			})
		}
	}
}

// A client that hangs up with further requests already sent is gone all the same.
func TestHangUpBehindPipelinedRequests(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, strings.Repeat("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", 3))
		receive(t, "the request", f.started)
		c.Close()
		receive(t, "cancellation", f.cancelled)
	}
}

// On a Unix socket a client may end its input and wait for the answer; when it then closes, it has
// hung up.
func TestHalfCloseOnUnixIsNoHangUp(t *testing.T) {
	f := start(t, defaultLimits)
	c := f.dial(t, "unix")
	send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n")
	receive(t, "the request", f.started)
	if err := c.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	gone := f.dial(t, "unix")
	send(t, gone, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
	receive(t, "the request", f.started)
	if err := gone.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.cancelled:
		t.Fatal("a half-close cancelled the request")
	case <-time.After(100 * time.Millisecond):
	}
	gone.Close()
	receive(t, "cancellation", f.cancelled)
	f.release()
	all, err := io.ReadAll(c)
	if err != nil || strings.Count(string(all), "HTTP/1.1 200") != 2 || !strings.Contains(string(all), "the answer") || !strings.HasSuffix(string(all), "GET /next ") {
		t.Errorf("%v %q", err, all)
	}
}

// The context ends with its request, not with the next one, and a request on a kept connection is
// watched like the first.
func TestEachRequestHasItsOwnContext(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		for range 5 {
			send(t, c, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
			answer(t, r)
		}
		send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		receive(t, "the request", f.started)
		c.Close()
		receive(t, "cancellation", f.cancelled)
	}
	f.unwatched(t)
}
