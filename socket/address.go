// Package socket owns connections: Unix and TCP listeners, peer credentials, the watch for clients
// that hang up, and the fasthttp server with its limits.
//
// This file owns what a TCP address means.
package socket

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

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
