package socket

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

var errStopped = errors.New("the server stops")

// patience is how long a test waits for what should take milliseconds.
const patience = 10 * time.Second

// fixture is a server on a Unix socket and a TCP port whose handler does what the path says.
type fixture struct {
	server    *Server
	unix, tcp net.Listener
	started   chan struct{}      // a request waits for its context
	cancelled chan time.Time     // its context was done
	causes    chan error         // why
	peers     chan string        // what Peer said
	flooded   atomic.Int64       // bytes that /flood has written
	floodEnd  chan time.Time     // its writer got an error
	refused   chan string        // status and reason of refusals
	midway    chan error         // of the context of a request whose body /midway could not read
	written   chan error         // what OnWritten said of /written
	handled   atomic.Int64       // requests that reached the handler
	release   context.CancelFunc // lets waiting requests end
	released  context.Context
	stopped   bool // the test itself has shut the server down
}

func start(t *testing.T, l limits) *fixture {
	t.Helper()
	f := &fixture{
		started: make(chan struct{}, 4096), cancelled: make(chan time.Time, 4096), peers: make(chan string, 16),
		causes: make(chan error, 4096), floodEnd: make(chan time.Time, 16), refused: make(chan string, 4096),
		midway: make(chan error, 16), written: make(chan error, 64),
	}
	f.released, f.release = context.WithCancel(context.Background())
	var err error
	f.server, err = newServer(Config{Handler: f.handle, Refuse: f.refuse, MaxBody: 1 << 20, Stopped: errStopped}, l)
	if err != nil {
		t.Fatal(err)
	}
	if f.unix, err = ListenUnix(filepath.Join(t.TempDir(), "s.sock")); err != nil {
		t.Fatal(err)
	}
	if f.tcp, err = ListenTCP("0"); err != nil {
		t.Fatal(err)
	}
	f.server.Serve(f.unix)
	f.server.Serve(f.tcp)
	t.Cleanup(func() {
		f.release()
		if f.stopped {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return f
}

func (f *fixture) refuse(ctx *fasthttp.RequestCtx, status int, reason string) {
	ctx.Response.Reset()
	ctx.SetStatusCode(status)
	ctx.SetBodyString(reason)
	f.refused <- fmt.Sprint(status, " ", reason)
}

func (f *fixture) handle(ctx *fasthttp.RequestCtx) {
	f.handled.Add(1)
	path := string(ctx.Path())
	if path == "/unread" {
		ctx.SetStatusCode(fasthttp.StatusRequestEntityTooLarge)
		return
	}
	body, err := io.ReadAll(bodyOf(ctx))
	if path == "/midway" {
		f.midway <- context.Cause(RequestContext(ctx))
	}
	if err != nil {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		ctx.SetBodyString("body: " + err.Error())
		return
	}
	switch {
	case path == "/wait":
		f.wait(RequestContext(ctx))
		ctx.SetBodyString("the answer")
	case path == "/lastword": // it takes its time to say why it ends
		f.wait(RequestContext(ctx))
		time.Sleep(150 * time.Millisecond)
		ctx.SetBodyString("the last word")
	case path == "/stream":
		request := RequestContext(ctx)
		ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
			fmt.Fprint(w, "first\n")
			w.Flush()
			f.wait(request) // silent: no failing write may be what tells
			fmt.Fprint(w, "last\n")
		})
	case path == "/broken": // a stream that fails, at once or when its request is over
		request := RequestContext(ctx)
		waits := string(ctx.QueryArgs().Peek("waits")) != ""
		read, write := io.Pipe()
		ctx.SetBodyStream(read, -1)
		go func() {
			fmt.Fprint(write, "first\n")
			if waits {
				f.wait(request)
				fmt.Fprint(write, "an error\n")
			}
			write.CloseWithError(errors.New("broken"))
		}()
	case path == "/flood":
		ctx.SetBodyStreamWriter(f.flood)
	case path == "/loopback":
		ctx.SetBodyString(fmt.Sprint(PeerOf(ctx).Loopback))
	case path == "/peer":
		f.peers <- PeerOf(ctx).Attr().String()
	case strings.HasPrefix(path, "/large/"), strings.HasPrefix(path, "/written/"):
		n, _ := strconv.Atoi(path[strings.LastIndex(path, "/")+1:])
		if path[1] == 'w' {
			slowly := ctx.QueryArgs().Has("slowly")
			OnWritten(ctx, func(err error) {
				if slowly {
					time.Sleep(200 * time.Millisecond)
				}
				f.written <- err
			})
		}
		ctx.SetBody(bytes.Repeat([]byte("x"), n))
	default:
		ctx.SetBodyString(fmt.Sprintf("%s %s %s", ctx.Method(), ctx.RequestURI(), body))
	}
}

func bodyOf(ctx *fasthttp.RequestCtx) io.Reader {
	if s := ctx.RequestBodyStream(); s != nil {
		return s
	}
	return bytes.NewReader(ctx.PostBody())
}

// wait ends when the client has hung up, or the test releases the answer.
func (f *fixture) wait(ctx context.Context) {
	f.started <- struct{}{}
	select {
	case <-ctx.Done():
		f.causes <- context.Cause(ctx)
		f.cancelled <- time.Now()
	case <-f.released.Done():
	}
}

func (f *fixture) flood(w *bufio.Writer) {
	block := bytes.Repeat([]byte("y"), 32<<10)
	for {
		_, err := w.Write(block)
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			f.floodEnd <- time.Now()
			return
		}
		f.flooded.Add(int64(len(block)))
	}
}

// dial connects by "unix" or "tcp".
func (f *fixture) dial(t *testing.T, network string) net.Conn {
	t.Helper()
	l := f.unix
	if network == "tcp" {
		l = f.tcp
	}
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads one response.
func answer(t *testing.T, r *bufio.Reader) *fasthttp.Response {
	t.Helper()
	var a fasthttp.Response
	if err := a.Read(r); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return &a
}

func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
	}
	return v
}

// unwatched waits until no connection is watched: a handler may still be leaving when its client is gone.
func (f *fixture) unwatched(t *testing.T) {
	t.Helper()
	watched := func() int {
		f.server.watcher.mu.Lock()
		defer f.server.watcher.mu.Unlock()
		return len(f.server.watcher.conns)
	}
	for end := time.Now().Add(patience); watched() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are still watched", watched())
		}
	}
}

var networks = []string{"unix", "tcp"}
