// Package cgo is the CPU backend: it lowers a Program to phases of C kernels and runs a step by one
// call into C.
//
// C lives in .c and .h files of this folder; each instruction set's file includes the kernel bodies
// (*_body.h) once. Go hands C only off-heap memory and C structures, never Go pointers to Go pointers.
//
// An op is the files op_X.go, which fills its structure for C and says what the plan shows of it, op_X.h and op_X.c.
package cgo

// #cgo CFLAGS: -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter
// #cgo LDFLAGS: -lm -lpthread
// #include <stdlib.h>
// #include "isa.h"
// #include "step.h"
import "C"

import (
	"fmt"
	"unsafe"
)

const (
	maxHeadDim  = C.MAX_HEAD_DIM
	maxLinears  = C.MAX_LINEARS
	logitRows   = C.LOGIT_ROWS
	tileTokens  = C.TILE_TOKENS
	tileGroups  = C.TILE_GROUPS
	queryTokens = C.QUERY_TOKENS
	group       = C.GROUP
	actBlock    = C.BLOCK
)

// kernelsFor returns the kernel table of an instruction set.
func kernelsFor(isa string) (*C.struct_kernels, error) {
	name := C.CString(isa)
	defer C.free(unsafe.Pointer(name))
	if k := C.isa_kernels(name); k != nil {
		return k, nil
	}
	for _, known := range []string{"auto", "scalar", "avx2", "avx512", "avx512f", "avx512vnni"} {
		if isa == known {
			return nil, fmt.Errorf("instruction set %q: this machine does not have it", isa)
		}
	}
	return nil, fmt.Errorf("instruction set %q is unknown: use auto, scalar, avx2 or avx512", isa)
}

// HasISA tells whether this machine can run an instruction set's kernels.
func HasISA(isa string) bool {
	_, err := kernelsFor(isa)
	return err == nil
}
