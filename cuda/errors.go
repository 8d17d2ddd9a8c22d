//go:build cuda

package cuda

// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorgonia.org/cu"

	"chimera/engine"
)

// This file owns what a failed driver call says, and which failures end the device.

// What Open fails with, beside an *Error of cuInit.
var (
	ErrNoDriver     = errors.New("no NVIDIA driver")
	ErrNoDevice     = errors.New("no NVIDIA GPU")
	ErrDriverTooOld = errors.New("the NVIDIA driver is too old")
)

// ErrMachine is wrapped by the *Error of cuInit where a person must change something about the machine: a new process
// finds it no different.
var ErrMachine = errors.New("the machine is not set up for CUDA")

// ErrOutOfMemory is wrapped by the *Error of an allocation that the device or the host has no room for.
// It does not poison.
var ErrOutOfMemory = errors.New("out of memory")

// codeHung stands where the driver's code would, of a call that has not returned.
const codeHung = -1

// Error is a driver call that failed: which, on which device, while doing what.
type Error struct {
	Call   string // with its size, if it has one: "cuMemAlloc of 512 MiB"
	Code   int    // the driver's, or -1 of a call that did not return in time
	Name   string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text   string // "out of memory"
	Device string // "GPU 0 (NVIDIA H200)"; empty where none was opened yet
	Model  string // the model the device works for, may be empty
	Phase  string // what was done: "loading", "computing a step"

	machine bool // cuInit says that the machine is not set up: see ErrMachine
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Device != "" {
		b.WriteString(e.Device + ": ")
	}
	b.WriteString(e.Call)
	if e.Phase != "" {
		b.WriteString(strings.TrimSuffix(" while "+e.Phase+" "+e.Model, " "))
	}
	b.WriteString(": " + e.Text)
	if e.Name != "" {
		b.WriteString(" (" + e.Name + ")")
	}
	return b.String()
}

// Is tells errors.Is that the device can't go on (engine.ErrDevicePoisoned), that memory is short, or that there is none to go on
// with until somebody sees to it.
func (e *Error) Is(target error) bool {
	switch target {
	case engine.ErrDevicePoisoned, engine.ErrPoisoned:
		return e.Code == codeHung || sticky[e.Code] && !e.machine
	case ErrMachine:
		return e.machine
	case ErrOutOfMemory:
		return e.Code == C.CUDA_ERROR_OUT_OF_MEMORY
	}
	return false
}

// sticky are the codes after which the context answers nothing else, by the driver's documentation, and
// those after which its memory or its answers can't be trusted. A step is never repeated on such a device:
// the process ends and a new one gets a new context.
var sticky = map[int]bool{
	C.CUDA_ERROR_DEINITIALIZED:         true,
	C.CUDA_ERROR_DEVICE_UNAVAILABLE:    true, // the device was lost, or is being reset
	C.CUDA_ERROR_INVALID_CONTEXT:       true, // it was current: somebody destroyed it
	C.CUDA_ERROR_ECC_UNCORRECTABLE:     true,
	C.CUDA_ERROR_NVLINK_UNCORRECTABLE:  true,
	C.CUDA_ERROR_CONTAINED:             true,
	C.CUDA_ERROR_ILLEGAL_ADDRESS:       true,
	C.CUDA_ERROR_LAUNCH_TIMEOUT:        true,
	C.CUDA_ERROR_CONTEXT_IS_DESTROYED:  true,
	C.CUDA_ERROR_ASSERT:                true,
	C.CUDA_ERROR_HARDWARE_STACK_ERROR:  true,
	C.CUDA_ERROR_ILLEGAL_INSTRUCTION:   true,
	C.CUDA_ERROR_MISALIGNED_ADDRESS:    true,
	C.CUDA_ERROR_INVALID_ADDRESS_SPACE: true,
	C.CUDA_ERROR_INVALID_PC:            true,
	C.CUDA_ERROR_LAUNCH_FAILED:         true,
	C.CUDA_ERROR_TENSOR_MEMORY_LEAK:    true,
	C.CUDA_ERROR_SYSTEM_NOT_READY:      true, // the fabric or its daemon went away
	C.CUDA_ERROR_MPS_CLIENT_TERMINATED: true,
	C.CUDA_ERROR_EXTERNAL_DEVICE:       true,
	C.CUDA_ERROR_UNKNOWN:               true,
}

// newError is the *Error of a code, without the place.
func newError(call string, code int) *Error {
	e := &Error{Call: call, Code: code}
	var name, text *C.char
	if C.cuGetErrorName(C.CUresult(code), &name) == C.CUDA_SUCCESS && name != nil {
		e.Name = C.GoString(name)
	}
	if C.cuGetErrorString(C.CUresult(code), &text) == C.CUDA_SUCCESS && text != nil {
		e.Text = C.GoString(text)
	} else {
		e.Text = fmt.Sprintf("the driver's error %d", code)
	}
	return e
}

func hungError(call string, limit time.Duration) *Error {
	return &Error{Call: call, Code: codeHung, Text: fmt.Sprintf("no answer within %v", limit)}
}

// codeOf is the driver's code in an error of cu, whose type is not exported, or in an *Error. An error of another kind,
// which cu does not make of a driver call, counts as unknown.
func codeOf(err error) int {
	if err == nil {
		return C.CUDA_SUCCESS
	}
	if e, ok := err.(*Error); ok {
		return e.Code
	}
	return codeLike(cu.Success, err)
}

func codeLike[T ~int](_ T, err error) int {
	if code, ok := err.(T); ok {
		return int(code)
	}
	return C.CUDA_ERROR_UNKNOWN
}

// oneCause joins errors, but says only once why a device is poisoned: all that is asked of it afterwards
// fails with the same.
func oneCause(first, second error) error {
	if errors.Is(first, engine.ErrPoisoned) && errors.Is(second, engine.ErrPoisoned) {
		return first
	}
	return errors.Join(first, second)
}

// sized is a call with the bytes it was about: "cuMemAlloc of 512 MiB".
func sized(call string, bytes int64) string {
	if bytes == 0 {
		return call
	}
	return call + " of " + formatBytes(bytes)
}

// formatBytes is exact below a MiB, so that an odd size can be recognised.
func formatBytes(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", (bytes+1<<19)>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
