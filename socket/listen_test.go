package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// This file owns tests of listeners: their addresses, who may listen, and how they end.

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}

func TestListenUnix(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "new", "folder", "c.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|socketMode {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	if syscall.Umask(0) != 0 {
		t.Error("the umask has changed")
	}
	_, err = ListenUnix(path)
	wantError(t, err, path, "another daemon answers", "--socket")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// A socket that a crash has left is replaced.
func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListenUnixRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ListenUnix(file)
	wantError(t, err, file, "no socket", "--socket")
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file is now %q", text)
	}
	_, err = ListenUnix(dir)
	wantError(t, err, dir, "no socket")
	_, err = ListenUnix(filepath.Join(file, "c.sock"))
	wantError(t, err, file)
	for _, n := range []int{maxPath, maxPath + 1} {
		path := "/tmp/" + strings.Repeat("x", n-len("/tmp/"))
		l, err := ListenUnix(path)
		if n > maxPath {
			wantError(t, err, path, "108 bytes", "allows 107")
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		l.Close()
	}
}

func TestTCPAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"8080", "127.0.0.1:8080"}, {":8080", "127.0.0.1:8080"}, {"0", "127.0.0.1:0"}, {"127.0.0.1:0", "127.0.0.1:0"},
		{"0.0.0.0:80", "0.0.0.0:80"}, {"[::1]:80", "[::1]:80"}, {"[::]:80", "[::]:80"}, {"localhost:65535", "localhost:65535"},
		{"", ""}, {"::1", ""}, {"1.2.3.4", ""}, {"host", ""}, {"host:", ""}, {":", ""}, {"localhost:http", ""}, {"127.0.0.1:65536", ""},
		{"127.0.0.1:-1", ""}, {"http://127.0.0.1:80", ""}, {"127.0.0.1:80/", ""}, {"127.0.0.1 :80", ""},
	} {
		got, err := TCPAddress(c.in)
		if c.want == "" {
			wantError(t, err, fmt.Sprintf("%q", c.in), "PORT or HOST:PORT")
		} else if err != nil || got != c.want {
			t.Errorf("%q: %q %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestListenTCPRefuses(t *testing.T) {
	l, err := ListenTCP("0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("a bare port listens on %v", l.Addr())
	}
	_, err = ListenTCP(l.Addr().String())
	wantError(t, err, "http "+l.Addr().String(), "address already in use")
}

func TestPeer(t *testing.T) {
	f := start(t, defaultLimits)
	for _, network := range networks {
		c := f.dial(t, network)
		send(t, c, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
		want := "peer=" + c.LocalAddr().String()
		if network == "unix" {
			want = fmt.Sprintf("peer=[uid=%d gid=%d pid=%d]", os.Getuid(), os.Getgid(), os.Getpid())
		}
		if got := receive(t, "the peer", f.peers); got != want {
			t.Errorf("%s: %s, want %s", network, got, want)
		}
	}
}

// A connection to an address that others reach is not one of this machine alone, whatever the listener is bound to.
func TestLoopback(t *testing.T) {
	f := start(t, defaultLimits)
	wildcard, err := ListenTCP("[::]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	f.server.Serve(wildcard)
	port := wildcard.Addr().(*net.TCPAddr).Port
	cases := map[string]bool{fmt.Sprintf("127.0.0.1:%d", port): true, fmt.Sprintf("[::1]:%d", port): true, f.tcp.Addr().String(): true}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			cases[fmt.Sprintf("%s:%d", n.IP, port)] = false
		}
	}
	for address, want := range cases {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // no IPv6 on the loopback interface
			continue
		}
		send(t, c, "GET /loopback HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if a := answer(t, bufio.NewReader(c)); string(a.Body()) != fmt.Sprint(want) {
			t.Errorf("%s: %s", address, a.Body())
		}
		c.Close()
	}
}

// Shutdown lets an answer end; past its time it cancels what is left.
func TestShutdown(t *testing.T) {
	for _, c := range []struct {
		name    string
		patient bool
	}{{"drains", true}, {"cancels", false}} {
		t.Run(c.name, func(t *testing.T) {
			f := start(t, defaultLimits)
			conn := f.dial(t, "unix")
			idle := f.dial(t, "tcp")
			send(t, conn, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
			receive(t, "the request", f.started)
			wait := 50 * time.Millisecond
			if c.patient {
				wait = patience
				time.AfterFunc(200*time.Millisecond, f.release)
			}
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			f.stopped = true
			if err := f.server.Shutdown(ctx); c.patient != (err == nil) {
				t.Errorf("shutdown: %v", err)
			}
			if !c.patient {
				receive(t, "cancellation", f.cancelled)
			}
			if status := answer(t, bufio.NewReader(conn)).StatusCode(); status != 200 {
				t.Errorf("status %d", status)
			}
			_ = idle.Close()
		})
	}
}

// A server that is told to stop as soon as it serves stops: no listener may be overlooked.
func TestShutdownAtOnce(t *testing.T) {
	for range 200 {
		s, err := newServer(Config{Handler: func(*fasthttp.RequestCtx) {}}, defaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l, err := ListenTCP("0")
			if err != nil {
				t.Fatal(err)
			}
			s.Serve(l)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("the server does not stop")
		}
	}
}
