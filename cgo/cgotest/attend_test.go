//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"testing"

	"chimera/engine"
)

// attention is one case: tokens of one sequence behind `first` earlier positions; masks that see all see `length`.
type attention struct {
	engine.Group
	heads, first, tokens, length int
	softcap                      float32
}

// causal is a group of heads as wide in K as in V.
func causal(width int) engine.Group {
	return engine.Group{Mask: engine.Causal, KeyWidth: width, ValueWidth: width}
}

func windowed(width, window int) engine.Group {
	return engine.Group{Mask: engine.Window, Window: window, KeyWidth: width, ValueWidth: width}
}

func latent(key, value int) engine.Group {
	return engine.Group{Mask: engine.Causal, KeyWidth: key, ValueWidth: value, Latent: true}
}

func (a attention) String() string {
	return fmt.Sprintf("%+v, %d heads, %d tokens from %d, softcap %v", a.Group, a.heads, a.tokens, a.first, a.softcap)
}

var attentions = []attention{
	{causal(64), 1, 0, 1, 0, 0},
	{causal(64), 3, 0, 8, 0, 0},
	{causal(64), 3, 250, 8, 0, 0}, // across a split
	{causal(128), 4, 511, 1, 0, 0},
	{causal(80), 2, 37, 5, 0, 0},
	{causal(72), 5, 300, 7, 0, 50},
	{causal(33), 1, 15, 3, 0, 0},
	{causal(256), 2, 700, 2, 0, 0},
	{windowed(64, 100), 2, 600, 8, 0, 0},
	{windowed(64, 4), 2, 40, 8, 0, 0},
	{windowed(512, 1), 1, 20, 2, 0, 30},
	{windowed(24, 300), 3, 290, 30, 0, 0}, // some rows see the start, some do not
	{engine.Group{Mask: engine.Causal, KeyWidth: 192, ValueWidth: 128}, 2, 270, 3, 0, 0},
	{engine.Group{Mask: engine.Causal, KeyWidth: 40, ValueWidth: 72}, 3, 30, 4, 0, 0},
	{causal(1024), 1, 258, 2, 0, 0},
	{latent(576, 512), 5, 250, 8, 0, 0},
	{latent(40, 24), 2, 19, 3, 0, 0},
	{latent(50, 33), 3, 300, 5, 0, 20}, // V begins inside a block of K, and ends in a short vector
	{latent(32, 32), 1, 0, 17, 0, 0},
	{engine.Group{Mask: engine.Bidirectional, KeyWidth: 64, ValueWidth: 64}, 2, 0, 35, 35, 0},
	{engine.Group{Mask: engine.Bidirectional, KeyWidth: 32, ValueWidth: 16}, 1, 0, 270, 270, 0},
	{engine.Group{Mask: engine.Cross, KeyWidth: 64, ValueWidth: 64}, 3, 5, 4, 300, 0},
	{engine.Group{Mask: engine.Cross, KeyWidth: 20, ValueWidth: 28}, 2, 900, 2, 3, 10},
}

var kvTypes = []engine.DType{engine.F32, engine.F16, engine.Q8_0}

// sees is the range of positions that the token sees.
func (a attention) sees(token int) (from, to int) {
	if a.length > 0 {
		return 0, a.length
	}
	return a.FirstSeen(a.first + token), a.first + token + 1
}

// positions is how many there are in all.
func (a attention) positions() int { return max(a.length, a.first+a.tokens) }

// cached is a cache with all positions of a case, its queries, and the page table.
type cached struct {
	attention
	probeCache
	table []int32
	q     []float32 // (tokens, heads, key width)
	k, v  []float32 // (positions, key width) and (positions, value width)
}

// newCached gives away the pages that a window has passed: what they hold is garbage.
func newCached(m *probeMemory, isa probeISA, a attention, kv engine.DType) *cached {
	n := a.positions()
	pages := (n + engine.PageTokens - 1) / engine.PageTokens
	c := &cached{attention: a, probeCache: newProbeCache(m, kv, a.Group, pages), table: probeTake[int32](m, pages)}
	for i := range c.table {
		c.table[i] = int32((i*7 + 3) % pages)
	}
	if pages%7 == 0 {
		for i := range c.table { // 7 and the number of pages must share no factor
			c.table[i] = int32(pages - 1 - i)
		}
	}
	r := random(uint64(n))
	c.q = probeCopy(m, inputs[0].make(r, a.tokens*a.heads*a.KeyWidth))
	c.k, c.v = probeCopy(m, inputs[0].make(r, n*a.KeyWidth)), probeCopy(m, inputs[0].make(r, n*a.ValueWidth))
	if a.Latent {
		for i := range n {
			copy(c.v[i*a.ValueWidth:][:a.ValueWidth], c.k[(i+1)*a.KeyWidth-a.ValueWidth:])
		}
	}
	for i := range n {
		c.storePosition(isa, i)
	}
	return c
}

func (c *cached) storePosition(isa probeISA, i int) {
	value := c.v[i*c.ValueWidth : (i+1)*c.ValueWidth]
	if c.Latent {
		value = nil
	}
	c.store(isa, int(c.table[i/engine.PageTokens]), i%engine.PageTokens, c.k[i*c.KeyWidth:(i+1)*c.KeyWidth], value)
}

// run computes all tokens, `chunk` at a time.
func (c *cached) run(m *probeMemory, isa probeISA, chunk int) []float32 {
	in, width := c.heads*c.KeyWidth, c.heads*c.ValueWidth
	out := probeTake[float32](m, c.tokens*width)
	for t := 0; t < c.tokens; t += chunk {
		n := min(chunk, c.tokens-t)
		a := attending{Group: c.Group, table: c.table, length: c.length, first: c.first + t, tokens: n, heads: c.heads, scale: c.scale(), softcap: c.softcap}
		c.attend(m, isa, a, c.q[t*in:(t+n)*in], out[t*width:(t+n)*width])
	}
	return out
}

func (c *cached) scale() float32 { return float32(1 / math.Sqrt(float64(c.KeyWidth))) }

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
	from, to := c.sees(token)
	q := c.q[(token*c.heads+head)*c.KeyWidth:][:c.KeyWidth]
	var weights []float64
	peak := math.Inf(-1)
	for p := from; p < to; p++ {
		s := 0.0
		for d, x := range q {
			s += float64(x) * float64(c.k[p*c.KeyWidth+d])
		}
		s *= float64(c.scale())
		if c.softcap > 0 {
			s = float64(c.softcap) * math.Tanh(s/float64(c.softcap))
		}
		weights, peak = append(weights, s), max(peak, s)
	}
	out, sum := make([]float64, c.ValueWidth), 0.0
	for i, s := range weights {
		w := math.Exp(s - peak)
		sum += w
		for d := range out {
			out[d] += w * float64(c.v[(from+i)*c.ValueWidth+d])
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
				for head := range a.heads {
					for d, want := range c.exactAttention(token, head) {
						diff := math.Abs(float64(out[(token*a.heads+head)*a.ValueWidth+d]) - want)
						worst = max(worst, diff)
						if !(diff <= tolerance[kv]) {
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
