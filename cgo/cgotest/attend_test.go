//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"testing"

	"chimera/engine"
)

// attention is one case: tokens of one sequence behind `first` earlier positions.
type attention struct {
	headDim, group, first, tokens, window int
	softcap                               float32
}

func (a attention) String() string {
	return fmt.Sprintf("head %d, group %d, %d tokens from %d, window %d, softcap %v", a.headDim, a.group, a.tokens, a.first, a.window, a.softcap)
}

var attentions = []attention{
	{64, 1, 0, 1, 0, 0},
	{64, 3, 0, 8, 0, 0},
	{64, 3, 250, 8, 0, 0}, // across a split
	{128, 4, 511, 1, 0, 0},
	{80, 2, 37, 5, 0, 0},
	{72, 5, 300, 7, 0, 50},
	{33, 1, 15, 3, 0, 0},
	{256, 2, 700, 2, 0, 0},
	{64, 2, 600, 8, 100, 0},
	{64, 2, 40, 8, 4, 0},
	{512, 1, 20, 2, 1, 30},
}

var kvTypes = []engine.DType{engine.F32, engine.F16, engine.Q8_0}

// cached is a cache with all positions of a case, its queries, and the page table.
type cached struct {
	attention
	probeCache
	table []int32
	q     []float32 // (tokens, group, head dim)
	k, v  []float32 // (positions, head dim)
}

func newCached(m *probeMemory, isa probeISA, a attention, kv engine.DType) *cached {
	n := a.first + a.tokens
	pages := (n + engine.PageTokens - 1) / engine.PageTokens
	c := &cached{attention: a, probeCache: newProbeCache(m, kv, a.headDim, pages), table: probeTake[int32](m, pages)}
	for i := range c.table {
		c.table[i] = int32((i*7 + 3) % pages)
	}
	if pages%7 == 0 {
		for i := range c.table { // 7 and the number of pages must share no factor
			c.table[i] = int32(pages - 1 - i)
		}
	}
	r := random(uint64(n))
	c.q = probeCopy(m, inputs[0].make(r, a.tokens*a.group*a.headDim))
	c.k, c.v = probeCopy(m, inputs[0].make(r, n*a.headDim)), probeCopy(m, inputs[0].make(r, n*a.headDim))
	for i := range n {
		c.store(isa, int(c.table[i/engine.PageTokens]), i%engine.PageTokens, c.k[i*a.headDim:(i+1)*a.headDim], c.v[i*a.headDim:(i+1)*a.headDim])
	}
	return c
}

// run computes all tokens, `chunk` at a time.
func (c *cached) run(m *probeMemory, isa probeISA, chunk int) []float32 {
	width := c.group * c.headDim
	out := probeTake[float32](m, c.tokens*width)
	for t := 0; t < c.tokens; t += chunk {
		n := min(chunk, c.tokens-t)
		c.probeCache.attend(m, isa, c.table, c.q[t*width:(t+n)*width], out[t*width:(t+n)*width], c.attention.first+t, n, c.group, c.window, c.scale(), c.softcap)
	}
	return out
}

func (c *cached) scale() float32 { return float32(1 / math.Sqrt(float64(c.headDim))) }

func TestAttentionEqualsScalar(t *testing.T) {
	forEachISA(t, func(t *testing.T, scalar, k probeISA, m *probeMemory) {
		for _, a := range attentions {
			for _, kv := range kvTypes {
				what := fmt.Sprintf("%v KV, %v", kv, a)
				got, want := newCached(m, k, a, kv), newCached(m, scalar, a, kv)
				same(t, what+": pages", got.pages, want.pages)
				whole := want.run(m, scalar, a.tokens)
				same(t, what, got.run(m, k, a.tokens), whole)
				same(t, what+", token by token", got.run(m, k, 1), whole)
				same(t, what+", three at a time", got.run(m, k, 3), whole)
				m.free()
			}
		}
	})
}

// exactAttention is attention in float64 over the unrounded K and V.
func (c *cached) exactAttention(token, head int) []float64 {
	at := c.first + token
	begin := 0
	if c.window > 0 {
		begin = max(0, at-c.window+1)
	}
	q := c.q[(token*c.group+head)*c.headDim:][:c.headDim]
	var weights []float64
	peak := math.Inf(-1)
	for p := begin; p <= at; p++ {
		s := 0.0
		for d, x := range q {
			s += float64(x) * float64(c.k[p*c.headDim+d])
		}
		s *= float64(c.scale())
		if c.softcap > 0 {
			s = float64(c.softcap) * math.Tanh(s/float64(c.softcap))
		}
		weights, peak = append(weights, s), max(peak, s)
	}
	out, sum := make([]float64, c.headDim), 0.0
	for i, s := range weights {
		w := math.Exp(s - peak)
		sum += w
		for d := range out {
			out[d] += w * float64(c.v[(begin+i)*c.headDim+d])
		}
	}
	for d := range out {
		out[d] /= sum
	}
	return out
}

// TestScalarAttention holds the scalar kernels to float64: with f32 KV only the sums round; f16 rounds
// K and V to 11 bits, q8_0 to 8.
func TestScalarAttention(t *testing.T) {
	have, _ := probeISAs()
	tolerance := map[engine.DType]float64{engine.F32: 5e-6, engine.F16: 4e-3, engine.Q8_0: 6e-2}
	for _, kv := range kvTypes {
		worst := 0.0
		for _, a := range attentions {
			m := &probeMemory{}
			c := newCached(m, have[0], a, kv)
			out := c.run(m, have[0], a.tokens)
			for token := range a.tokens {
				for head := range a.group {
					for d, want := range c.exactAttention(token, head) {
						diff := math.Abs(float64(out[(token*a.group+head)*a.headDim+d]) - want)
						worst = max(worst, diff)
						if diff > tolerance[kv] {
							t.Fatalf("%v KV, %v: token %d, head %d, element %d differs by %g", kv, a, token, head, d, diff)
						}
					}
				}
			}
			m.free()
		}
		if worst < tolerance[kv]/1000 {
			t.Errorf("%v KV: a largest error of %g is too good: was anything compared?", kv, worst)
		}
		t.Logf("%v KV: largest difference %.2g", kv, worst)
	}
}
