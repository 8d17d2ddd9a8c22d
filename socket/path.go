// Package socket owns connections: Unix and TCP listeners, peer credentials, the watch for clients
// that hang up, and the fasthttp server with its limits.
//
// This file owns where the socket lies, for server and client alike.
package socket

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// DefaultPath is where the daemon listens and its clients look without any configuration:
// /run/chimera/chimera.sock for root, $XDG_RUNTIME_DIR/chimera.sock for a user.
func DefaultPath() string {
	if os.Getuid() == 0 {
		return "/run/chimera/chimera.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "chimera.sock")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("chimera-%d", os.Getuid()), "chimera.sock")
}

// TCPAddress completes an address: a bare port, with or without colon, means loopback, so that nobody
// opens a machine by leaving the host out.
func TCPAddress(address string) (string, error) {
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("address %q: %w; write PORT or HOST:PORT", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
