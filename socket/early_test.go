package socket

import (
	"bufio"
	"strings"
	"testing"
	"time"
)

// This file owns tests of bodies that are too large by what their head says.

// Such a body is refused before it has come, whether its client waits for that or has begun; and whatever comes of it, no request is read from it.
func TestPromisedTooMuchIsRefusedAtOnce(t *testing.T) {
	f := start(t, defaultLimits)
	for name, c := range map[string]struct{ head, sent string }{
		"nothing sent":         {"", ""},
		"some sent":            {"", strings.Repeat("z", 100)},
		"a request in it":      {"", "GET /never HTTP/1.1\r\nHost: x\r\n\r\n"},
		"it waits":             {"Expect: 100-continue\r\n", ""},
		"it waits, in letters": {"eXpect: 100-CONTINUE\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range networks {
				conn := f.dial(t, network)
				handled, began := f.handled.Load(), time.Now()
				send(t, conn, "POST /unread HTTP/1.1\r\nHost: x\r\n"+c.head+"content-length: 1048577\r\n\r\n"+c.sent)
				r := bufio.NewReader(conn)
				if first, err := r.Peek(len("HTTP/1.1 413")); string(first) != "HTTP/1.1 413" { // answer passes over a 100
					t.Errorf("%s: %q %v", network, first, err)
				}
				a := answer(t, r)
				if a.StatusCode() != 413 || !a.ConnectionClose() || time.Since(began) > time.Second {
					t.Errorf("%s: status %d, closed %t, after %v", network, a.StatusCode(), a.ConnectionClose(), time.Since(began))
				}
				if n := f.handled.Load() - handled; n != 1 {
					t.Errorf("%s: %d requests", network, n)
				}
				conn.Close()
			}
		})
	}
}
