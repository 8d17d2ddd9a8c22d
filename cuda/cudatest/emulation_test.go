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
	name  string
	build build
	skip  map[string]string // test: why
}{
	{name: "plain"},
	{name: "ucontext", build: build{fiber: []string{"-DFIBER_UCONTEXT"}}},
	{name: "sanitised", build: build{flags: sanitised}, skip: map[string]string{
		"wild":                           "ends in the sanitizer's report: TestSanitizerSeesKernels",
		"writes_beside_memory_are_found": "ends in the sanitizer's report: TestSanitizerSeesKernels",
		"freed_while_in_use":             "reads freed memory as a digest",
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

func TestEmulation(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			program := program(t, v.build)
			list := exec.Command(program)
			list.Env = bare()
			names, err := list.Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range strings.Fields(string(names)) {
				t.Run(name, func(t *testing.T) {
					if why := v.skip[name]; why != "" {
						t.Skip(why)
					}
					c := exec.Command(program, name)
					c.Env = bare()
					if out, err := c.CombinedOutput(); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
		})
	}
}

// The address sanitizer stops a kernel at the first byte beside its memory, and names the kernel's line.
func TestSanitizerSeesKernels(t *testing.T) {
	program := program(t, build{flags: sanitised})
	for name, line := range map[string]string{"wild": "in wild ", "writes_beside_memory_are_found": "in writes_behind "} {
		c := exec.Command(program, name)
		c.Env = bare()
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "AddressSanitizer") || !strings.Contains(string(out), line) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
