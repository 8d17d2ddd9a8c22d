package weights

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// split writes f as count shards into folder and returns their paths. Metadata goes into the first.
func split(t *testing.T, f *File, folder string, count int) []string {
	t.Helper()
	var paths []string
	for no := range count {
		m := &Metadata{values: map[string]Value{}}
		if no == 0 {
			m = f.metadata.clone()
		}
		m.Set("split.no", Value{Type: Uint16, Any: uint64(no)})
		m.Set("split.count", Value{Type: Uint16, Any: uint64(count)})
		m.Set("split.tensors.count", Value{Type: Int32, Any: int64(len(f.tensors))})
		var part []OutTensor
		for _, x := range f.tensors[len(f.tensors)*no/count : len(f.tensors)*(no+1)/count] {
			part = append(part, outTensor(t, f, x))
		}
		var out bytes.Buffer
		if err := WriteFile(&out, m, part); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, fmt.Sprintf("m-%05d-of-%05d.gguf", no+1, count))
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// The other shards lie beside the first, wherever links lead to it.
func TestShardsThroughLinkedFolders(t *testing.T) {
	whole, err := Open(write(t, "m.gguf", sample(3)))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	folder := t.TempDir()
	t.Chdir(folder)
	if err := errors.Join(os.MkdirAll("o/deep", 0o700), os.Mkdir("d", 0o700), os.Symlink("../o/deep", "d/link")); err != nil {
		t.Fatal(err)
	}
	first := filepath.Base(split(t, whole, "o", 3)[0])
	for _, path := range []string{"o/" + first, "d/link/../" + first, folder + "/d/link/../" + first, "./o//" + first} {
		f, err := Open(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		f.Close()
	}
	t.Chdir("o")
	if f, err := Open(first); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestShards(t *testing.T) {
	sources := map[string]string{"sample": write(t, "m.gguf", sample(3))}
	if _, err := os.Stat("../../shared/conformance"); err == nil {
		sources["llama"] = fixture(t, "llama/llama-f32.gguf")
	}
	for name, path := range sources {
		whole, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, count := range []int{2, 3, 7} {
			parts, err := Open(split(t, whole, t.TempDir(), count)[0])
			if err != nil {
				t.Fatalf("%s in %d shards: %v", name, count, err)
			}
			if len(parts.Tensors()) != len(whole.Tensors()) {
				t.Errorf("%s in %d shards: %d tensors", name, count, len(parts.Tensors()))
			}
			for _, want := range whole.Tensors() {
				got, ok := parts.Tensor(want.Name)
				if !ok || got.Type != want.Type || !reflect.DeepEqual(got.Shape, want.Shape) || !bytes.Equal(bytesOf(t, parts, got), bytesOf(t, whole, want)) {
					t.Errorf("%s in %d shards: tensor %s differs", name, count, want.Name)
				}
			}
			if err := parts.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := whole.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadShards(t *testing.T) {
	whole, err := Parse("m.gguf", sample(3))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil       func(p []string) error
		open, names int // which shard is opened, which the error names
		field       string
	}{
		"missing":         {func(p []string) error { return os.Remove(p[1]) }, 0, 1, "split.count"},
		"swapped":         {func(p []string) error { return swap(p[1], p[2]) }, 0, 1, "split.no"},
		"first swapped":   {func(p []string) error { return swap(p[0], p[1]) }, 0, 0, "split.no"},
		"not the first":   {func([]string) error { return nil }, 1, 1, "split.no"},
		"duplicate":       {func(p []string) error { return repeat(p[2], p[0]) }, 0, 2, "tensor first"},
		"truncated":       {func(p []string) error { return os.Truncate(p[2], 60) }, 0, 2, "key"},
		"empty":           {func(p []string) error { return os.Truncate(p[2], 0) }, 0, 2, "magic"},
		"of another set":  {func(p []string) error { return repeat(p[1], "") }, 0, 1, "split.no"},
		"a folder":        {func(p []string) error { return errors.Join(os.Remove(p[1]), os.Mkdir(p[1], 0o700)) }, 0, 1, "file"},
		"too few tensors": {func(p []string) error { return empty(p[2], 2, 3) }, 0, 0, "split.tensors.count"},
	} {
		paths := split(t, whole, t.TempDir(), 3)
		if err := c.spoil(paths); err != nil {
			t.Fatal(err)
		}
		_, err := Open(paths[c.open])
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), paths[c.names]+": ") || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	lone := write(t, "renamed.gguf", mustRead(t, split(t, whole, t.TempDir(), 2)[0]))
	if _, err := Open(lone); err == nil || !strings.Contains(err.Error(), "-00001-of-00002.gguf") {
		t.Errorf("a renamed shard: %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func swap(a, b string) error {
	return errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b))
}

// empty makes path a shard without tensors.
func empty(path string, no uint32, count uint32) error {
	r := begin(3, 0, 2)
	r.key("split.no", Uint32).u32(no).key("split.count", Uint32).u32(count)
	return os.WriteFile(path, r.b, 0o600)
}

// repeat makes path the third shard with tensor first once more, or, with no source, a file that says
// nothing of shards.
func repeat(path, source string) error {
	if source == "" {
		return os.WriteFile(path, begin(3, 0, 0).b, 0o600)
	}
	r := begin(3, 1, 2)
	r.key("split.no", Uint32).u32(2).key("split.count", Uint32).u32(3)
	r.tensor("first", F32, 0, 4)
	return os.WriteFile(path, r.data(32, 16), 0o600)
}

func outTensor(t *testing.T, f *File, x Tensor) OutTensor {
	return OutTensor{Name: x.Name, Type: x.Type, Shape: x.Shape, Write: copyOf(bytesOf(t, f, x))}
}
