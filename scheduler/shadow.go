package scheduler

import (
	"math"

	"chimera/engine"
)

// This file owns the choice of how fast what is idle cools.
//
// Where prompts come again and again, what was used often is worth keeping through a long silence. In conversations it is not: one that
// is over was used at each of its turns, and is never asked for again, while the youngest have hardly been used. No half-life
// serves both (docs/POLICY.md). So each lane has two shadows, pools of the same size without memory, which are asked for all
// that the lane is asked for. One cools slowly, by the half-life; the other fast, so that what was used last stays. The lane does as that
// one which has had less to compute of late.

// fastCooling is how many times as fast as by the half-life an idle page cools: it has lost half after a fiftieth of the pool
// was used, so that recency decides.
const fastCooling = 1000

// lately is how many uses of the pool the comparison looks back on: so many that it does not follow chance, and few beside what a
// cache that is kept by the wrong rule costs.
const lately = 8

// preference is by how much less the other rule must have had to compute before the lane changes its own.
const preference = 0.02

// shadow is a pool without memory.
type shadow struct {
	pool  *pagePool
	cost  float64 // of what it lacked, each half as much after `lately` uses of the pool
	pages []int32 // of the prompt that it is asked for
}

// shadows are one that cools slowly and one that cools fast.
type shadows [2]shadow

func newShadows(pages int, h *heat) *shadows {
	var s shadows
	for i, cooling := range []float64{1, fastCooling} {
		own := *h
		own.cooling = cooling
		s[i].pool = newPagePool(pages, true, &own)
	}
	return &s
}

// ask has both compute the sequence's prompt, and returns how fast the lane should cool, whose heat that is.
func (s *shadows) ask(seq *Sequence, h *heat) (cooling float64) {
	for i := range s {
		s[i].pool.heat.now = h.now
		s[i].ask(seq)
	}
	slow, fast := &s[0], &s[1]
	switch {
	case fast.cost < slow.cost*(1-preference):
		return fast.pool.heat.cooling
	case slow.cost < fast.cost*(1-preference):
		return slow.pool.heat.cooling
	}
	return h.cooling
}

func (s *shadow) ask(seq *Sequence) {
	p, full := s.pool, len(seq.request.Prompt)/engine.PageTokens
	found := p.run(seq, full, seq.found, ready)
	s.cost *= math.Exp2(-float64(full) / float64(lately*len(p.pages)))
	before := int32(none)
	for i := range full {
		if i < found {
			before = p.pageOf(seq, i)
			p.share(before)
			p.use(p.pages[before].node)
		} else {
			id, ok := p.take(seq)
			if !ok {
				break // a prompt that fills the pool
			}
			c := seq.content((i + 1) * engine.PageTokens)
			p.publish(id, before, &c)
			s.cost += p.heat.again.relative(i)
			before = id
		}
		s.pages = append(s.pages, before)
	}
	for len(s.pages) > 0 {
		last := len(s.pages) - 1
		p.release(s.pages[last])
		s.pages = s.pages[:last]
	}
}

// rerate values all nodes anew, since the rule has changed.
func (x *index) rerate() {
	for _, n := range x.byKey {
		x.rate(&x.nodes[n])
	}
	for i := range x.leaves {
		x.leaves.up(x.nodes, i)
	}
}
