package socket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hasty are limits that a test can wait for.
var hasty = limits{read: 300 * time.Millisecond, idle: 300 * time.Millisecond, write: 300 * time.Millisecond, end: 300 * time.Millisecond, drain: 300 * time.Millisecond, connections: 16384}

// trickle writes a byte at a time, each well within the read timeout, until the connection ends.
func trickle(c net.Conn, text string) {
	for i := range text {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// A request has the read timeout in all, however steadily its bytes come.
func TestSlowRequestsAreCutOff(t *testing.T) {
	f := start(t, hasty)
	for _, s := range []struct{ name, first, slowly string }{
		{"nothing at all", "", ""},
		{"the head", "GET / HTTP/1.1\r\n", "X-Slow: " + strings.Repeat("a", 500)},
		{"a body by length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", strings.Repeat("b", 500)},
		{"a body in chunks", chunkedHead, strings.Repeat("1\r\nx\r\n", 100)},
	} {
		t.Run(s.name, func(t *testing.T) {
			for _, network := range networks {
				began := time.Now()
				c := f.dial(t, network)
				send(t, c, s.first)
				go trickle(c, s.slowly)
				all, _ := io.ReadAll(c)
				if d := time.Since(began); d < hasty.read || d > 10*hasty.read {
					t.Errorf("%s: closed after %v", network, d)
				}
				if a := string(all); s.first != "" && !strings.HasPrefix(a, "HTTP/1.1 4") || s.first == "" && a != "" {
					t.Errorf("%s: %q", network, a)
				}
			}
		})
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		c := f.dial(t, network)
		r := bufio.NewReader(c)
		send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		answer(t, r)
		began := time.Now()
		left, err := io.ReadAll(r)
		if d := time.Since(began); err != nil || len(left) > 0 || d < hasty.idle/2 || d > 10*hasty.idle {
			t.Errorf("%s: after %v: %q %v", network, d, left, err)
		}
	}
}

// A request may wait for its answer longer than any read timeout.
func TestLongAnswersAreNotCutOff(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		receive(t, "the request", f.started)
		defer wantAnswers(t, bufio.NewReader(c), []string{"the answer"})
	}
	time.Sleep(3 * hasty.read)
	if len(f.cancelled) > 0 {
		t.Error("a timeout cancelled a request")
	}
	f.release()
}

// A client that stops reading is cut off after the write timeout, and holds what the kernel buffers.
func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	f := start(t, hasty)
	for _, network := range networks {
		f.flooded.Store(0)
		c := f.dial(t, network)
		began := time.Now()
		send(t, c, "GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
		d := receive(t, "the stream's end", f.floodEnd).Sub(began)
		if d < hasty.write || d > 10*hasty.write {
			t.Errorf("%s: cut off after %v", network, d)
		}
		if n := f.flooded.Load(); n > 16<<20 {
			t.Errorf("%s: %d bytes were taken", network, n)
		}
	}
}

// A slow line is no reason to cut off: each piece has its own time.
func TestSlowReadersGetWholeAnswers(t *testing.T) {
	f := start(t, limits{read: 10 * time.Second, idle: time.Second, write: 400 * time.Millisecond, connections: 16})
	const size = 4 << 20
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, fmt.Sprintf("GET /large/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", size))
		got, block, began := 0, make([]byte, 256<<10), time.Now()
		for {
			n, err := io.ReadFull(c, block)
			got += n
			if err != nil {
				break
			}
			time.Sleep(60 * time.Millisecond)
		}
		if got < size || time.Since(began) < 400*time.Millisecond {
			t.Errorf("%s: %d bytes in %v", network, got, time.Since(began))
		}
	}
}

// A body of unknown length beyond what is buffered reaches the handler as a stream; what the handler leaves is not
// taken for a request.
func TestLargeBodiesStream(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		const n = 5 << 20
		go fmt.Fprintf(c, "%s%x\r\n%s\r\n0\r\n\r\n", chunkedHead, n, strings.Repeat("z", n))
		if a := answer(t, bufio.NewReader(c)); len(a.Body()) != n+len("POST / ") {
			t.Errorf("%s: %d bytes", network, len(a.Body()))
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	few := defaultLimits
	few.connections, few.drain = 4, 2*soon
	f := start(t, few)
	for _, network := range networks {
		for range few.connections {
			send(t, f.dial(t, network), "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
			receive(t, "the request", f.started)
		}
		began := time.Now()
		for range 8 { // none of them holds the next up, though it sends and does not close
			c := f.dial(t, network)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n")
			all, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(all), "HTTP/1.1 503 ") {
				t.Errorf("%s: %q", network, all)
			}
		}
		if d := time.Since(began); d > few.drain {
			t.Errorf("%s: refused after %v", network, d)
		}
	}
}

// A process without descriptors goes on serving what it has, and accepts again when there are some.
func TestNoDescriptorsLeft(t *testing.T) {
	f := start(t, defaultLimits)
	kept := f.dial(t, "unix")
	r := bufio.NewReader(kept)
	send(t, kept, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
	wantAnswers(t, r, []string{"GET /1 "})
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	waiting := f.dialWithoutDescriptors(t, old)
	send(t, kept, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
	wantAnswers(t, r, []string{"GET /2 "})
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	wantAnswers(t, bufio.NewReader(waiting), []string{"GET /3 "})
	select {
	case err := <-f.server.Errors():
		t.Errorf("the server gave up: %v", err)
	default:
	}
}

// dialWithoutDescriptors connects with a socket made before the limit falls to what is open, so that
// the server can accept nothing.
func (f *fixture) dialWithoutDescriptors(t *testing.T, old syscall.Rlimit) net.Conn {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
	if err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: f.unix.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Write(fd, []byte("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * acceptPause)
	return rawConn{fd: fd}
}

// rawConn reads a descriptor without the runtime's poller, which needs no further ones.
type rawConn struct {
	net.Conn
	fd int
}

func (c rawConn) Read(b []byte) (int, error) {
	n, err := syscall.Read(c.fd, b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// A thousand connections that come and go leave no goroutine and no watch behind.
func TestManyConnections(t *testing.T) {
	f := start(t, defaultLimits)
	before := runtime.NumGoroutine()
	for _, network := range networks {
		for i := range 1000 {
			c := f.dial(t, network)
			switch i % 4 {
			case 1:
				send(t, c, "GET /half HTT")
			case 2:
				send(t, c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
			case 3:
				send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				answer(t, bufio.NewReader(c))
			}
			c.Close()
		}
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before+2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	f.unwatched(t)
}
