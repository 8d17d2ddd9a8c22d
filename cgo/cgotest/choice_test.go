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

// This file owns two proofs of sampling: each pass over a row of logits against plain Go, and the token
// itself against a reference that sorts everything, draw by draw.

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
		if got := float64(k.sumExp(x, peak)); math.Abs(got-sum) > 1e-6*sum {
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

// choice is one candidate of the reference.
type choice struct {
	token  int32
	weight float64
}

func massOf(c []choice) (sum float64) {
	for _, v := range c {
		sum += v.weight
	}
	return sum
}

// penalised applies biases and penalties as engine.Output states them.
func penalised(logits []float32, o engine.Output, penalties []engine.Penalty, biases []engine.Bias) []float32 {
	x := slices.Clone(logits)
	for _, b := range biases {
		x[b.Token] += b.Value
	}
	for _, p := range penalties {
		l := &x[p.Token]
		if p.Seen > 0 && *l > 0 {
			*l /= o.Repetition
		} else if p.Seen > 0 {
			*l *= o.Repetition
		}
		*l -= float32(o.Frequency * float32(p.Generated))
		if p.Generated > 0 {
			*l -= o.Presence
		}
	}
	return x
}

// plainSample is the reference: all tokens sorted by weight, cut by top-k, then by top-p of what is
// left, then by min-p, then one draw in that order; in order of ids if nothing is to be cut.
func plainSample(k probeISA, logits []float32, o engine.Output, position int, penalties []engine.Penalty, biases []engine.Bias) int32 {
	x := penalised(logits, o, penalties, biases)
	peak := plainPeak(x)
	if o.Temperature <= 0 {
		return int32(slices.Index(x, peak))
	}
	k.exponentials(x, peak, o.Temperature)
	all := make([]choice, len(x))
	for i, w := range x {
		all[i] = choice{int32(i), float64(w)}
	}
	if o.TopK > 0 || o.TopP < 1 || o.MinP > 0 {
		all = cut(all, o)
	}
	u, sum := philoxUniform(o.Seed, uint32(o.Choice), uint32(position))*massOf(all), 0.0
	for _, c := range all {
		if sum += c.weight; sum > u {
			return c.token
		}
	}
	return all[len(all)-1].token
}

func cut(all []choice, o engine.Output) []choice {
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(b.weight, a.weight) })
	if o.TopK > 0 && int(o.TopK) < len(all) {
		all = all[:o.TopK]
	}
	total, sum, kept := massOf(all), 0.0, 0
	for kept < len(all) && (kept == 0 || sum < total*float64(o.TopP) && float32(all[kept].weight) >= o.MinP) {
		sum += all[kept].weight
		kept++
	}
	return all[:kept]
}

// philoxUniform is the draw by the published generator, written here a second time.
func philoxUniform(seed uint64, choice, position uint32) float64 {
	c, k := [4]uint64{uint64(position), uint64(choice)}, [2]uint32{uint32(seed), uint32(seed >> 32)}
	for range 10 {
		a, b := 0xD2511F53*c[0], 0xCD9E8D57*c[2]
		c = [4]uint64{b>>32 ^ c[1] ^ uint64(k[0]), b & 0xffffffff, a>>32 ^ c[3] ^ uint64(k[1]), a & 0xffffffff}
		k[0] += 0x9E3779B9
		k[1] += 0xBB67AE85
	}
	return float64(c[0]<<21|c[1]>>11) / (1 << 53)
}

// Every cut alone and with every other, on flat and on steep rows, with and without penalties.
func TestSampleAgainstReference(t *testing.T) {
	k, r, m := scalarISA(), random(3), &probeMemory{}
	defer m.free()
	cases := 0
	for _, spread := range []float64{0.3, 2, 10} {
		for _, vocab := range []int{1, 2, 17, 300, 2000} {
			logits := make([]float32, vocab)
			for i := range logits {
				logits[i] = float32(r.NormFloat64() * spread)
			}
			for _, topK := range []int32{0, 1, 5, 50} {
				for _, topP := range []float32{1, 0.95, 0.5, 0.01} {
					for _, minP := range []float32{0, 0.05, 0.4} {
						for i := range 6 {
							o := engine.Output{Mode: engine.Sample, Temperature: []float32{1, 0.7, 1.5}[i%3], TopK: topK, TopP: topP,
								MinP: minP, Repetition: 1, Seed: r.Uint64(), Choice: int32(i)}
							var penalties []engine.Penalty
							var biases []engine.Bias
							if i >= 3 {
								o.Repetition, o.Presence, o.Frequency = 1.3, 0.5, 0.25
								penalties = []engine.Penalty{{Token: int32(r.IntN(vocab)), Seen: 3, Generated: 2}}
								biases = []engine.Bias{{Token: int32(r.IntN(vocab)), Value: 4}}
							}
							want := plainSample(k, logits, o, i, penalties, biases)
							if got, _ := k.sample(m, logits, o, i, penalties, biases); got.Token != want {
								t.Errorf("vocabulary %d, spread %g, %+v: token %d, not %d", vocab, spread, o, got.Token, want)
							}
							cases++
						}
					}
				}
			}
		}
	}
	t.Logf("%d draws", cases)
}

// The draw is the first 53 bits of Philox with position and choice as counter and the seed as key.
func TestUniformIsPhilox(t *testing.T) {
	for i := range uint32(1000) {
		if got, want := probeUniform(uint64(i)<<29, i*7, i), philoxUniform(uint64(i)<<29, i*7, i); got != want || got < 0 || got >= 1 {
			t.Fatalf("draw %d is %v, not %v", i, got, want)
		}
	}
}
