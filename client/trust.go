package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"chimera/paths"
)

// This file owns whom the client talks to over a Unix socket: what is asked is for the user's own daemon, not for whoever was
// first to put a socket in its place.

// trustError says why a socket is not connected to, or not talked to.
type trustError struct{ error }

// Unwrap returns the cause.
func (e trustError) Unwrap() error { return e.error }

// dialUnix connects to a daemon of root, of the user, or of the owner of a socket that nobody else can have put there.
func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	if err := paths.CheckSocket(path); err != nil {
		return nil, trustError{fmt.Errorf("socket %s: %w", path, err)}
	}
	owner, err := paths.Owner(path) // before the connection: whoever takes the socket's place then is somebody else
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := checkDaemon(c.(*net.UnixConn), path, owner); err != nil {
		return nil, errors.Join(trustError{err}, c.Close())
	}
	return c, nil
}

// checkDaemon looks at who listens: the system notes it when the socket begins to.
func checkDaemon(c *net.UnixConn, path string, owner uint32) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var unknown error
	if err := raw.Control(func(fd uintptr) { cred, unknown = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if unknown != nil {
		return fmt.Errorf("who listens on %s is not known: %w", path, unknown)
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Getuid() && cred.Uid != owner {
		return fmt.Errorf("user %d listens on %s, which belongs to user %d: it is not that user's daemon", cred.Uid, path, owner)
	}
	return nil
}
