//go:build cgo

package cgo

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chimera/engine"
	formats "chimera/weights"
)

// This file owns tests of quantising: against exhaustive search where that is possible, against plain rounding everywhere,
// with the format's own dequantisation to judge by.

var searched = []engine.DType{engine.Q4_0, engine.Q5_0, engine.Q5_1, engine.Q2_K, engine.Q3_K, engine.Q4_K, engine.Q5_K, engine.Q6_K}

// codeRange is the lowest and the highest code of a type; values is how many share a scale.
var codeRange = map[engine.DType]struct {
	low, high, values int
}{
	engine.Q4_0: {-8, 7, 32}, engine.Q5_0: {-16, 15, 32}, engine.Q5_1: {0, 31, 32}, engine.Q2_K: {0, 3, 16}, engine.Q3_K: {-4, 3, 16},
	engine.Q4_K: {0, 15, 32}, engine.Q5_K: {0, 31, 32}, engine.Q6_K: {-32, 31, 16},
}

func quantised(t testing.TB, typ engine.DType, x []float32, columns int, importance []float32) []byte {
	t.Helper()
	values, size := formats.Type(typ).Block()
	dst := make([]byte, len(x)/int(values)*int(size))
	if err := Quantise(dst, typ, x, columns, importance); err != nil {
		t.Fatal(err)
	}
	return dst
}

// roundTrip is what x is after it was quantised.
func roundTrip(t testing.TB, typ engine.DType, x []float32, importance []float32) []float32 {
	t.Helper()
	out := make([]float32, len(x))
	if err := formats.Dequantize(formats.Type(typ), quantised(t, typ, x, len(x), importance), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// costs are what an error of each value of a block costs, by the documentation of Quantise.
func costs(x []float32, importance []float32) []float64 {
	w := make([]float64, len(x))
	for i := range w {
		w[i] = 1
		if importance != nil {
			w[i] = float64(importance[i])
		}
	}
	return w
}

func cost(x, y []float32, w []float64) (sum float64) {
	for i := range x {
		e := float64(x[i]) - float64(y[i])
		sum += w[i] * e * e
	}
	return sum
}

// costAt is what values cost at the nearest codes where codes mean a * code - m.
func costAt(typ engine.DType, x []float32, w []float64, a, m float64) (sum float64) {
	r := codeRange[typ]
	for i, v := range x {
		q := 0.0
		if a != 0 {
			q = min(max(math.Round((float64(v)+m)/a), float64(r.low)), float64(r.high))
		}
		e := float64(v) - (a*q - m)
		sum += w[i] * e * e
	}
	return sum
}

func half(x float64) float64 { return float64(formats.HalfToFloat(formats.FloatToHalf(float32(x)))) }

func normal(r *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * scale)
	}
	return x
}

// heavy values have outliers, as weights of some layers do.
func heavy(r *rand.Rand, n int) []float32 {
	x := normal(r, n, 0.02)
	for i := range x {
		if r.IntN(24) == 0 {
			x[i] *= 6
		}
	}
	return x
}

// TestQuantiseIsBest: a block of 32 costs hardly more than with the best of all scales, found by trying them one by one.
func TestQuantiseIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range []engine.DType{engine.Q4_0, engine.Q5_0} {
		ratio := 0.0
		for i := range 40 {
			x := [][]float32{normal(r, 32, 0.02), heavy(r, 32)}[i%2]
			w := costs(x, nil)
			peak, best := 0.0, math.Inf(1)
			for _, v := range x {
				peak = max(peak, math.Abs(float64(v)))
			}
			for step := 400; step < 1600; step++ { // of a thousandth
				a := peak / float64(codeRange[typ].high) * float64(step) / 1000
				best = min(best, costAt(typ, x, w, half(a), 0), costAt(typ, x, w, half(-a), 0))
			}
			got := cost(x, roundTrip(t, typ, x, nil), w)
			if ratio += got / best / 40; !(got <= best*1.05) {
				t.Errorf("%s %d: cost %g, the best scale has %g", typ, i, got, best)
			}
		}
		t.Logf("%s: costs are %.3f times the best", typ, ratio)
		if !(ratio <= 1.005) {
			t.Errorf("%s: costs are %.3f times those of the best scales", typ, ratio)
		}
	}
}

// TestQuantiseSubBlocksAreBest: a sub-block that is alone in its super-block has the common halves to itself.
func TestQuantiseSubBlocksAreBest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for typ, worse := range map[engine.DType]float64{engine.Q2_K: 1.03, engine.Q3_K: 1.02, engine.Q4_K: 1.05, engine.Q5_K: 1.1, engine.Q6_K: 1.05, engine.Q5_1: 1.1} {
		c, ratio := codeRange[typ], 0.0
		for i := range 12 {
			x := make([]float32, 256)
			alone := x[:c.values]
			copy(alone, [][]float32{normal(r, c.values, 0.02), heavy(r, c.values)}[i%2])
			if typ == engine.Q5_1 {
				x = alone
			}
			w := costs(x, nil)
			low, high := float64(min(slices.Min(alone), 0)), float64(slices.Max(alone))
			best := math.Inf(1)
			for step := range 150 {
				if c.low < 0 {
					a := max(high, -low) / float64(c.high) * (0.5 + float64(step)/100)
					best = min(best, costAt(typ, alone, w, a, 0), costAt(typ, alone, w, -a, 0))
					continue
				}
				for shift := range 60 {
					a := (high - low) / float64(c.high) * (0.5 + float64(step)/200)
					best = min(best, costAt(typ, alone, w, a, -low*(0.5+float64(shift)/100)))
				}
			}
			ratio += cost(x, roundTrip(t, typ, x, nil), w) / best / 12
		}
		t.Logf("%s: costs are %.3f times the best", typ, ratio)
		if !(ratio <= worse) {
			t.Errorf("%s: costs are %.3f times those of the best scales", typ, ratio)
		}
	}
}

// plain is quantising without any search: the scales that hold the largest values, rounded.
func plain(typ engine.DType, x []float32, w []float64) (sum float64) {
	c := codeRange[typ]
	var scales, minimums []float64
	for first := 0; first < len(x); first += c.values {
		sub := x[first:][:c.values]
		low, high := min(float64(slices.Min(sub)), 0), max(float64(slices.Max(sub)), 0)
		if c.low < 0 {
			scales, minimums = append(scales, max(high, -low)/float64(c.high)), append(minimums, 0)
		} else {
			scales, minimums = append(scales, (high-low)/float64(c.high)), append(minimums, -low)
		}
	}
	levels := map[engine.DType]float64{engine.Q2_K: 15, engine.Q3_K: 31, engine.Q4_K: 63, engine.Q5_K: 63, engine.Q6_K: 127}[typ]
	round := func(list []float64) {
		if levels == 0 {
			list[0] = half(list[0])
			return
		}
		d := half(slices.Max(list) / levels)
		for i := range list {
			if d != 0 {
				list[i] = d * min(math.Round(list[i]/d), levels)
			}
		}
	}
	round(scales)
	round(minimums)
	for i := range scales {
		at := i * c.values
		sum += costAt(typ, x[at:][:c.values], w[at:], scales[i], minimums[i])
	}
	return sum
}

// quantiseErrors are mean square errors of normal values, as shares of their variance: half a per cent more than was measured.
var quantiseErrors = map[engine.DType]float64{
	engine.Q4_0: 0.006507, engine.Q5_0: 0.001620, engine.Q5_1: 0.001084, engine.Q2_K: 0.06579, engine.Q3_K: 0.02058, engine.Q4_K: 0.004739,
	engine.Q5_K: 0.001139, engine.Q6_K: 0.0002674,
}

// TestQuantiseErrors: no part of the search may be lost, each of which makes a few per cent.
func TestQuantiseErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	x := normal(r, 64*256, 0.02)
	w := costs(x, nil)
	size := cost(x, make([]float32, len(x)), w)
	for _, typ := range searched {
		got := cost(x, roundTrip(t, typ, x, nil), w) / size
		t.Logf("%s: %.6f", typ, got)
		if !(got <= quantiseErrors[typ]) {
			t.Errorf("%s: an error of %.6f, want %.6f or less", typ, got, quantiseErrors[typ])
		}
	}
}

// TestQuantiseNeverWorseThanRounding: whatever the values are, the search pays.
func TestQuantiseNeverWorseThanRounding(t *testing.T) {
	for _, typ := range searched {
		t.Run(typ.String(), func(t *testing.T) {
			block, _ := formats.Type(typ).Block()
			rapid.Check(t, func(r *rapid.T) {
				rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 5))
				x := normal(rng, int(block), math.Ldexp(1, rapid.IntRange(-8, 8).Draw(r, "scale")))
				for i := range x {
					switch rapid.IntRange(0, 12).Draw(r, "what") {
					case 0:
						x[i] = 0
					case 1:
						x[i] *= 10
					case 2:
						x[i] = x[0]
					}
				}
				w := costs(x, nil)
				got, naive := cost(x, roundTrip(t, typ, x, nil), w), plain(typ, x, w)
				if !(got <= naive*1.0001) {
					r.Fatalf("cost %g, plain rounding has %g", got, naive)
				}
			})
		})
	}
}

// TestQuantiseAgain: what a file holds already loses next to nothing when it is quantised once more.
func TestQuantiseAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, typ := range searched {
		once := roundTrip(t, typ, normal(r, 2048, 0.02), nil)
		w := costs(once, nil)
		twice := cost(once, roundTrip(t, typ, once, nil), w)
		size := cost(once, make([]float32, len(once)), w)
		if !(twice <= size*2e-4) {
			t.Errorf("%s: a second time costs %g of %g", typ, twice, size)
		}
	}
}

// TestQuantiseByRows: bytes depend on the block and its columns' importance alone, and a power of two in all values moves the scales alone.
func TestQuantiseByRows(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	x, importance := heavy(r, 4*512), make([]float32, 512)
	for i := range importance {
		importance[i] = float32(0.1 + r.Float64())
	}
	for _, typ := range searched {
		whole := quantised(t, typ, x, 512, importance)
		var rows []byte
		for i := range 4 {
			rows = append(rows, quantised(t, typ, x[i*512:][:512], 512, importance)...)
		}
		if !bytes.Equal(whole, rows) {
			t.Errorf("%s: rows one by one differ", typ)
		}
		parts := append(quantised(t, typ, x[:256], 256, importance[:256]), quantised(t, typ, x[256:512], 256, importance[256:])...)
		if !bytes.Equal(whole[:len(parts)], parts) {
			t.Errorf("%s: the halves of a row, each with its importance, differ", typ)
		}
		large := make([]float32, len(x))
		for i := range x {
			large[i] = 64 * x[i]
		}
		w := costs(x[:512], nil)
		unit := 64.0 * 64
		// Halves of small scales are subnormal and coarser.
		got, want := cost(large[:512], roundTrip(t, typ, large[:512], nil), w)/unit, cost(x[:512], roundTrip(t, typ, x[:512], nil), w)
		if !(got <= want*1.01 && got >= want*0.9) {
			t.Errorf("%s: values cost %g, 64 times as large %g of that unit", typ, want, got)
		}
	}
}

// TestQuantiseImportance: what a column is worth moves errors to the others.
func TestQuantiseImportance(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	importance := make([]float32, 256)
	for i := range importance {
		importance[i] = 1e-6
		if i%4 == 0 {
			importance[i] = 1
		}
	}
	for _, typ := range searched {
		var alike, weighed float64
		for range 20 {
			x := normal(r, 256, 0.02)
			w := costs(x, importance)
			alike += cost(x, roundTrip(t, typ, x, nil), w)
			weighed += cost(x, roundTrip(t, typ, x, importance), w)
		}
		if !(weighed <= 0.9*alike) {
			t.Errorf("%s: important columns cost %g, without importance %g", typ, weighed, alike)
		}
		x := normal(r, 256, 0.02)
		doubled, none := make([]float32, 256), make([]float32, 256)
		for i, v := range importance {
			doubled[i] = 0x1p40 * v
		}
		if !bytes.Equal(quantised(t, typ, x, 256, importance), quantised(t, typ, x, 256, doubled)) {
			t.Errorf("%s: the unit of importance shows", typ)
		}
		if !bytes.Equal(quantised(t, typ, x, 256, none), quantised(t, typ, x, 256, nil)) {
			t.Errorf("%s: where no column is important they are not alike", typ)
		}
	}
}

// BenchmarkQuantise is on one core: millions of values a second, of the median run and of the best one.
func BenchmarkQuantise(b *testing.B) {
	x := normal(rand.New(rand.NewPCG(1, 1)), 64*1024, 0.02)
	for _, isa := range []string{"scalar", "avx2", "avx512"} {
		if !HasISA(isa) {
			continue
		}
		k, err := kernelsFor(isa)
		if err != nil {
			b.Fatal(err)
		}
		for _, typ := range searched {
			b.Run(isa+"/"+typ.String(), func(b *testing.B) {
				values, size := formats.Type(typ).Block()
				dst := make([]byte, len(x)/int(values)*int(size))
				var took []time.Duration
				for b.Loop() {
					began := time.Now()
					if err := quantise(k, dst, typ, x, 1024, nil); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(len(x))/took[len(took)/2].Seconds()/1e6, "median-Mvalues/s")
				b.ReportMetric(float64(len(x))/took[0].Seconds()/1e6, "best-Mvalues/s")
			})
		}
	}
}
