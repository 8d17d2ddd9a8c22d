package weights

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// This file owns tests of files that change while they are open.

// large is a file with a tensor of many pages, in front of a small one.
func large(t *testing.T) string {
	r := begin(3, 2, 0).tensor("a", F32, 0, 1<<10, 64).tensor("b", F16, 4<<16, 16)
	return write(t, "m.gguf", r.data(32, 4<<16+32))
}

// TestShrunkenFile: a file that loses its end gives an error where that is read, and its bytes elsewhere.
func TestShrunkenFile(t *testing.T) {
	path := large(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a")
	want := bytesOf(t, f, a)
	const left = 1 << 15
	if err := os.Truncate(path, left); err != nil {
		t.Fatal(err)
	}
	shrank := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), path+": tensor a: the file shrank") {
			t.Errorf("%s: %v", what, err)
		}
	}
	row := make([]byte, a.RowBytes())
	for first := range a.Rows() {
		err := f.Read(a, first, row)
		if a.start+(first+1)*a.RowBytes() > left {
			shrank("reading", err)
		} else if err != nil || !bytes.Equal(row, want[first*a.RowBytes():][:a.RowBytes()]) {
			t.Errorf("row %d: %v", first, err)
		}
	}
	shrank("copying", new(Conversion).tensor(new(bytes.Buffer), f, a, F32))
	shrank("converting", new(Conversion).tensor(new(bytes.Buffer), f, a, F16))
}

// TestShrunkenHeader: a header that the file loses while it is parsed gives an error.
func TestShrunkenHeader(t *testing.T) {
	path := large(t)
	size := len(mustRead(t, path))
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := unix.Mmap(int(file.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(data)
	parsed := func() error { _, err := parseHeader(path, data, 0); return err }
	if err := guard(parsed); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := guard(parsed); !errors.Is(err, errShrunk) {
		t.Error(err)
	}
}

// TestReadRefuses: rows that the tensor does not have, and a file that can't be read.
func TestReadRefuses(t *testing.T) {
	f, err := Open(large(t))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.Tensor("a")
	row := make([]byte, a.RowBytes())
	for what, err := range map[string]error{
		"half a row":               f.Read(a, 0, row[1:]),
		"a row behind the last":    f.Read(a, a.Rows(), row),
		"two rows, one there":      f.Read(a, a.Rows()-1, append(row, row...)),
		"a row number without end": f.Read(a, 1<<63, row),
	} {
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "tensor a: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(f.Read(a, a.Rows(), nil), f.Close()); err != nil {
		t.Error(err)
	}
	f.Ahead(a, 0, 1)
	if err := f.Read(a, 0, row); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), f.Name()+": tensor a: file already closed") {
		t.Errorf("after Close: %v", err)
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
	if b := bytesOf(t, f, a); b[1] != 1 || b[len(b)-1] != 255 {
		t.Errorf("the bytes changed: %d ... %d", b[1], b[len(b)-1])
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
