// Package cgotest holds the kernels of package cgo, and whole steps of it, to the numeric contract. A test file can't
// import C, so each kernel stands here behind a Go signature; only the tests beside it call them.
//
// No C is compiled a second time: this package includes the headers alone, and the test's binary has cgo's own objects,
// against which it is linked. The go tool's trial link of this package by itself fails for want of them, which it takes
// as a sign that the system's linker must make the binary (go.dev/issue/52863), as it would anyway.
//
// The go tool does not look at headers of other folders. It builds this package again when the objects of cgo change, debug
// information included, since cgo is imported here: so every header that is included here must be one that cgo's C includes too.
package cgotest

/*
// As cgo compiles the headers: the compiler fuses nothing by itself.
#cgo CFLAGS: -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter
#include "../isa.h"
#include <stdlib.h>
*/
import "C"

import (
	"unsafe"

	_ "chimera/cgo" // its objects
)

// probeMemory is C memory of exact sizes, so that the address sanitizer sees the first byte beyond.
type probeMemory struct{ blocks []unsafe.Pointer }

func probeTake[T any](m *probeMemory, n int) []T {
	var p unsafe.Pointer
	if C.posix_memalign(&p, 64, C.size_t(max(n, 1)*int(unsafe.Sizeof(*new(T))))) != 0 {
		panic("out of memory")
	}
	m.blocks = append(m.blocks, p)
	s := unsafe.Slice((*T)(p), n)
	clear(s)
	return s
}

func (m *probeMemory) free() {
	for _, p := range m.blocks {
		C.free(p)
	}
	m.blocks = nil
}

// probeCopy is a copy of s in C memory; nil stays nil.
func probeCopy[T any](m *probeMemory, s []T) []T {
	if s == nil {
		return nil
	}
	c := probeTake[T](m, len(s))
	copy(c, s)
	return c
}

func floats(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

func ints(s []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(s))) }

// probeISA is one instruction set's kernels.
type probeISA struct {
	name string
	k    *C.struct_kernels
}

// probeISAs are those that this machine has, scalar first, and the names of the others.
func probeISAs() (have []probeISA, lacking []string) {
	for _, name := range []string{"scalar", "avx2", "avx512f", "avx512vnni"} {
		if k := tableOf(name); k != nil {
			have = append(have, probeISA{name, k})
		} else {
			lacking = append(lacking, name)
		}
	}
	return have, lacking
}

func tableOf(isa string) *C.struct_kernels {
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	return C.isa_kernels(name)
}
