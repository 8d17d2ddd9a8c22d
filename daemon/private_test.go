package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"chimera/internal/fixtures"
)

// This file owns tests of the daemon within a verb: it is nobody else's, and nothing of it is left.

// temporary is a folder for what is temporary, and tells whether something is left there.
func temporary(t *testing.T) (left func(what string)) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	return func(what string) {
		t.Helper()
		if names, err := os.ReadDir(folder); err != nil || len(names) != 0 {
			t.Errorf("%s: %v is left, %v", what, names, err)
		}
	}
}

func TestServePrivatelyNoModel(t *testing.T) {
	left := temporary(t)
	if _, err := ServePrivately(t.Context(), *fixtures.SmallConfig(), "/nowhere/m.gguf", io.Discard); !errors.Is(err, ErrModelFile) {
		t.Errorf("a file that is not there: %v", err)
	}
	left("a file that is not there")
}

func TestServePrivately(t *testing.T) {
	c, left := fixtures.SmallConfig(), temporary(t)
	model := filepath.Join(fixtures.SharedDir(t, "CHIMERA_MT", "mt"), "gguf", "f32.gguf")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	early, err := ServePrivately(ctx, *c, model, io.Discard)
	if err == nil { // the load was quicker
		if err := early.Stop(); err != nil {
			t.Error(err)
		}
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("a load that nobody wants: %v", err)
	}
	left("a load that nobody wants")
	p, err := ServePrivately(t.Context(), *c, model, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Dir(p.At)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder is open to others: %v, %v", info.Mode(), err)
	}
	if conn, err := net.Dial("unix", p.At); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	left("what has ended")
}
