// Package socket owns connections: Unix and TCP listeners, peer credentials, the watch for clients
// that hang up, and the fasthttp server with its limits.
//
// This file owns where the socket lies, for server and client alike.
package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DefaultPath is where the daemon listens and its clients look without any configuration:
// /run/chimera/chimera.sock for root, $XDG_RUNTIME_DIR/chimera.sock for a user.
func DefaultPath() string { return defaultPath(os.Getuid()) }

func defaultPath(uid int) string {
	if uid == 0 {
		return "/run/chimera/chimera.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "chimera.sock")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("chimera-%d", uid), "chimera.sock")
}

// TCPAddress completes an address: a bare port, with or without colon, means loopback, so that nobody
// opens a machine by leaving the host out.
func TCPAddress(given string) (string, error) {
	address := given
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.ContainsAny(host, " /") {
		err = errors.New("the host is no name or number")
	}
	if _, bad := strconv.ParseUint(port, 10, 16); err == nil && bad != nil {
		err = errors.New("the port is no number up to 65535")
	}
	if err != nil {
		return "", fmt.Errorf("address %q: %w; write PORT or HOST:PORT", given, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
