package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
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
	watcher *watcher
	write   time.Duration
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
			return &conn{Conn: c, watcher: l.watcher, write: l.write}, nil
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
	watcher *watcher
	write   time.Duration
	scan    headScan // the reading goroutine's

	mu     sync.Mutex
	cancel context.CancelFunc // of the request under way
	id     int32              // of the watch, 0 if none
}

// Read ends the request under way. Bytes are only ever taken here, by the server itself: the watch
// looks at the connection's state, so no byte of a pipelined request can be lost.
func (c *conn) Read(b []byte) (int, error) {
	c.endRequest()
	if c.scan.bad {
		return 0, errBareLF
	}
	n, err := c.Conn.Read(b)
	c.scan.read(b[:n])
	return n, err
}

// pieceBytes is what a client must take within one write deadline.
const pieceBytes = 64 << 10

// Write gives every piece its own deadline: a client that does not read is cut off, a long answer or a
// slow line is not.
func (c *conn) Write(b []byte) (n int, err error) {
	for len(b) > n && err == nil {
		if err = c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			break
		}
		var wrote int
		wrote, err = c.Conn.Write(b[n:min(n+pieceBytes, len(b))])
		n += wrote
	}
	if err != nil {
		c.hangUp()
	}
	return n, err
}

// Close ends the request and the connection.
func (c *conn) Close() error {
	c.endRequest()
	return c.Conn.Close()
}

func (c *conn) endRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id != 0 {
		c.watcher.remove(c.id, c.fd())
		c.id = 0
	}
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// hangUp cancels the request under way.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

// begin starts a request whose context is done when the client hangs up.
func (c *conn) begin(parent context.Context) context.Context {
	c.endRequest()
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithCancel(parent)
	c.cancel = cancel
	c.id = c.watcher.add(c, c.fd(), c.events())
	return ctx
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
