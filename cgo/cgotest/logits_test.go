//go:build cgo

package cgotest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns the proof of each pass over a row of logits against plain Go.

func scalarISA() probeISA {
	have, _ := probeISAs()
	return have[0]
}

// oneNaN makes all NaNs the same: which of two an operation keeps is the compiler's choice, and no
// result depends on it.
func oneNaN(x ...float32) []float32 {
	out := slices.Clone(x)
	for i, v := range out {
		if v != v {
			out[i] = float32(math.NaN())
		}
	}
	return out
}

// rowsOfLogits are rows of odd sizes: random, with ties, NaN, infinities, all equal, all NaN.
func rowsOfLogits(seed uint64) [][]float32 {
	r := random(seed)
	nan, inf, negativeZero := float32(math.NaN()), float32(math.Inf(1)), float32(math.Copysign(0, -1))
	var rows [][]float32
	for _, n := range []int{1, 2, 3, 15, 16, 17, 31, 33, 127, 1000} {
		plain, ties, odd := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range n {
			plain[i] = float32(r.NormFloat64() * 8)
			ties[i] = float32(r.IntN(4)) - 2
			odd[i] = []float32{nan, -inf, negativeZero, 0, 3e38, -3e38, 1e-40, plain[i]}[r.IntN(8)]
		}
		rows = append(rows, plain, ties, odd, slices.Repeat([]float32{nan}, n), slices.Repeat([]float32{-inf}, n), make([]float32, n))
	}
	infinite := slices.Clone(rows[len(rows)-6])
	infinite[500], infinite[501] = inf, inf
	return append(rows, infinite)
}

// low is a logit as sampling sees it: a NaN counts as minus infinity.
func low(x float32) float32 {
	if x != x {
		return float32(math.Inf(-1))
	}
	return x
}

func plainPeak(x []float32) float32 {
	peak := float32(math.Inf(-1))
	for _, v := range x {
		peak = max(peak, low(v))
	}
	return peak
}

func plainTop(x []float32, n int) []engine.TopToken {
	all := make([]engine.TopToken, len(x))
	for i, v := range x {
		all[i] = engine.TopToken{Token: int32(i), Logit: low(v)}
	}
	slices.SortStableFunc(all, func(a, b engine.TopToken) int { return cmp.Compare(b.Logit, a.Logit) })
	return all[:min(n, len(all))]
}

func plainCountAbove(x []float32, value float32) (n int) {
	for _, v := range x {
		if low(v) > value {
			n++
		}
	}
	return n
}

func checkPasses(t *testing.T, k probeISA, x []float32) {
	t.Helper()
	peak := k.peak(x)
	if want := plainPeak(x); peak != want {
		t.Fatalf("peak of %d is %g, not %g", len(x), peak, want)
	}
	want := slices.IndexFunc(x, func(v float32) bool { return low(v) == peak })
	if at := k.firstAt(x, peak); at != want {
		t.Fatalf("the peak %g of %d is at %d, not %d", peak, len(x), at, want)
	}
	if at := k.firstAt(x, 12345.678); at != -1 {
		t.Fatalf("found an absent value at %d", at)
	}
	for _, value := range []float32{peak, low(x[len(x)/2]), 0, -1.5} {
		if n := k.countAbove(x, value); n != plainCountAbove(x, value) {
			t.Fatalf("%d of %d above %g, not %d", n, len(x), value, plainCountAbove(x, value))
		}
	}
	for _, n := range []int{1, 2, 5, 20} {
		top := make([]engine.TopToken, min(n, len(x)))
		k.top(x, top)
		if want := plainTop(x, n); !slices.Equal(top, want) {
			t.Fatalf("top %d of %d: %v, not %v", n, len(x), top, want)
		}
	}
}

func TestLogitPassesAgainstGo(t *testing.T) {
	k := scalarISA()
	for _, x := range rowsOfLogits(1) {
		checkPasses(t, k, x)
		peak := k.peak(x)
		if math.IsInf(float64(peak), 0) {
			continue // e^(inf - inf) has no value; sample_row never asks
		}
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(low(v)) - float64(peak))
		}
		if got := float64(k.sumExp(x, peak)); !(math.Abs(got-sum) <= 1e-6*sum) {
			t.Fatalf("the sum of %d exponentials is %g, not %g", len(x), got, sum)
		}
	}
}

func TestLogitPassesAcrossISAs(t *testing.T) {
	forEachISA(t, func(t *testing.T, oracle, k probeISA, _ *probeMemory) {
		for i, x := range rowsOfLogits(2) {
			checkPasses(t, k, x)
			peak := k.peak(x)
			same(t, fmt.Sprintf("sum of row %d", i), oneNaN(k.sumExp(x, peak)), oneNaN(oracle.sumExp(x, peak)))
			for _, temperature := range []float32{1, 0.7, 1e-30, 100} {
				a, b := slices.Clone(x), slices.Clone(x)
				k.exponentials(a, peak, temperature)
				oracle.exponentials(b, peak, temperature)
				same(t, fmt.Sprintf("weights of row %d at %g", i, temperature), oneNaN(a...), oneNaN(b...))
			}
		}
	})
}
