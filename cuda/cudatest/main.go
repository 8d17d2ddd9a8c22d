//go:build cuda

package cudatest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// This file owns processes that find the fake: the dynamic loader reads LD_LIBRARY_PATH only at their start.

// mark is set in a process that was started to find the fake, to the folder it finds it in.
const mark = "CHIMERA_CUDATEST"

// Library builds the fake driver, once per content, and gives the path of its libcuda.so.1.
func Library(t testing.TB) string {
	t.Helper()
	path, err := standard().library()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Environment is this process's environment, changed so that a child finds the fake driver; settings
// are its FAKE_CUDA, as Configure takes them.
func Environment(t testing.TB, settings string) []string {
	t.Helper()
	return append(environment(Library(t)), "FAKE_CUDA="+settings)
}

// Main runs a package's tests in a process that finds the fake driver as libcuda.so.1: it builds it and
// starts the test binary anew. A TestMain ends with it.
func Main(m *testing.M) { mainWith(m, standard()) }

func mainWith(m *testing.M, b build) {
	path, err := b.library()
	if err == nil && os.Getenv(mark) != filepath.Dir(path) {
		err = restart(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, "emulated grids ran their blocks in the order of seed 1, if the environment's FAKE_CUDA=seed=N names no other:", os.Getenv("FAKE_CUDA"))
	}
	os.Exit(code)
}

func restart(library string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, environment(library))
}

// environment puts the library's folder first, and the sanitizer's runtime, which must be there before all else,
// where the library needs it.
func environment(library string) []string {
	at := filepath.Dir(library)
	set := map[string]string{mark: at, "LD_LIBRARY_PATH": at}
	if before := os.Getenv("LD_LIBRARY_PATH"); before != "" && before != at {
		set["LD_LIBRARY_PATH"] += ":" + before
	}
	if len(standard().flags) > 0 {
		// The sanitizer's checks report; SIGSEGV stays with Go, whose nil pointers are panics, and leaks are Live's.
		set["LD_PRELOAD"] = runtimeLibrary("libasan.so")
		set["ASAN_OPTIONS"] = "detect_leaks=0:handle_segv=0:abort_on_error=1"
	}
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { // of a name that is there twice the first would count
		name, _, _ := strings.Cut(s, "=")
		return set[name] != ""
	})
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}

func runtimeLibrary(name string) string {
	out, err := exec.Command("g++", "-print-file-name="+name).Output()
	if err != nil {
		return name
	}
	return strings.TrimSpace(string(out))
}
