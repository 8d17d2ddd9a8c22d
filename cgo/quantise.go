package cgo

// #include "quantise.h"
import "C"

import (
	"fmt"
	"math"
	"sync"
	"unsafe"

	"chimera/engine"
)

// This file owns quantising from Go: what C writes is checked to fit before it is called.

// QuantiseVersion counts the searches that there were: what one wrote, another may write otherwise. A test holds it to the bytes.
const QuantiseVersion = 1

// Quantise writes src, rows of so many columns, as blocks of t to dst: q4_0, q5_0 and q5_1 in blocks of 32, q2_k to q6_k in
// super-blocks of 256. It looks for the scales with the least square error, in which a value counts by its column's importance where
// that is not nil: (columns), none below zero; only their ratios matter. The bytes depend on nothing but the arguments.
//
// It refuses, naming row and column, values that are not finite or that no scale of t reaches.
func Quantise(dst []byte, t engine.DType, src []float32, columns int, importance []float32) error {
	return quantise(bestKernels(), dst, t, src, columns, importance)
}

// bestKernels are those of the best instruction set that this machine has: which one it is shows in the time alone.
var bestKernels = sync.OnceValue(func() *C.struct_kernels {
	k, err := kernelsFor("auto")
	if err != nil {
		panic(err) // there is always the scalar one
	}
	return k
})

func quantise(k *C.struct_kernels, dst []byte, t engine.DType, src []float32, columns int, importance []float32) error {
	block, bytes := int(C.quantise_block_values(C.uint32_t(t))), int(C.quantise_block_bytes(C.uint32_t(t)))
	switch {
	case block == 0:
		return fmt.Errorf("%s: there is no search for it", t)
	case columns < 1 || columns%block != 0 || len(src)%columns != 0:
		return fmt.Errorf("%s: %d values in rows of %d are no whole blocks of %d", t, len(src), columns, block)
	case len(dst) != len(src)/block*bytes:
		return fmt.Errorf("%s: %d values take %d bytes, there is room for %d", t, len(src), len(src)/block*bytes, len(dst))
	case importance != nil && len(importance) != columns:
		return fmt.Errorf("%s: importance of %d columns, there are %d", t, len(importance), columns)
	case len(src) == 0:
		return nil
	}
	at := int(C.quantise(k, C.uint32_t(t), floats(src), C.int64_t(len(src)/columns), C.int(columns), floats(importance),
		(*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(dst)))))
	if at < 0 {
		return nil
	}
	if x := float64(src[at]); math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("%s: value %d of row %d is NaN or infinite", t, at%columns, at/columns)
	}
	return fmt.Errorf("%s: value %d of row %d is %g, blocks reach %g: choose f16 or f32", t, at%columns, at/columns, src[at], float32(C.quantise_reach(C.uint32_t(t))))
}
