package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/api"
	"chimera/config"
	"chimera/socket"
)

// This file owns tests of the settings that say who may ask, and of the log's form.

// Tenants are kept apart unless one user alone can be a client; the setting has the last word.
func TestIsolates(t *testing.T) {
	private, shared := filepath.Join(t.TempDir(), "p"), filepath.Join(t.TempDir(), "s")
	for folder, mode := range map[string]os.FileMode{private: 0o700, shared: 0o755} {
		if err := os.Mkdir(folder, mode); err != nil {
			t.Fatal(err)
		}
	}
	unix := func(folder string, mode os.FileMode) net.Listener {
		l, err := socket.ListenUnix(filepath.Join(folder, "s.sock"))
		if err == nil {
			err = os.Chmod(filepath.Join(folder, "s.sock"), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	own, group := unix(private, 0o660), unix(shared, 0o660)
	tcp, err := socket.ListenTCP("0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for _, c := range []struct {
		name      string
		listeners []net.Listener
		setting   *bool
		want      bool
	}{
		{"a folder of the user's own", []net.Listener{own}, nil, false},
		{"the group's socket", []net.Listener{group}, nil, true},
		{"TCP", []net.Listener{tcp}, nil, true},
		{"TCP beside the user's own socket", []net.Listener{own, tcp}, nil, true},
		{"as set", []net.Listener{own}, new(true), true},
		{"as set", []net.Listener{own, tcp}, new(false), false},
	} {
		s := &server{config: config.Config{IsolateTenants: c.setting}, listeners: c.listeners}
		if got := s.isolates(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	if err := os.Chmod(filepath.Join(shared, "s.sock"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := (&server{listeners: []net.Listener{group}}); s.isolates() {
		t.Error("a socket of mode 0600 has one user")
	}
}

func TestOwnNames(t *testing.T) {
	for _, c := range []struct{ machine, http, want string }{
		{"box7", "", "box7 box7 box7.local"},
		{"box7.corp.example", "8080", "box7.corp.example box7 box7.local 127.0.0.1"},
		{"", "gpu.corp:8080", "gpu.corp"},
		{"", "[::1]:8080", "::1"},
		{"", "", ""},
	} {
		if got := strings.Join(ownNames(c.machine, c.http), " "); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.machine, c.http, got, c.want)
		}
	}
}

func TestLogFormat(t *testing.T) {
	for format, want := range map[string]string{"text": "level=INFO msg=hello id=a", "json": `"level":"INFO","msg":"hello","id":"a"}`} {
		var out bytes.Buffer
		slog.New(logHandler(&out, format)).Info("hello", "id", "a")
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

// A request is a tenant's by its key, else by its user.
func TestTenantsOfRequests(t *testing.T) {
	all := newTenants([]config.Tenant{{Name: "day", UIDs: []uint32{7}, Keys: []string{digestOf("baz")}}, {Name: "night", UIDs: []uint32{8, 0}, Keys: []string{digestOf("foo")}}})
	for _, c := range []struct {
		peer api.Peer
		key  string
		want string
	}{
		{api.Peer{Unix: true, UID: 7}, "", "day"}, {api.Peer{Unix: true, UID: 8}, "", "night"}, {api.Peer{Unix: true, UID: 9}, "", ""},
		{api.Peer{Unix: true, UID: 7}, "foo", "night"}, {api.Peer{Unix: true, UID: 7}, "bar", "day"},
		{api.Peer{}, "foo", "night"}, {api.Peer{}, "Foo", ""}, {api.Peer{}, "", ""}, {api.Peer{}, digestOf("foo"), ""},
		{api.Peer{UID: 0}, "", ""}, // by TCP there is no user
	} {
		if got := all.of(c.peer, c.key); got != c.want {
			t.Errorf("%+v %q: %q, want %q", c.peer, c.key, got, c.want)
		}
	}
}

func TestAdministers(t *testing.T) {
	own := uint32(os.Geteuid())
	for p, want := range map[socket.Peer]bool{
		{Unix: true, Known: true, UID: 0}: true, {Unix: true, Known: true, UID: own}: true, {Unix: true, Known: true, UID: own + 1}: false,
		{Unix: true, UID: 0}: false, {Known: true, UID: 0}: false, {Loopback: true}: false,
	} {
		if administers(p) != want {
			t.Errorf("%+v: %t", p, !want)
		}
	}
}

// digestOf is a key as the settings have it.
func digestOf(key string) string {
	digest := sha256.Sum256([]byte(key))
	return hex.EncodeToString(digest[:])
}
