package weights

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// This file owns tests of files that change under their mapping.

// large is a file with a tensor of many pages, in front of a small one.
func large(t *testing.T) string {
	r := begin(3, 2, 0).tensor("a", F32, 0, 1<<10, 64).tensor("b", F16, 4<<16, 16)
	return write(t, "m.gguf", r.data(32, 4<<16+32))
}

// TestShrunkenFile: the process lives when the file under a mapping loses its end.
func TestShrunkenFile(t *testing.T) {
	path := large(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a")
	values := make([]float32, a.Values())
	if err := errors.Join(f.Intact(a), Dequantize(a.Type, a.Data, values)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<12); err != nil {
		t.Fatal(err)
	}
	err = f.Intact(a)
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), path+": tensor a: the file shrank") {
		t.Errorf("Intact: %v", err)
	}
	if err := Dequantize(a.Type, a.Data, values); err == nil || !strings.Contains(err.Error(), "shrank") {
		t.Errorf("Dequantize: %v", err)
	}
	if err := convertTensor(new(bytes.Buffer), a, F32); err == nil || !strings.Contains(err.Error(), "shrank") {
		t.Errorf("copying: %v", err)
	}
	if err := convertTensor(new(bytes.Buffer), a, F16); err == nil || !strings.Contains(err.Error(), "shrank") {
		t.Errorf("converting: %v", err)
	}
}

// TestReplacedFile: replacing by renaming leaves an open model as it was.
func TestReplacedFile(t *testing.T) {
	path := large(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(write(t, "other.gguf", sample(3)), path); err != nil {
		t.Fatal(err)
	}
	a, _ := f.Tensor("a")
	if err := errors.Join(f.Intact(a), Dequantize(a.Type, a.Data, make([]float32, a.Values()))); err != nil {
		t.Error(err)
	}
}

// TestGuardPassesPanics: only faults of mapped memory become errors.
func TestGuardPassesPanics(t *testing.T) {
	for name, f := range map[string]func() error{
		"a panic":            func() error { panic("ours") },
		"index out of range": func() error { var s []int; return errors.New(string(rune(s[len(os.Args)]))) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was swallowed", name)
				}
			}()
			t.Error(guard(f))
		}()
	}
}
