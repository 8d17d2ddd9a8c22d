//go:build cgo

package cgotest

import (
	"math"
	"testing"
	"time"

	"chimera/weights"
)

// The transcendental functions against Go's in float64. Scalar and vector kernels give the same bits
// (TestRowsEqualScalar), so the scalar ones are measured.

// measured is a function of the kernels, the exact one, and how far apart they may be: ulp near the
// value, or an absolute error where the value itself is a small difference of large ones.
type measured struct {
	name      string
	run       func(k probeISA, x []float32)
	exact     func(x float64) float64
	low, high float64
	maxULP    float64
	absolute  float64
}

var functions = []measured{
	{"exp", func(k probeISA, x []float32) { k.exponentials(x, 0, 1) }, math.Exp, -103, 88.7, 2, 0},
	{"exp near 0", func(k probeISA, x []float32) { k.exponentials(x, 0, 1) }, math.Exp, -1, 1, 2, 0},
	{"tanh", func(k probeISA, x []float32) { k.logits(x, nil, 1, 1) }, math.Tanh, -12, 12, 3, 0},
	{"silu", func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 1) }, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, -80, 80, 4, 0},
	{"gelu tanh", func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 2) }, func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, -10, 10, 4, 4e-7},
	{"gelu", func(k probeISA, x []float32) { k.epilogue(x, x, nil, nil, nil, 3) }, func(x float64) float64 {
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	}, -10, 10, 4, 4e-7},
}

func TestFunctionAccuracy(t *testing.T) {
	have, _ := probeISAs()
	const n = 200_000
	for _, f := range functions {
		m := &probeMemory{}
		x := probeTake[float32](m, n)
		for i := range x {
			x[i] = float32(f.low + (f.high-f.low)*float64(i)/(n-1))
		}
		in := append([]float32(nil), x...)
		f.run(have[0], x)
		worst, at := 0.0, float32(0)
		for i := range x {
			exact := f.exact(float64(in[i]))
			if math.Abs(float64(x[i])-exact) <= f.absolute {
				continue
			}
			if u := ulps(x[i], exact); u > worst {
				worst, at = u, in[i]
			}
		}
		if worst > f.maxULP {
			t.Errorf("%s: %.2f ulp at %v, stated are %v", f.name, worst, at, f.maxULP)
		}
		t.Logf("%s: %.2f ulp", f.name, worst)
		m.free()
	}
}

func TestFunctionLimits(t *testing.T) {
	have, _ := probeISAs()
	inf := float32(math.Inf(1))
	for _, k := range have {
		m := &probeMemory{}
		x := probeCopy(m, []float32{-inf, -200, -104, 0, 89, inf})
		k.exponentials(x, 0, 1)
		if x[0] != 0 || x[1] != 0 || x[2] != 0 || x[3] != 1 || x[4] != inf || x[5] != inf {
			t.Errorf("%s: exp at its limits: %v", k.name, x)
		}
		y := probeCopy(m, []float32{-inf, -50, 0, 50, inf, float32(math.NaN())})
		k.logits(y, nil, 1, 1)
		if y[0] != -1 || y[1] != -1 || y[2] != 0 || y[3] != 1 || y[4] != 1 || y[5] == y[5] {
			t.Errorf("%s: tanh at its limits: %v", k.name, y)
		}
		m.free()
	}
}

func TestDoubleFunctions(t *testing.T) {
	r := random(11)
	for range 200_000 {
		x := r.Float64()*1400 - 700
		if got, want := probeExp(x), math.Exp(x); !(math.Abs(got/want-1) <= 1e-15) {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(r.Float64()*1200 - 600)
		if got, want := probeLog(y), math.Log(y); !(math.Abs(got-want) <= 1e-15*max(1, math.Abs(want))) {
			t.Fatalf("log(%v) = %v, want %v", y, got, want)
		}
		z := (r.Float64()*2 - 1) * math.Exp(r.Float64()*20)
		s, c := probeSincos(z)
		wantS, wantC := math.Sincos(z)
		if limit := 1e-15 * max(1, math.Abs(z)); !(math.Abs(s-wantS) <= limit) || !(math.Abs(c-wantC) <= limit) {
			t.Fatalf("sincos(%v) = %v %v, want %v %v", z, s, c, wantS, wantC)
		}
	}
}

// TestHalves compares the conversions with those of package weights, over all halves and the floats
// around and between them.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		got, want := probeHalfToFloat(uint16(h)), weights.HalfToFloat(uint16(h))
		if got != want && (got == got || want == want) {
			t.Fatalf("half %04x is %v, want %v", h, got, want)
		}
		if got != got {
			continue
		}
		bits := math.Float32bits(got)
		for _, near := range []uint32{bits - 1, bits, bits + 1, bits + 0xfff, bits + 0x1000, bits + 0x1001} {
			f := math.Float32frombits(near)
			if f != f {
				continue
			}
			if got, want := probeFloatToHalf(f), weights.FloatToHalf(f); got != want {
				t.Fatalf("%v rounds to %04x, want %04x", f, got, want)
			}
		}
	}
}

func TestRecordsMirrorC(t *testing.T) {
	for _, pair := range probeRecords() {
		goType, cType := pair[0], pair[1]
		if goType.Size() != cType.Size() || goType.NumField() != cType.NumField() {
			t.Errorf("%v: %d bytes in %d fields, C has %d in %d", goType, goType.Size(), goType.NumField(), cType.Size(), cType.NumField())
			continue
		}
		for i := range goType.NumField() {
			g, c := goType.Field(i), cType.Field(i)
			if g.Offset != c.Offset || g.Type.Kind() != c.Type.Kind() {
				t.Errorf("%v.%s: %v at %d, C's %s: %v at %d", goType, g.Name, g.Type.Kind(), g.Offset, c.Name, c.Type.Kind(), c.Offset)
			}
		}
	}
}

// What a run lost: the time that a worker was off its core, and the sleep of those who waited for it.
func TestPoolCountsWhatIsLost(t *testing.T) {
	const off = 30 * time.Millisecond
	for threads := 1; threads <= 4; threads++ {
		slept, stolen, err := probeLost(threads, off)
		if err != nil {
			t.Fatal(err)
		}
		if stolen < off*9/10 {
			t.Errorf("%d threads: %v off the core, %v are counted", threads, off, stolen)
		}
		if waited := time.Duration(threads-1) * off / 2; slept < waited {
			t.Errorf("%d threads: %v of sleep are counted, %v at least were", threads, slept, waited)
		}
	}
}

func TestPoolRunsEachChunkOnce(t *testing.T) {
	for threads := 1; threads <= 8; threads++ {
		for _, chunks := range []int{0, 1, 2, 7, 100} {
			m := &probeMemory{}
			const runs, phases = 20, 5
			counts, err := probePool(m, threads, runs, phases, chunks)
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range counts {
				if n != runs {
					t.Fatalf("%d threads: chunk %d of phase %d ran %d times in %d runs", threads, i%chunks, i/chunks, n, runs)
				}
			}
			m.free()
		}
	}
}
