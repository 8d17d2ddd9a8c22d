package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/weights"
)

// This file owns tests of the files that verbs write.

// inFolder is a folder with a model, and the model open.
func inFolder(t *testing.T) (folder string, model *weights.File) {
	t.Helper()
	folder = t.TempDir()
	data, err := os.ReadFile(fixtures.Biased)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "m.gguf"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if model, err = loader.OpenFile(filepath.Join(folder, "m.gguf")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return folder, model
}

func saying(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// nothingLeft wants no temporary file.
func nothingLeft(t *testing.T, folder string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(folder, ".*")); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
}

// A new file has the mode that the umask leaves, a replaced one its own; links are followed, not replaced.
func TestOutputModes(t *testing.T) {
	folder, model := inFolder(t)
	at := func(name string) string { return filepath.Join(folder, name) }
	defer syscall.Umask(syscall.Umask(0o077))
	longest := strings.Repeat("n", 255)
	if err := errors.Join(os.Mkdir(at("there"), 0o700), os.WriteFile(at("old"), []byte("old"), 0o600), os.Chmod(at("old"), 0o640),
		os.WriteFile(at("there/linked"), []byte("old"), 0o600), os.Chmod(at("there/linked"), 0o604),
		os.Symlink("there/linked", at("link")), os.Symlink(at("link"), at("second")), os.Symlink("there/new", at("dangling"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, file string
		mode       fs.FileMode
	}{
		{"fresh", "fresh", 0o600}, {longest, longest, 0o600}, {"old", "old", 0o640}, {"link", "there/linked", 0o604},
		{"second", "there/linked", 0o604}, {"dangling", "there/new", 0o600},
	} {
		if err := writeFile(t.Context(), at(c.path), model, saying(c.path)); err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		info, err := os.Lstat(at(c.file))
		if err != nil || info.Mode() != c.mode || content(t, at(c.path)) != c.path {
			t.Errorf("%s: %v, %v", c.path, info, err)
		}
	}
	for _, link := range []string{"link", "second", "dangling"} {
		if info, err := os.Lstat(at(link)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", link, err)
		}
	}
	syscall.Umask(0o002)
	if err := writeFile(t.Context(), at("shared"), model, saying("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(at("shared")); err != nil || info.Mode() != 0o664 {
		t.Errorf("with another umask: %v, %v", info, err)
	}
	nothingLeft(t, folder)
	nothingLeft(t, at("there"))
}

// A path leads where the kernel says: .. behind a link to a folder is above the folder that it leads to.
func TestOutputThroughLinkedFolders(t *testing.T) {
	for path, want := range map[string]string{
		"d/link/out": "o/z", "d/link/plain": "o/deep/plain", "d/link/../new": "o/new", "d/link/up/new": "o/new", "d/link/./old": "o/deep/old",
		"d/link/../../d/link/out": "o/z", "d/round": "o/deep/old", "d//link//up//deep/old": "o/deep/old", "d/rooted": "o/deep/old",
	} {
		for _, relative := range []bool{false, true} {
			t.Run(path, func(t *testing.T) { throughLinks(t, path, want, relative) })
		}
	}
}

func throughLinks(t *testing.T, path, want string, relative bool) {
	folder, model := inFolder(t)
	t.Chdir(folder)
	if err := errors.Join(os.MkdirAll("o/deep", 0o700), os.Mkdir("d", 0o700), os.Symlink(folder+"/o/deep", "d/link"), os.Symlink("../z", "o/deep/out"),
		os.Symlink("..", "o/deep/up"), os.Symlink("link/../deep/old", "d/round"), os.Symlink(folder+"/d/link/old", "d/rooted"),
		os.WriteFile("o/deep/old", []byte("old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	others := []string{"m.gguf", "d/z", "d/new", "new", "z"} // where a path that is cleaned first would lead
	for _, other := range others[1:] {
		if err := os.Link("m.gguf", other); err != nil {
			t.Fatal(err)
		}
	}
	if !relative {
		path = folder + "/" + path
	}
	if err := writeFile(t.Context(), path, model, saying("new")); err != nil || content(t, want) != "new" {
		t.Errorf("%v, want it at %s", err, want)
	}
	for _, other := range others {
		if !model.Holds(stat(t, other)) {
			t.Errorf("%s was replaced", other)
		}
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// A file that is open and was removed has no place any more.
func TestOutputToARemovedFile(t *testing.T) {
	folder, model := inFolder(t)
	f, err := os.Create(filepath.Join(folder, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if err := writeFile(t.Context(), path, model, saying("kept")); err != nil || content(t, f.Name()) != "kept" {
		t.Errorf("a link of the kernel to a file that is there: %v", err)
	}
	if err := writeFile(t.Context(), path, model, saying("x")); err == nil || !strings.Contains(err.Error(), "has no name") { // the open one was replaced
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("%v: %v", left, err)
	}
}

// What is no regular file is not replaced, nor is the model, by whatever name. All of it lies in the test's folder: a test
// that fails on the machine's own devices would replace them.
func TestOutputRefuses(t *testing.T) {
	folder, model := inFolder(t)
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(os.Link(at("m.gguf"), at("hard")), os.Symlink("m.gguf", at("soft")), os.Symlink("hard", at("both")),
		os.Mkdir(at("folder"), 0o700), unix.Mkfifo(at("pipe"), 0o600), os.Symlink("pipe", at("to-pipe")),
		os.Symlink("circle", at("circle"))); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for path, want := range map[string]string{
		at("m.gguf"): "the file that is read", at("hard"): "the file that is read", at("soft"): "the file that is read", at("both"): "the file that is read",
		at("folder"): "it is a folder", at("pipe"): "no regular file", at("to-pipe"): "no regular file",
		at("socket"): "no regular file", at("circle"): "too many levels", at("none/x"): "no such file", at("m.gguf/x"): "not a directory",
	} {
		called := false
		err := writeFile(t.Context(), path, model, func(io.Writer) error { called = true; return nil })
		if err == nil || called || !strings.HasPrefix(err.Error(), "writing "+path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if content(t, at("m.gguf")) != content(t, fixtures.Biased) {
		t.Error("the model was written to")
	}
	nothingLeft(t, folder)
}

// A shard is the model as well, be it the first or another.
func TestOutputIsNoShard(t *testing.T) {
	folder := t.TempDir()
	for no := range uint64(2) {
		m := &weights.Metadata{}
		m.Set("split.count", weights.Value{Type: weights.Uint32, Any: uint64(2)})
		m.Set("split.no", weights.Value{Type: weights.Uint32, Any: no})
		f, err := os.Create(filepath.Join(folder, []string{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}[no]))
		if err == nil {
			err = errors.Join(weights.WriteFile(f, m, nil), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	second := filepath.Join(folder, "m-00002-of-00002.gguf")
	before := content(t, second)
	err := Quantize(t.Context(), QuantizeRequest{In: filepath.Join(folder, "m-00001-of-00002.gguf"), Out: second, Type: "f32"})
	if err == nil || !strings.Contains(err.Error(), "the file that is read") || content(t, second) != before {
		t.Error(err)
	}
}

// Whatever goes wrong, the file that was there stays and nothing else is left.
func TestOutputFails(t *testing.T) {
	folder, model := inFolder(t)
	out := filepath.Join(folder, "out")
	if err := os.WriteFile(out, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		write func(io.Writer) error
		want  error
	}{
		"the writer fails": {t.Context(), func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken }, broken},
		"interrupted":      {cancelled, saying("whole"), context.Canceled},
	} {
		if err := writeFile(c.ctx, out, model, c.write); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Quantize(cancelled, QuantizeRequest{In: model.Name(), Out: out, Type: "f32"}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted verb: %v", err)
	}
	if content(t, out) != "precious" {
		t.Error("the file was replaced")
	}
	nothingLeft(t, folder)
}

// logits writes by the same way.
func TestLogitsOutput(t *testing.T) {
	folder, model := inFolder(t)
	request := LogitsRequest{Model: model.Name(), IDs: []int32{1, 2}, Out: model.Name()}
	if err := Logits(t.Context(), fixtures.SmallConfig(), request); err == nil || !strings.Contains(err.Error(), "the file that is read") {
		t.Error(err)
	}
	request.Out = filepath.Join(folder, "x.f32")
	if err := Logits(t.Context(), fixtures.SmallConfig(), request); err != nil || len(content(t, request.Out)) == 0 {
		t.Error(err)
	}
	if content(t, model.Name()) != content(t, fixtures.Biased) {
		t.Error("the model was written to")
	}
}
