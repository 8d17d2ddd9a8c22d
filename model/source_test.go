package model

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tests of weights as a backend reads them.

func TestSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, sound("llama").bytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, name := NewSource(f), "token_embd.weight"
	got, err := s.Tensor(name)
	if err != nil || got.Rows != 10 || got.Cols != 16 || got.Type != engine.F32 || got.RowBytes != 64 || !s.Has(name) || s.Has("none") {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.Read(name, 8, make([]byte, 128)); err != nil {
		t.Error(err)
	}
	bad := func(what string, err error, field string) {
		if !errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = s.Tensor("none")
	bad("no such tensor", err, "tensor none is missing")
	row := make([]byte, got.RowBytes)
	bad("no such tensor", s.Read("none", 0, row), "tensor none is missing")
	bad("rows beyond the end", s.Read(name, 9, append(row, row...)), "tensor "+name)
	bad("rows before the start", s.Read(name, -1, row), "tensor "+name)
	bad("half a row", s.Read(name, 0, row[1:]), "tensor "+name)
	s.Ahead(name, 0, 10)
	s.Ahead("none", 0, 1)
	if err := os.Truncate(path, 64); err != nil {
		t.Fatal(err)
	}
	bad("a file that shrank", s.Read(name, 0, row), "tensor "+name)
}
