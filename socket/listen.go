package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"chimera/paths"
)

// This file owns listeners.

// socketMode lets owner and group connect: who may use the model is decided by group membership.
const socketMode = 0o660

// maxPath is what sockaddr_un holds.
const maxPath = 107

// CheckPath refuses paths that no socket can have. (The system takes an empty one for "any name".)
func CheckPath(path string) error {
	switch {
	case path == "":
		return errors.New("socket: the path is empty")
	case len(path) > maxPath:
		return fmt.Errorf("socket %s: the path has %d bytes, the system allows %d", path, len(path), maxPath)
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("socket %q: the path has a NUL byte", path)
	}
	return nil
}

// ListenUnix listens on a path. Missing folders are made; a socket that nobody answers on is left from
// a crash and replaced; one that answers belongs to another daemon, which is an error. So is a place that another user has
// made, or may change: clients would talk to whoever that is.
func ListenUnix(path string) (net.Listener, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	for _, prepare := range []func(string) error{paths.CheckSocket, paths.MakeSocketFolder, paths.CheckSocket} {
		if err := prepare(path); err != nil {
			return nil, fmt.Errorf("socket %s: %w", path, err)
		}
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	old := syscall.Umask(0o117) // never open wider than socketMode, not even for a moment
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), l.Close())
	}
	if paths.IsPrivate(path) {
		return privateListener{l}, nil
	}
	return l, nil
}

// privateListener is one whose folder is its user's alone: a connection of anybody else, who has come by another way, is
// closed.
type privateListener struct{ net.Listener }

func (l privateListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cred, err := credentials(c)
		if err == nil && (cred.Uid == 0 || int(cred.Uid) == os.Getuid()) {
			return c, nil
		}
		slog.Warn("a connection of another user was closed", "socket", l.Addr().String(), "uid", cred.Uid, "cause", err)
		c.Close()
	}
}

func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("socket %s: a file that is no socket stands there; remove it or choose another --socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("socket %s: another daemon answers there; stop it or choose another --socket", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	return os.Remove(path)
}

// ListenTCP listens on an address that TCPAddress completes.
func ListenTCP(address string) (net.Listener, error) {
	complete, err := TCPAddress(address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", complete)
	if err != nil {
		return nil, fmt.Errorf("http %s: %w", complete, err)
	}
	return l, nil
}
