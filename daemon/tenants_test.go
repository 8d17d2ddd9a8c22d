package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

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
		s := &server{config: Config{IsolateTenants: c.setting}, listeners: c.listeners}
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

func TestEdgeSettings(t *testing.T) {
	for _, c := range []struct {
		file        string
		args        []string
		environment string
		isolate     string // as --help would show it
		bad         string // part of the error
	}{
		{"isolate_tenants = true", nil, "", "true", ""},
		{"isolate_tenants = false", nil, "", "false", ""},
		{"isolate_tenants = true", nil, "auto", "auto", ""},
		{"", []string{"--isolate-tenants"}, "false", "true", ""},
		{"", []string{"--isolate-tenants=false"}, "", "false", ""},
		{"", nil, "", "auto", ""},
		{"", nil, "maybe", "", "CHIMERA_ISOLATE_TENANTS=maybe: use true, false or auto"},
		{"allowed_hosts = [\"chat.example\", \".corp\"]\ncors_origins = [\"https://ui.example\"]", nil, "", "auto", ""},
		{"allowed_hosts = [\"https://chat.example\"]", nil, "", "", `allowed_hosts: "https://chat.example": write a name`},
		{"", []string{"--cors-origins", "ui.example"}, "", "", `cors_origins: "ui.example": write it as browsers do`},
		{"log_format = \"xml\"", nil, "", "", "c.toml:1:1: log_format: xml: use text or json"},
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("CHIMERA_ISOLATE_TENANTS", c.environment)
		if c.environment == "" {
			os.Unsetenv("CHIMERA_ISOLATE_TENANTS")
		}
		given, flags := Config{}, pflag.NewFlagSet("serve", pflag.ContinueOnError)
		Flags(flags, &given)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		got, err := Resolve(path, flags)
		var usage *ConfigError
		switch {
		case c.bad == "" && (err != nil || decision{&got.IsolateTenants}.String() != c.isolate):
			t.Errorf("%+v: %v, %s", c, err, decision{&got.IsolateTenants})
		case c.bad != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), c.bad)):
			t.Errorf("%+v: %v", c, err)
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
