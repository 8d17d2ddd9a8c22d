package socket

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// pipeline is n requests, bodies framed both ways, and the answers they want.
func pipeline(n int) (requests string, want []string) {
	var b strings.Builder
	for i := range n {
		body := fmt.Sprintf("body %d\r\n\r\nGET /not-a-request HTTP/1.1\r\n", i)
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
			want = append(want, fmt.Sprintf("GET /%d ", i))
			continue
		case 1:
			fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
		case 2:
			fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
				i, 3, body[:3], len(body)-3, body[3:])
		}
		want = append(want, fmt.Sprintf("POST /%d %s", i, body))
	}
	return b.String(), want
}

func wantAnswers(t *testing.T, r *bufio.Reader, want []string) {
	t.Helper()
	for i, w := range want {
		if a := answer(t, r); string(a.Body()) != w || a.StatusCode() != 200 {
			t.Fatalf("answer %d is %d %q, want %q", i, a.StatusCode(), a.Body(), w)
		}
	}
}

func TestPipelinedInOneWrite(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		for n := 2; n <= 50; n++ {
			requests, want := pipeline(n)
			c := f.dial(t, network)
			send(t, c, requests)
			wantAnswers(t, bufio.NewReader(c), want)
			c.Close()
		}
	}
}

// Three requests, split at each byte.
func TestPipelinedSplitAnywhere(t *testing.T) {
	f := start(t, defaultLimits)
	requests, want := pipeline(3)
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		for cut := 1; cut < len(requests); cut++ {
			send(t, c, requests[:cut])
			time.Sleep(time.Millisecond) // the server reads the first part alone
			send(t, c, requests[cut:])
			wantAnswers(t, r, want)
		}
	}
}

// A request that waits is watched; what has come behind it meanwhile stays whole.
func TestPipelinedBehindAWaitingRequest(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		requests, want := pipeline(30)
		send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"+requests[:7])
		receive(t, "the request", f.started)
		send(t, c, requests[7:])
		time.Sleep(20 * time.Millisecond)
		if len(f.cancelled) > 0 {
			t.Fatal("input cancelled the request")
		}
		f.release()
		wantAnswers(t, bufio.NewReader(c), append([]string{"the answer"}, want...))
	}
}

// exchange sends raw bytes and reads to the end of the connection.
func exchange(t *testing.T, f *fixture, network, raw string) string {
	t.Helper()
	c := f.dial(t, network)
	send(t, c, raw)
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%v after %q", err, all)
	}
	return string(all)
}

func TestOldClients(t *testing.T) {
	f := start(t, defaultLimits)
	f.release()
	for _, network := range networks {
		a := exchange(t, f, network, "GET /old HTTP/1.0\r\n\r\n")
		if !strings.HasPrefix(a, "HTTP/1.") || !strings.HasSuffix(a, "\r\n\r\nGET /old ") || !strings.Contains(a, "Connection: close") {
			t.Errorf("HTTP/1.0: %q", a)
		}
		a = exchange(t, f, network, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n")
		if !strings.Contains(a, "GET /a ") || !strings.HasSuffix(a, "GET /b ") || !strings.Contains(a, "Connection: keep-alive") {
			t.Errorf("HTTP/1.0 kept alive: %q", a)
		}
		a = exchange(t, f, network, "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: x\r\n\r\n")
		if !strings.HasSuffix(a, "GET /c ") {
			t.Errorf("Connection: close: %q", a)
		}
		a = exchange(t, f, network, "HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if !strings.HasSuffix(a, "\r\n\r\n") || !strings.Contains(a, "Content-Length: 8\r\n") {
			t.Errorf("HEAD: %q", a)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		send(t, c, "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		line, err := r.ReadString('\n')
		if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%q %v", line, err)
		}
		if line, _ = r.ReadString('\n'); line != "\r\n" {
			t.Fatalf("%q", line)
		}
		send(t, c, "body")
		wantAnswers(t, r, []string{"POST /e body"})
	}
}

// A body that nobody reads wholly, a large one and an empty one leave the connection usable.
func TestKeptConnection(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		for _, n := range []int{0, 1, 4095, 4096, 4097, 1 << 20} {
			go fmt.Fprintf(c, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", n, bytes.Repeat([]byte("z"), n))
			if a := answer(t, r); len(a.Body()) != len("POST /b ")+n {
				t.Errorf("%d bytes: %d answered", n, len(a.Body()))
			}
		}
		send(t, c, "GET /large/3000000 HTTP/1.1\r\nHost: x\r\n\r\n")
		if a := answer(t, r); len(a.Body()) != 3000000 || a.StatusCode() != fasthttp.StatusOK {
			t.Errorf("%d bytes", len(a.Body()))
		}
	}
}
