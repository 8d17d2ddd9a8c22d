//go:build cuda

// Package kernels has no Go code: it is the folder of the CUDA kernels, and this their test.
package kernels

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// This file owns the building and running of the kernel tests: the .cu sources compiled for the host
// (cuda/emulation) beside cgo's scalar kernels, and testdata, which compares the two to the last bit.

// variant is one way to compile the test program.
type variant struct {
	name  string
	flags []string
}

var plain = variant{"plain", []string{"-O2"}}

var sanitised = variant{"sanitised", []string{"-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"}}

var families = []string{"rows", "batches", "products", "store", "attention", "sampling"}

func TestKernelsEqualScalar(t *testing.T) { runFamilies(t, plain) }

// The same under the address and undefined-behaviour sanitizers, for memory of exact sizes.
func TestKernelsUnderSanitizers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	runFamilies(t, sanitised)
}

func runFamilies(t *testing.T, v variant) {
	program := build(t, v)
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			c := exec.Command(program, family)
			c.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0") // the emulation keeps its fibers to the end
			out, err := c.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// source is one file to compile, below the project's root.
type source struct {
	path  string
	flags []string
}

// sources are in the order of linking: shared memory is what lies between the two marks.
func sources(t *testing.T, root string) []source {
	kernel := []string{"-std=c++17", "-ffp-contract=off", "-fno-strict-aliasing", "-Wno-unknown-pragmas", "-x", "c++",
		"-include", filepath.Join(root, "cuda/emulation/cuda_host.h")}
	host := []string{"-std=c++17", "-ffp-contract=off", "-fno-strict-aliasing", "-x", "c++"}
	oracle := []string{"-std=c11", "-D_GNU_SOURCE", "-x", "c"}
	shared := func(mark string) source {
		return source{"cuda/emulation/shared.cc", append([]string{"-DMARK=emulation_shared_" + mark}, host...)}
	}
	list := []source{shared("begin")}
	for _, pattern := range []string{"cuda/kernels/*.cu", "cuda/kernels/testdata/*.cu"} {
		for _, path := range glob(t, root, pattern) {
			list = append(list, source{path, kernel})
		}
	}
	list = append(list, shared("end"), source{"cuda/emulation/block.cc", host}, source{"cuda/emulation/fiber.cc", host})
	for _, path := range glob(t, root, "cuda/kernels/testdata/*.cc") {
		list = append(list, source{path, host})
	}
	for _, path := range []string{"cgo/scalar.c", "cgo/pack.c", "cgo/sample.c"} {
		list = append(list, source{path, oracle})
	}
	return list
}

func glob(t *testing.T, root, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no file matches %s: %v", pattern, err)
	}
	for i := range paths {
		if paths[i], err = filepath.Rel(root, paths[i]); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// digest covers all that the program is made from; reading it here also tells `go test` when its cached
// result is stale.
func digest(t *testing.T, root string, v variant) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q", v.flags)
	for _, pattern := range []string{"cuda/kernels/*.cu*", "cuda/kernels/testdata/*", "cuda/emulation/*", "cuda/*.h", "cgo/*.[ch]"} {
		for _, path := range glob(t, root, pattern) {
			text, err := os.ReadFile(filepath.Join(root, path))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(sum, "%s %d\n", path, len(text))
			sum.Write(text)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// build compiles and links the test program, a source per processor at a time.
func build(t *testing.T, v variant) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kernels %s, %s", digest(t, root, v), v.name)
	folder := t.TempDir()
	list := sources(t, root)
	objects := make([]string, len(list))
	failures := make([]string, len(list))
	seats := make(chan struct{}, runtime.NumCPU())
	var wait sync.WaitGroup
	for i, s := range list {
		objects[i] = filepath.Join(folder, fmt.Sprintf("%d.o", i))
		wait.Go(func() {
			seats <- struct{}{}
			defer func() { <-seats }()
			args := append(append([]string{"-Wall", "-g1"}, v.flags...), s.flags...)
			failures[i] = compile(append(args, "-c", filepath.Join(root, s.path), "-o", objects[i]))
		})
	}
	wait.Wait()
	program := filepath.Join(folder, "kernels")
	if all := strings.Join(failures, ""); all != "" {
		t.Fatal(all)
	}
	if failure := compile(append(append(v.flags, objects...), "-lm", "-o", program)); failure != "" {
		t.Fatal(failure)
	}
	return program
}

// compile returns what the compiler complains about.
func compile(args []string) string {
	out, err := exec.Command("g++", args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("g++ %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
