package paths

import (
	"os"
	"path/filepath"
	"testing"
)

// This file owns tests of the default places, for root, users, services and odd environments.

func TestSocket(t *testing.T) {
	t.Setenv("TMPDIR", "/var/tmp")
	for _, c := range []struct {
		uid           int
		runtime, want string
	}{
		{0, "/run/user/0", "/run/chimera/chimera.sock"},
		{1000, "/run/user/1000", "/run/user/1000/chimera.sock"},
		{1000, "", "/var/tmp/chimera-1000/chimera.sock"},
		{1000, "relative", "/var/tmp/chimera-1000/chimera.sock"},
	} {
		t.Setenv("XDG_RUNTIME_DIR", c.runtime)
		if got := socketOf(c.uid); got != c.want {
			t.Errorf("uid %d, XDG_RUNTIME_DIR=%s: %s, want %s", c.uid, c.runtime, got, c.want)
		}
	}
}

func TestFolders(t *testing.T) {
	for _, c := range []struct{ service, xdg, home, cache, state string }{
		{"", "", "/home/a", "/home/a/.cache/chimera", "/home/a/.local/state/chimera"},
		{"", "/x", "/home/a", "/x/chimera", "/x/chimera"},
		{"", "x", "/home/a", "/home/a/.cache/chimera", "/home/a/.local/state/chimera"},
		{"/var/s:/var/other", "/x", "/home/a", "/var/s", "/var/s"},
		{"", "", "", "", ""},
	} {
		t.Setenv("CACHE_DIRECTORY", c.service)
		t.Setenv("STATE_DIRECTORY", c.service)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		t.Setenv("XDG_STATE_HOME", c.xdg)
		t.Setenv("HOME", c.home)
		if cache, state := Cache(), State(); cache != c.cache || state != c.state {
			t.Errorf("%+v: %s and %s", c, cache, state)
		}
	}
}

func TestModel(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	t.Setenv("CACHE_DIRECTORY", filepath.Join(here, "cache"))
	models := filepath.Join(here, "cache", "models")
	if err := os.MkdirAll(models, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(models, "a.gguf"), filepath.Join(models, "b.gguf"), "b.gguf"} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for given, want := range map[string]string{
		"a":      filepath.Join(models, "a.gguf"),
		"a.gguf": filepath.Join(models, "a.gguf"),
		"b.gguf": "b.gguf", // what lies here comes first
		"b":      filepath.Join(models, "b.gguf"),
		"./a":    "./a",
		"none":   "none",
		"":       "",
	} {
		if got := Model(given); got != want {
			t.Errorf("%q: %s, want %s", given, got, want)
		}
	}
}
