package socket

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// This file owns tests of answers that are cut off: whose doing it was, and that none looks complete.

// The cause of a request's end tells the server's own stop from a client that went.
func TestWhoseDoing(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*fixture, net.Conn)
		want error
	}{
		"the client closes":      {func(_ *fixture, c net.Conn) { c.Close() }, context.Canceled},
		"the client closes half": {func(_ *fixture, c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }, context.Canceled},
		"the server stops":       {func(f *fixture, _ net.Conn) { f.shutdown(t) }, errStopped},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, hasty)
			conn := f.dial(t, "tcp")
			send(t, conn, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
			receive(t, "the request", f.started)
			c.end(f, conn)
			if got := receive(t, "the end", f.causes); !errors.Is(got, c.want) {
				t.Errorf("the request ended with %v", got)
			}
		})
	}
}

// shutdown waits for nobody.
func (f *fixture) shutdown(t *testing.T) {
	t.Helper()
	f.stopped = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	if err := f.server.Shutdown(ctx); !errors.Is(err, context.Canceled) || time.Since(began) > patience {
		t.Errorf("shutdown after %v: %v", time.Since(began), err)
	}
}

// A stream that breaks off has no last chunk, and one that the server's stop cut off still says so.
func TestBrokenStreamsHaveNoEnd(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
		all, _ := io.ReadAll(c)
		if a := string(all); !strings.HasPrefix(a, "HTTP/1.1 200") || !strings.HasSuffix(a, "6\r\nfirst\n\r\n") {
			t.Errorf("%s: %q", network, a)
		}
	}
	c := f.dial(t, "tcp")
	send(t, c, "GET /broken?waits=1 HTTP/1.1\r\nHost: x\r\n\r\n")
	receive(t, "the request", f.started)
	f.shutdown(t)
	all, _ := io.ReadAll(c)
	if a := string(all); !strings.HasSuffix(a, "6\r\nfirst\n\r\n9\r\nan error\n\r\n") {
		t.Errorf("cut off by the stop: %q", a)
	}
}

// When Shutdown returns, what was cut off has had its last word: the process may end.
func TestShutdownWaitsForLastWords(t *testing.T) {
	f := start(t, limits{read: time.Second, idle: time.Second, write: time.Second, end: patience, connections: 16})
	c := f.dial(t, "unix")
	send(t, c, "GET /lastword HTTP/1.1\r\nHost: x\r\n\r\n")
	receive(t, "the request", f.started)
	f.shutdown(t)
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	if n, err := c.Read(b); !strings.HasSuffix(string(b[:n]), "the last word") {
		t.Errorf("%v %q", err, b[:n])
	}
}
