//go:build cuda

// Package cudatest gives tests a libcuda.so.1 that needs no GPU: cuda/emulation and the kernels of cuda/kernels, compiled
// for the host. A test package calls Main from its TestMain; its process then loads the fake like the real thing.
package cudatest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// This file owns the building: objects and libraries in a folder of the temporary directory, named by
// the digest of all that went into them, so that nothing is compiled twice and nothing stale is used.

// build is one variant of the library.
type build struct {
	kernels []string // patterns of .cu files, below the module's root
	flags   []string // further ones for the compiler
	fiber   []string // and for fiber.cc alone
}

var sanitised = []string{"-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"}

// standard is what the project ships; with CHIMERA_CUDA_ASAN set its C++ and kernels run under the address sanitizer.
func standard() build {
	b := build{kernels: []string{"cuda/kernels/*.cu"}}
	if os.Getenv("CHIMERA_CUDA_ASAN") != "" {
		b.flags = sanitised
	}
	return b
}

// compilerFlags: the arithmetic is exact under -march=native, since nothing is fused or reordered.
var compilerFlags = []string{"-std=c++17", "-O2", "-g1", "-fPIC", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing",
	"-fvisibility=hidden", "-fno-gnu-unique", "-Wno-unknown-pragmas"}

// moduleRoot is the folder of go.mod, above the working directory of a test.
func moduleRoot() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if filepath.Dir(at) == at {
			return "", errors.New("cudatest: no go.mod above the working directory: the fake CUDA driver is built from the source tree")
		}
		at = filepath.Dir(at)
	}
}

// workshop is where one build happens.
type workshop struct {
	root     string // of the module
	folder   string // of what was built, of all variants
	compiler string
	common   []byte // digest of all that any object may depend on, beside its own source
	flags    []string
}

// folder is private to the user: a library in it is loaded into test processes.
func folder() (string, error) {
	at := filepath.Join(os.TempDir(), fmt.Sprintf("chimera-cuda-emulation-%d", os.Getuid()))
	if err := os.MkdirAll(at, 0o700); err != nil {
		return "", err
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(at, &st); err != nil {
		return "", err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return "", fmt.Errorf("cudatest: %s is not a folder that only this user may use: remove it", at)
	}
	return at, nil
}

func newWorkshop(flags []string) (*workshop, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	at, err := folder()
	if err != nil {
		return nil, err
	}
	w := &workshop{root: root, folder: at, flags: append(slices.Clone(compilerFlags), flags...)}
	if w.compiler, err = exec.LookPath("g++"); err != nil {
		return nil, errors.New("cudatest: g++ is not installed: the fake CUDA driver is compiled by it (Debian: apt install g++)")
	}
	return w, w.digestCommon()
}

// digestCommon covers the headers, C files that kernels include, flags, the compiler and, since they choose
// instructions, the processor's features.
func (w *workshop) digestCommon() error {
	version, err := exec.Command(w.compiler, "--version").Output()
	if err != nil {
		return fmt.Errorf("cudatest: %s --version: %w", w.compiler, err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s%q%s", version, w.flags, processorFeatures())
	for _, pattern := range []string{"cuda/*.h", "cuda/emulation/*.h", "cuda/kernels/*.h", "cuda/kernels/*.cuh", "cgo/*.h", "cgo/*.c"} {
		names, err := w.glob(pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(w.root, name))
			if err != nil {
				return err
			}
			fmt.Fprintf(sum, "%s %d\n", name, len(text))
			sum.Write(text)
		}
	}
	w.common = sum.Sum(nil)
	return nil
}

func processorFeatures() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "flags") || strings.HasPrefix(line, "Features") {
			return line
		}
	}
	return runtime.GOARCH
}

// glob lists files below the root, in order; their paths are relative to it.
func (w *workshop) glob(pattern string) ([]string, error) {
	return fs.Glob(os.DirFS(w.root), pattern)
}

// source is one thing to compile.
type source struct {
	name  string // below the root
	flags []string
}

// sources lists what a library is linked from, in order: shared memory is what lies between the two marks.
func (w *workshop) sources(b build) ([]source, error) {
	kernel := []string{"-x", "c++", "-include", filepath.Join(w.root, "cuda/emulation/cuda_host.h")}
	list := []source{{"cuda/emulation/shared.cc", []string{"-DMARK=emulation_shared_begin"}}}
	for _, pattern := range b.kernels {
		names, err := w.glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			list = append(list, source{name, kernel})
		}
	}
	list = append(list, source{"cuda/emulation/shared.cc", []string{"-DMARK=emulation_shared_end"}})
	names, err := w.glob("cuda/emulation/*.cc")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		switch name {
		case "cuda/emulation/shared.cc":
		case "cuda/emulation/fiber.cc":
			list = append(list, source{name, b.fiber})
		case "cuda/emulation/block.cc":
			list = append(list, source{name, nil})
		default: // bookkeeping, twice as fast to compile
			list = append(list, source{name, []string{"-O1"}})
		}
	}
	return list, nil
}

// object is where the object of a source lies, once compiled.
func (w *workshop) object(s source) (string, error) {
	text, err := os.ReadFile(filepath.Join(w.root, s.name))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%x %s %q\n", w.common, s.name, s.flags)
	sum.Write(text)
	return filepath.Join(w.folder, hex.EncodeToString(sum.Sum(nil)[:16])+".o"), nil
}

// compile makes an object that is not there yet.
func (w *workshop) compile(s source, object string) error {
	if _, err := os.Stat(object); err == nil {
		return nil
	}
	args := append(slices.Clone(w.flags), s.flags...)
	return w.run(object, append(args, "-c", filepath.Join(w.root, s.name))...)
}

// run lets the compiler make one file, which appears whole or not at all.
func (w *workshop) run(to string, args ...string) error {
	unfinished := to + ".unfinished"
	out, err := exec.Command(w.compiler, append(args, "-o", unfinished)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cudatest: g++ for the fake CUDA driver: %w\n%s", err, bytes.TrimSpace(out))
	}
	return os.Rename(unfinished, to)
}

// objects compiles what is missing, a source per processor at a time, and lists all in order.
func (w *workshop) objects(list []source) ([]string, error) {
	paths, failures := make([]string, len(list)), make([]error, len(list))
	var wait sync.WaitGroup
	seats := make(chan struct{}, runtime.NumCPU())
	for i, s := range list {
		wait.Go(func() {
			seats <- struct{}{}
			defer func() { <-seats }()
			if paths[i], failures[i] = w.object(s); failures[i] == nil {
				failures[i] = w.compile(s, paths[i])
			}
		})
	}
	wait.Wait()
	return paths, errors.Join(failures...)
}

// lock keeps other processes from building the same files; the returned function gives it up.
func (w *workshop) lock() (func(), error) {
	f, err := os.OpenFile(filepath.Join(w.folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// library builds the variant, if it is not there yet, and gives the path of its libcuda.so.1.
func (b build) library() (string, error) {
	w, err := newWorkshop(b.flags)
	if err != nil {
		return "", err
	}
	unlock, err := w.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	list, err := w.sources(b)
	if err != nil {
		return "", err
	}
	objects, err := w.objects(list)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(objects, "\n")))
	to := filepath.Join(w.folder, hex.EncodeToString(sum[:16]), "libcuda.so.1")
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	args := append(slices.Clone(w.flags), "-shared", "-Wl,-Bsymbolic", "-Wl,-soname,libcuda.so.1")
	return to, w.run(to, append(append(args, objects...), "-ldl", "-lpthread")...)
}
