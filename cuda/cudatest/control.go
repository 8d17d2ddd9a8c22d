//go:build cuda

package cudatest

/*
#cgo LDFLAGS: -ldl
#include "control.h"
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// This file owns what a test asks of the fake driver that its process has loaded.

// Counts says what lives in the fake driver now, and what was counted since the last Reset.
type Counts struct {
	Calls                                                int
	DeviceBytes, HostBytes, RegisteredBytes              int64
	Contexts, Streams, Events, Modules, Graphs, Launched int // Launched: executable graphs
	Abandoned                                            int // objects that were alive when their healthy context went
	PageableCopies                                       int // copies whose host memory was neither allocated nor registered
}

var open = sync.OnceValue(func() error {
	if wrong := C.control_open(); wrong != nil {
		return fmt.Errorf("cudatest: the process has no fake CUDA driver, its TestMain must call cudatest.Main: %s", C.GoString(wrong))
	}
	return nil
})

// mustOpen panics: a test package without cudatest.Main is a mistake in the test, not a result.
func mustOpen() {
	if err := open(); err != nil {
		panic(err)
	}
}

// Reset ends all that lives in the fake, and forgets faults, counts, log and violations. Handles from
// before answer as destroyed ones do. The driver stays initialised, as a process initialises it once.
func Reset() {
	mustOpen()
	C.control_reset()
}

// Configure changes the fake's settings, "devices=2;memory=8G" (cuda/emulation/fake_cuda.h lists them), until
// the test ends.
func Configure(t testing.TB, settings string) {
	t.Helper()
	mustOpen()
	t.Cleanup(func() { C.control_restore() })
	text := C.CString(settings)
	defer C.free(unsafe.Pointer(text))
	if wrong := C.control_configure(text); wrong != nil {
		t.Fatal(C.GoString(wrong))
	}
}

// Fault makes the nth call of a driver function from now on ("*": of any; "kernel/norm": the nth run of that kernel;
// "kernel/": of any) answer code, or 0 for as it would, after hanging for a while. An nth of 0 means each.
func Fault(t testing.TB, call string, nth, code int, hang time.Duration) {
	t.Helper()
	Configure(t, fmt.Sprintf("fault=%s:%d:%d:%d", call, nth, code, hang.Milliseconds()))
}

// Live counts what lives and what was done.
func Live() Counts {
	mustOpen()
	var c C.struct_fake_cuda_counts
	C.control_count(&c)
	return Counts{
		Calls: int(c.calls), DeviceBytes: int64(c.device_bytes), HostBytes: int64(c.host_bytes),
		RegisteredBytes: int64(c.registered_bytes), Contexts: int(c.contexts), Streams: int(c.streams),
		Events: int(c.events), Modules: int(c.modules), Graphs: int(c.graphs), Launched: int(c.graph_execs),
		Abandoned: int(c.abandoned), PageableCopies: int(c.pageable_copies),
	}
}

// Leaks names what lives although nothing should; empty if all was given back.
func (c Counts) Leaks() string {
	c.Calls, c.PageableCopies = 0, 0
	if c == (Counts{}) {
		return ""
	}
	return fmt.Sprintf("%+v", c)
}

// Calls counts the calls of one driver function since the last Reset.
func Calls(name string) int {
	mustOpen()
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return int(C.control_calls_of(text))
}

// lines asks for a list of unknown size until it fits; it may grow meanwhile.
func lines(ask func(to *C.char, size C.size_t) C.size_t) []string {
	mustOpen()
	for size := C.size_t(1 << 16); ; {
		buffer := (*C.char)(C.malloc(size))
		need := ask(buffer, size)
		text := C.GoString(buffer)
		C.free(unsafe.Pointer(buffer))
		if need <= size {
			return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
		}
		size = 2 * need
	}
}

// Log lists the calls since the last Reset, with arguments and errors, and indented what ran for them.
func Log() []string {
	return lines(func(to *C.char, size C.size_t) C.size_t { return C.control_log(to, size) })
}

// Violations lists what the program did wrong: "order: ..." where it relied on work that nothing had waited for,
// "use: ..." where a call, an address or a kernel was wrong.
func Violations() []string {
	return lines(func(to *C.char, size C.size_t) C.size_t { return C.control_violations(to, size) })
}

// OrderingFailures are the violations of order.
func OrderingFailures() []string {
	var failures []string
	for _, v := range Violations() {
		if strings.HasPrefix(v, "order: ") {
			failures = append(failures, v)
		}
	}
	return failures
}

// Check fails the test at its end if anything is alive in the fake or was done wrong.
func Check(t testing.TB) {
	t.Helper()
	Reset()
	t.Cleanup(func() {
		for _, v := range Violations() {
			t.Error("CUDA:", v)
		}
		if leaks := Live().Leaks(); leaks != "" {
			t.Error("CUDA: left alive:", leaks)
		}
	})
}

// Call calls a driver function by name, beside whatever binding is under test, and gives its result; -1 if there is none.
// Its arguments are at most eleven, integers or addresses that Go does not move.
func Call(name string, args ...uintptr) int {
	mustOpen()
	var a [C.CONTROL_ARGUMENTS]C.uintptr_t
	for i, v := range args {
		a[i] = C.uintptr_t(v)
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return int(C.control_call(text, &a[0]))
}
