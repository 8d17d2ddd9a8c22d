package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
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
// a crash and replaced; one that answers belongs to another daemon, which is an error.
func ListenUnix(path string) (net.Listener, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
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
	return l, nil
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
