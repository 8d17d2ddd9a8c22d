//go:build cgo

package cgotest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// This file holds attention to hiding no NaN: whatever a query sees of one shows in its result, and nothing else
// does. Comparisons with a NaN are false, so every maximum and every rounding is a place where one gets lost.

var nan = float32(math.NaN())

// poisoned is a case with three splits: token 0 sees the positions to 598, token 2 those to 600.
func poisoned(g engine.Group) attention { return attention{g, 2, 598, 3, 0, 0} }

// poison spoils some of a case's numbers; rows says of which tokens the result must show it.
type poison struct {
	name string
	do   func(c *cached)
	rows func(token int) bool
}

func every(int) bool { return true }

func spoilK(c *cached, from, to int) {
	for p := from; p < to; p++ {
		c.k[p*c.KeyWidth+p%c.KeyWidth] = nan
	}
}

var poisons = []poison{
	{"one of K", func(c *cached) { spoilK(c, 17, 18) }, every},
	{"the last of K", func(c *cached) { spoilK(c, 600, 601) }, func(token int) bool { return token == 2 }},
	{"K of the first split", func(c *cached) { spoilK(c, 0, 256) }, every},
	{"K of the second split", func(c *cached) { spoilK(c, 256, 512) }, every},
	{"K of the third split", func(c *cached) { spoilK(c, 512, 601) }, every},
	{"all of K", func(c *cached) { spoilK(c, 0, 601) }, every},
	{"one of Q", func(c *cached) { c.q[(c.heads+1)*c.KeyWidth+3] = nan }, func(token int) bool { return token == 1 }},
	{"an infinity of both signs", func(c *cached) {
		c.k[40*c.KeyWidth], c.k[41*c.KeyWidth] = float32(math.Inf(1)), float32(math.Inf(-1))
	}, every},
}

func TestAttentionHidesNoNaN(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	for _, isa := range have {
		for _, kv := range kvTypes {
			for _, g := range []engine.Group{causal(32), causal(80), latent(48, 32), latent(50, 33)} {
				for _, p := range poisons {
					c := newCached(m, isa, poisoned(g), kv)
					clean := c.run(m, isa, 3)
					p.do(c)
					for i := range c.positions() {
						c.storePosition(isa, i)
					}
					what := fmt.Sprintf("%s, %v KV, %+v: %s is NaN", isa.name, kv, g, p.name)
					c.checkRows(t, what, c.run(m, isa, 3), clean, p)
					m.free()
				}
			}
		}
	}
}

// checkRows wants NaN alone in the rows that saw one, of all heads or of one, and the others as they were.
func (c *cached) checkRows(t *testing.T, what string, got, clean []float32, p poison) {
	t.Helper()
	for token := range c.tokens {
		shown := 0
		for head := range c.heads {
			at := (token*c.heads + head) * c.ValueWidth
			row := got[at : at+c.ValueWidth]
			if !slices.ContainsFunc(row, func(x float32) bool { return x == x }) {
				shown++
			} else {
				same(t, fmt.Sprintf("%s: token %d, head %d", what, token, head), row, clean[at:at+c.ValueWidth])
			}
		}
		want := 0
		if p.rows(token) {
			want = c.heads
		}
		if p.name == "one of Q" {
			want = min(want, 1)
		}
		if shown != want {
			t.Errorf("%s: token %d shows it in %d heads, not in %d", what, token, shown, want)
		}
	}
}

// A NaN of V shows in its element; in q8_0, whose scales are per block, in its block.
func TestAttentionHidesNoNaNOfV(t *testing.T) {
	have, _ := probeISAs()
	m := &probeMemory{}
	for _, isa := range have {
		for _, kv := range kvTypes {
			for _, position := range []int{0, 255, 256, 599, 600} {
				c := newCached(m, isa, poisoned(causal(80)), kv)
				clean := c.run(m, isa, 3)
				const element = 70
				c.v[position*c.ValueWidth+element] = nan
				c.storePosition(isa, position)
				got := c.run(m, isa, 3)
				for i := range got {
					token, d := i/c.ValueWidth/c.heads, i%c.ValueWidth
					spoilt := d == element || kv == engine.Q8_0 && d/32 == element/32
					if spoilt = spoilt && position <= c.first+token; spoilt != (got[i] != got[i]) || !spoilt && got[i] != clean[i] {
						t.Fatalf("%s, %v KV: V of %d is NaN: token %d has %v at %d, was %v", isa.name, kv, position, token, got[i], d, clean[i])
					}
				}
				m.free()
			}
		}
	}
}
