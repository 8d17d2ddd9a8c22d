package socket

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// This file owns closing a connection whose client still sends. The system resets a connection that is closed with input
// unread, and the client then loses the answer that says why: what comes is read and dropped for a while.

// drainBytes bounds what is dropped: several of the largest bodies.
const drainBytes = 64 << 20

// drain says that nothing more is sent, and waits for the client to end, if it may still be sending. Not for one that is read
// from by another goroutine, which the server closes for its own reasons; nor for one that nobody has read from: that is one
// connection too many, and closed where others wait to be accepted.
func (c *conn) drain() {
	c.mu.Lock()
	gone := c.failed != nil || c.broken != nil && !errors.Is(c.broken, os.ErrDeadlineExceeded)
	c.mu.Unlock()
	if gone || !c.read.Load() || c.reading.Load() || !c.midway.Load() && !c.hasInput() {
		return
	}
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(c.server.limits.drain)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, drainBytes)) // however it ends, it ends
}

// hasInput tells whether the system holds bytes that nobody has read.
func (c *conn) hasInput() bool {
	n, err := unix.IoctlGetInt(c.fd(), unix.TIOCINQ)
	return err == nil && n > 0
}
