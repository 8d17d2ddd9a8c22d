//go:build cuda

package cudatest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestMain(m *testing.M) {
	if os.Getenv("CUDATEST_CHILD") != "" {
		child()
	}
	b := standard()
	b.kernels = append(b.kernels, "cuda/cudatest/testdata/*.cu")
	mainWith(m, b)
}

// child is what TestEnvironment starts: a program that finds the fake with settings of its own.
func child() {
	if err := Call("cuInit"); err != 0 {
		println("cuInit answers", err)
	}
	os.Exit(0)
}

func TestEnvironment(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]string{
		"":                  "",
		"devices=0":         "cuInit answers 100\n",
		"fault=cuInit:1:46": "cuInit answers 46\n",
	} {
		c := exec.Command(self)
		c.Env = append(Environment(t, settings), "CUDATEST_CHILD=1")
		if out, err := c.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%q: %v, %q instead of %q", settings, err, out, want)
		}
	}
	c := exec.Command(self)
	c.Env = append(Environment(t, "device=0"), "CUDATEST_CHILD=1")
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), `setting "device=0" is unknown`) {
		t.Errorf("a wrong setting: %v, %q", err, out)
	}
}

func TestLibraryIsBuiltOnce(t *testing.T) {
	path := Library(t)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if again := Library(t); again != path {
		t.Fatalf("%s, then %s", path, again)
	}
	after, err := os.Stat(path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("built again: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(path)), "*.unfinished")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFaultsAndCounts(t *testing.T) {
	Check(t)
	t.Run("fault", func(t *testing.T) {
		Fault(t, "cuInit", 2, 46, 20*time.Millisecond)
		start := time.Now()
		if first, second := Call("cuInit"), Call("cuInit"); first != 0 || second != 46 {
			t.Errorf("answers %d and %d", first, second)
		}
		if took := time.Since(start); took < 20*time.Millisecond {
			t.Errorf("hung for %v only", took)
		}
	})
	if third := Call("cuInit"); third != 0 {
		t.Errorf("the fault outlives its test: %d", third)
	}
	if n := Calls("cuInit"); n != 3 || Live().Calls != 3 {
		t.Errorf("%d calls of cuInit in %+v", n, Live())
	}
	log := Log()
	if len(log) != 3 || log[0] != "1 cuInit" || log[1] != "2 cuInit -> CUDA_ERROR_DEVICE_UNAVAILABLE" {
		t.Errorf("log: %q", log)
	}
	Reset()
	if len(Log()) != 0 || Live().Calls != 0 {
		t.Errorf("after Reset: %q", Log())
	}
}

// recorder is a test whose failures are looked at.
type recorder struct {
	testing.TB
	errors   int
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Error(...any)     { r.errors++ }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

var context uintptr

func retain() { Call("cuDevicePrimaryCtxRetain", uintptr(unsafe.Pointer(&context)), 0) }

func TestCheckFails(t *testing.T) {
	t.Cleanup(Reset)
	for name, do := range map[string]func(){
		"leak":   func() { Call("cuInit"); retain() },
		"misuse": func() { Call("cuCtxSynchronize") }, // without a context
		"none":   func() { Call("cuInit") },
	} {
		r := &recorder{TB: t}
		Check(r)
		do()
		for _, f := range r.cleanups {
			f()
		}
		if (r.errors == 0) != (name == "none") {
			t.Errorf("%s: %d errors, violations %q, live %+v", name, r.errors, Violations(), Live())
		}
	}
	if len(OrderingFailures()) != 0 {
		t.Errorf("ordering failures: %q", OrderingFailures())
	}
}

// The log is longer than what lines first asks for.
func TestLongLog(t *testing.T) {
	t.Cleanup(Reset)
	Reset()
	for range 20000 {
		Call("cuInit")
	}
	if log := Log(); len(log) != 20000 || log[19999] != "20000 cuInit" {
		t.Errorf("%d lines", len(log))
	}
}

// What the process under test hands to the driver by address: package variables, which do not move.
var (
	stream, module, function, memory, host uintptr
	image                                  = [9]uint32{0xba55ed50, 0x00100001, 20, 0, 0x01010002, 16, 4, 0, 0} // a fatbin with one part of four bytes
	arguments                              = [1]uintptr{uintptr(unsafe.Pointer(&memory))}
)

// address is of a package variable.
func address[T any](at *T) uintptr { return uintptr(unsafe.Pointer(at)) }

// launch runs a kernel whose struct is zero but for its pointer out and its count, and gives what waiting answers.
func launch(t *testing.T, kernel string, out uintptr, count int) int {
	t.Helper()
	name := append([]byte(kernel), 0)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&name[0])
	for _, c := range []struct {
		name string
		args []uintptr
	}{
		{"cuInit", []uintptr{0}},
		{"cuDevicePrimaryCtxRetain", []uintptr{address(&context), 0}},
		{"cuCtxSetCurrent", []uintptr{0}},
		{"cuStreamCreate", []uintptr{address(&stream), 1}},
		{"cuModuleLoadData", []uintptr{address(&module), address(&image)}},
		{"cuModuleGetFunction", []uintptr{address(&function), 0, address(&name[0])}},
		{"cuMemAlloc_v2", []uintptr{address(&memory), 32}},
		{"cuMemHostAlloc", []uintptr{address(&host), 32, 1}},
	} {
		switch c.name { // handles that the calls before have given
		case "cuCtxSetCurrent":
			c.args[0] = context
		case "cuModuleGetFunction":
			c.args[1] = module
		}
		if code := Call(c.name, c.args...); code != 0 {
			t.Fatalf("%s answers %d", c.name, code)
		}
	}
	job := unsafe.Slice((*uint64)(*(*unsafe.Pointer)(unsafe.Pointer(&host))), 4)
	job[0], job[1], job[2], job[3] = 0, uint64(out), 0, uint64(count)
	if code := Call("cuMemcpyHtoDAsync_v2", memory, host, 32, stream); code != 0 {
		t.Fatalf("copy: %d", code)
	}
	if code := Call("cuLaunchKernel", function, 1, 1, 1, 32, 1, 1, 0, stream, address(&arguments), 0); code != 0 {
		t.Fatalf("launch: %d", code)
	}
	return Call("cuStreamSynchronize", stream)
}

// A kernel's wild access ends its launch, and Go's own faults still are panics.
func TestWildKernelInGo(t *testing.T) {
	if os.Getenv("CHIMERA_CUDA_ASAN") != "" {
		t.Skip("the sanitizer's builds do not make errors of signals")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.Cleanup(Reset)
	for range 3 {
		Reset()
		if code := launch(t, "wild", 4096, 0); code != 700 {
			t.Fatalf("answers %d; %q", code, Violations())
		}
		if v := Violations(); len(v) != 1 || !strings.Contains(v[0], "thread (5,0,0): reads or writes address 0x1000") {
			t.Fatalf("violations %q", v)
		}
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "nil pointer") {
					t.Errorf("recovered %v", r)
				}
			}()
			var nothing *int
			*nothing = 1
		}()
	}
}
