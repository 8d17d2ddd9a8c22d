package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// This file owns the connection as fasthttp sees it: bounded writes, the peer's identity, and the
// context of the request that is being answered.

// listener wraps the connections it accepts.
type listener struct {
	net.Listener
	server  *Server
	serving sync.Once
	served  chan struct{} // closed when the server accepts
}

// acceptPause is how long a listener waits when the process or the machine has no descriptor to spare.
const acceptPause = 50 * time.Millisecond

// Accept waits out errors that pass: fasthttp gives a listener up at its first error, and clients that
// take all descriptors must not end the daemon.
func (l *listener) Accept() (net.Conn, error) {
	l.serving.Do(func() { close(l.served) })
	for warned := false; ; warned = true {
		c, err := l.Listener.Accept()
		if err == nil {
			return &conn{Conn: c, server: l.server}, nil
		}
		if !passes(err) {
			return nil, err
		}
		if !warned {
			slog.Warn("a connection could not be accepted; trying again", "cause", err)
		}
		time.Sleep(acceptPause)
	}
}

func passes(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// conn is one connection. A request is under way from RequestContext until the server reads again:
// fasthttp reads the next request only when the answer is written.
type conn struct {
	net.Conn
	server  *Server
	framing framing     // the reading goroutine's
	read    atomic.Bool // the server has asked for bytes
	reading atomic.Bool // it does
	midway  atomic.Bool // of a request, or behind what is none
	closing sync.Once

	mu      sync.Mutex
	cancel  context.CancelFunc // of the request under way
	id      int32              // of the watch, 0 if none
	written func(error)        // wants to know of the answer under way
	failed  error              // why answers can't be written
	broken  error              // why nothing more is read: the client has ended its input, is gone, or late
}

// Read ends the request under way. Bytes are only ever taken here, by the server itself: the watch
// looks at the connection's state, so no byte of a pipelined request can be lost.
func (c *conn) Read(b []byte) (int, error) {
	c.endRequest()
	if c.framing.bad != nil {
		return 0, c.framing.bad
	}
	c.read.Store(true)
	c.reading.Store(true)
	defer c.reading.Store(false)
	n, err := c.Conn.Read(b)
	if passed := c.framing.read(b[:n]); passed < n {
		// fasthttp says nothing to who sends nothing but line ends: something else takes the place of what can be no head.
		b[passed] = '?'
		n = passed + 1
	}
	c.midway.Store(c.framing.midway())
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.mu.Lock()
		c.broken = err
		c.mu.Unlock()
	}
	return n, err
}

// cutShort tells why a request is not whole: context.Canceled if its client went, os.ErrDeadlineExceeded if it took too long.
func (c *conn) cutShort() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.broken == nil || !c.midway.Load():
		return nil
	case errors.Is(c.broken, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return context.Canceled
}

// pieceBytes is what a client must take within one write deadline.
const pieceBytes = 64 << 10

// Write gives every piece its own deadline: a client that does not read is cut off, a long answer or a
// slow line is not.
func (c *conn) Write(b []byte) (n int, err error) {
	for len(b) > n && err == nil {
		if err = c.SetWriteDeadline(time.Now().Add(c.server.limits.write)); err != nil {
			break
		}
		var wrote int
		wrote, err = c.Conn.Write(b[n:min(n+pieceBytes, len(b))])
		n += wrote
	}
	if err != nil {
		c.fail(err)
	}
	return n, err
}

// Close ends the request and the connection.
func (c *conn) Close() (err error) {
	c.endRequest()
	c.closing.Do(func() {
		c.drain()
		err = c.Conn.Close()
	})
	return err
}

func (c *conn) endRequest() {
	c.mu.Lock()
	written, failed := c.written, c.failed
	c.written = nil
	if c.id != 0 {
		c.server.watcher.remove(c.id, c.fd())
		c.id = 0
	}
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	c.mu.Unlock()
	if written != nil {
		written(failed)
		c.server.answers.Done()
	}
}

// fail notes that the client does not take its answer.
func (c *conn) fail(err error) {
	c.hangUp()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
}

// hangUp cancels the request under way.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

// begin starts a request whose context is done when the client hangs up, and at once if the request did not come whole.
func (c *conn) begin(parent context.Context) context.Context {
	c.endRequest()
	ctx, cancel := context.WithCancelCause(parent)
	if why := c.cutShort(); why != nil {
		cancel(why)
		return ctx
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = func() { cancel(context.Canceled) }
	c.id = c.server.watcher.add(c, c.fd(), c.events())
	return ctx
}

// tell calls f when the answer under way is written, or with why it is not.
func (c *conn) tell(f func(error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = f
	c.server.answers.Add(1)
}

// events are what counts as hung up. TCP: the end of input, since a client that is gone and one that
// closed half look alike. Unix: only a full close; a client may end its input and wait for the answer.
func (c *conn) events() uint32 {
	if _, isUnix := c.Conn.(*net.UnixConn); isUnix {
		return unix.EPOLLHUP | unix.EPOLLERR
	}
	return unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
}

func (c *conn) fd() (fd int) { return descriptor(c.Conn) }

// credentials are those of the process that connected.
func credentials(c net.Conn) (unix.Ucred, error) {
	cred, err := unix.GetsockoptUcred(descriptor(c), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return unix.Ucred{}, err
	}
	return *cred, nil
}

func descriptor(c net.Conn) (fd int) {
	fd = -1
	sc, ok := c.(syscall.Conn)
	if !ok {
		return fd
	}
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(f uintptr) { fd = int(f) }) // a closed connection has none: -1
	}
	return fd
}

// Peer is who is at the other end: a user on a Unix socket, an address on TCP. A pid may be reused; trust the uid.
type Peer struct {
	Unix     bool
	Known    bool // the system told the user
	UID, GID uint32
	PID      int32
	Address  string
	Loopback bool // the connection came to an address that this machine alone can reach
}

// PeerOf tells who sends a request.
func PeerOf(ctx *fasthttp.RequestCtx) Peer {
	c, ok := ctx.Conn().(*conn)
	if !ok {
		return Peer{Address: ctx.RemoteAddr().String()}
	}
	if _, isUnix := c.Conn.(*net.UnixConn); isUnix {
		cred, err := credentials(c.Conn)
		if err != nil {
			return Peer{Unix: true}
		}
		return Peer{Unix: true, Known: true, UID: cred.Uid, GID: cred.Gid, PID: cred.Pid}
	}
	local, _ := c.LocalAddr().(*net.TCPAddr)
	return Peer{Address: c.RemoteAddr().String(), Loopback: local != nil && local.IP.IsLoopback()}
}

// Attr is the peer for the log.
func (p Peer) Attr() slog.Attr {
	switch {
	case p.Unix && !p.Known:
		return slog.String("peer", "unix")
	case p.Unix:
		return slog.Group("peer", "uid", p.UID, "gid", p.GID, "pid", p.PID)
	}
	return slog.String("peer", p.Address)
}
