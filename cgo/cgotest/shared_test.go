//go:build cgo

package cgotest

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// This file owns what the kernel tests share: memory, inputs, comparison.

// forEachISA runs f for every instruction set but scalar; those that the machine lacks are skipped
// visibly.
func forEachISA(t *testing.T, f func(t *testing.T, scalar, k probeISA, m *probeMemory)) {
	have, lacking := probeISAs()
	for _, k := range have[1:] {
		t.Run(k.name, func(t *testing.T) {
			m := &probeMemory{}
			defer m.free()
			f(t, have[0], k, m)
		})
	}
	for _, name := range lacking {
		t.Run(name, func(t *testing.T) { t.Skip("this machine does not have it: compiled, not run") })
	}
}

// input makes n floats of one kind.
type input struct {
	name string
	make func(r *rand.Rand, n int) []float32
}

func fill(n int, f func(i int) float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = f(i)
	}
	return x
}

var inputs = []input{
	{"random", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64()) })
	}},
	{"zero", func(r *rand.Rand, n int) []float32 { return make([]float32, n) }},
	{"highest", func(r *rand.Rand, n int) []float32 { return fill(n, func(int) float32 { return 127 }) }},
	{"lowest", func(r *rand.Rand, n int) []float32 { return fill(n, func(int) float32 { return -127 }) }},
	{"alternating", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(i int) float32 { return float32(1-2*(i%2)) * 127 })
	}},
	{"ill-conditioned", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64() * math.Exp(20*r.NormFloat64())) })
	}},
	{"subnormal", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64()) * 1e-40 })
	}},
	{"large", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64()) * 1e18 })
	}},
}

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// sizes are odd ones around the 16 lanes and the blocks of 32.
var rowSizes = []int{1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 257, 576}

// bytesOf views any slice of fixed-size values as bytes.
func bytesOf[T any](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// same reports the first element in which got and want differ by a bit.
func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	g, w := bytesOf(got), bytesOf(want)
	if len(g) != len(w) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	size := int(unsafe.Sizeof(*new(T)))
	for i := range g {
		if g[i] != w[i] {
			t.Errorf("%s: element %d is %v, the scalar kernels give %v", what, i/size, got[i/size], want[i/size])
			return
		}
	}
}

// ulps is the distance of got from the exact value in units of float32's last place.
func ulps(got float32, exact float64) float64 {
	if math.IsNaN(float64(got)) != math.IsNaN(exact) {
		return math.Inf(1)
	}
	if float64(got) == exact || math.IsNaN(exact) {
		return 0
	}
	want := float32(exact)
	if math.IsInf(float64(want), 0) || math.IsInf(float64(got), 0) {
		if got == want {
			return 0
		}
		return math.Inf(1)
	}
	up := math.Nextafter32(float32(math.Abs(exact)), float32(math.Inf(1)))
	unit := float64(up) - math.Abs(float64(want))
	return math.Abs(float64(got)-exact) / math.Max(unit, 1.401298464324817e-45)
}
