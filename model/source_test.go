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
	if err != nil || got.Rows != 10 || got.Cols != 16 || got.Type != engine.F32 || len(got.Data) != 640 || !s.Has(name) || s.Has("none") {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := s.Dequantize(name, 8, 2, make([]float32, 32)); err != nil {
		t.Error(err)
	}
	bad := func(what string, err error, field string) {
		if !errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = s.Tensor("none")
	bad("no such tensor", err, "tensor none is missing")
	bad("no such tensor", s.Dequantize("none", 0, 1, make([]float32, 16)), "tensor none is missing")
	bad("rows beyond the end", s.Dequantize(name, 9, 2, make([]float32, 32)), "tensor "+name)
	bad("rows before the start", s.Dequantize(name, -1, 2, make([]float32, 32)), "tensor "+name)
	bad("another size", s.Dequantize(name, 0, 1, make([]float32, 15)), "tensor "+name)
	s.Release(name)
	if err := os.Truncate(path, 64); err != nil {
		t.Fatal(err)
	}
	_, err = s.Tensor(name)
	bad("a file that shrank", err, "tensor "+name)
}
