//go:build cuda

package cudatest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This file runs the emulation's own tests: a C++ program over the library, built with kernels of testdata/, one
// process a test, in every way that the library can be built.

var variants = []struct {
	name    string
	build   build
	reports map[string]string // tests that end in the sanitizer's report, and what it names
}{
	{name: "plain"},
	{name: "ucontext", build: build{fiber: []string{"-DFIBER_UCONTEXT"}}},
	{name: "sanitised", build: build{flags: sanitised}, reports: map[string]string{
		// The sanitizer stops a kernel at the first byte beside its memory.
		"wild":                           "in wild ",
		"writes_beside_memory_are_found": "in writes_behind ",
	}},
}

// program builds the test program of a variant and gives its path.
func program(t *testing.T, b build) string {
	t.Helper()
	b.kernels = []string{"cuda/cudatest/testdata/*.cu"}
	library, err := b.library()
	if err != nil {
		t.Fatal(err)
	}
	sources, _ := filepath.Glob("testdata/*.cc")
	to := filepath.Join(t.TempDir(), "emulation")
	args := append([]string{"-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o", to}, b.flags...)
	args = append(append(args, sources...), library, "-lpthread", "-Wl,-rpath,"+filepath.Dir(library))
	if out, err := exec.Command("g++", args...).CombinedOutput(); err != nil {
		t.Fatalf("g++: %v\n%s", err, out)
	}
	return to
}

// bare is the environment without what Main has set for this process.
func bare() []string {
	var env []string
	for _, s := range os.Environ() {
		if !strings.HasPrefix(s, "LD_") && !strings.HasPrefix(s, "ASAN_OPTIONS") {
			env = append(env, s)
		}
	}
	return env
}

// run runs one test in a process; a report is what the sanitizer must say, if anything.
func run(t *testing.T, program, name, report string) {
	c := exec.Command(program, name)
	c.Env = bare()
	out, err := c.CombinedOutput()
	if report == "" && err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if report != "" && (err == nil || !strings.Contains(string(out), "AddressSanitizer") || !strings.Contains(string(out), report)) {
		t.Errorf("%v, without a report of the sanitizer %q\n%s", err, report, out)
	}
}

func TestEmulation(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			if testing.Short() && v.name == "sanitised" {
				t.Skip("-short: the sanitizers take a minute to compile")
			}
			program := program(t, v.build)
			list := exec.Command(program)
			list.Env = bare()
			names, err := list.Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range strings.Fields(string(names)) {
				t.Run(name, func(t *testing.T) { run(t, program, name, v.reports[name]) })
			}
		})
	}
}
