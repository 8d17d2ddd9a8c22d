package scheduler

import (
	"math"

	"chimera/engine"
)

// This file owns hotness: what a cached page is worth, and which is worth least.
//
// A page is worth what computing it again would take, times how often it is likely to be asked for, over its bytes. How often
// is the number of its uses, each counted half after a half-life. Pages are compared by the logarithm of that: all values
// fall alike as time passes, so those of two pages keep their order until one of them is used, and a page has one number, set
// at its last use, that a heap can be ordered by. What all pages of a pool have in common changes no order and is left out:
// their bytes, and what a row takes at the start of a prefix.
//
// docs/POLICY.md shows what this is worth beside recency, and how the constants were chosen.

// usesToHalf says when a use counts half where no half-life is set: after forty times as many uses as the pool has pages. So
// what is remembered grows with what can be kept: a large cache keeps what is asked for seldom, and sees enough uses of it to
// know; in a small one, what was hot and is no more goes soon. It holds at any rate of requests, and a quiet night cools
// nothing. docs/POLICY.md has the tables.
const usesToHalf = 40

// heat is what all pages of a lane have in common.
type heat struct {
	halfLife float64 // seconds; 0: the uses themselves are the clock
	now      float64 // half-lives since the start, where halfLife is set
	turns    float64 // of uses of all pages to a half-life, where it is not
	cooling  float64 // how many times as fast as by the half-life what is idle cools: see shadow.go
	again    *recompute
}

// usage is how a content was used. Its clock is in half-lives.
type usage struct {
	uses   uint32  // ever, as far as it was remembered
	decays float32 // uses, each counted half after a half-life, at the time `at`
	at     float64
	value  float64 // binary logarithm; its order alone means something
	saved  float32 // milliseconds of computing that its uses made needless
}

// decayed is the count of uses as it is now.
func (u *usage) decayed(now float64) float32 { return u.decays * float32(math.Exp2(u.at-now)) }

// count notes a use.
func (u *usage) count(now float64) {
	u.decays, u.at = u.decayed(now)+1, now
	u.uses++
}

// rate sets the value of a content that takes so much to compute.
func (u *usage) rate(h *heat, cost float64) {
	u.value = u.at*h.cooling + math.Log2(float64(u.decays)*cost)
}

// ofTail is what a page with so many tokens is worth more than a full one: less than nothing, as it spares less. Where recency decides,
// only time counts: one with half as many is as one that was used before the pool was used up once more.
func (h *heat) ofTail(tokens int) float64 {
	return max(1, h.cooling/h.turns) * math.Log2(float64(tokens)/engine.PageTokens)
}

// colder tells which of two nodes goes first.
func (n *node) colder(other *node) bool {
	if n.value != other.value {
		return n.value < other.value
	}
	return n.position > other.position // without a chain too, the end of a prefix goes before its beginning
}

// leaves is a heap of the nodes that may be evicted, the coldest first. Each node knows its place.
type leaves []int32

func (l *leaves) add(nodes []node, n int32) {
	*l = append(*l, n)
	nodes[n].place = int32(len(*l) - 1)
	l.up(nodes, len(*l)-1)
}

// remove takes the one at place i out.
func (l *leaves) remove(nodes []node, i int) {
	last := len(*l) - 1
	l.swap(nodes, i, last)
	nodes[(*l)[last]].place = none
	if *l = (*l)[:last]; i < last {
		l.mend(nodes, i)
	}
}

// mend restores the order after the value at place i has changed.
func (l *leaves) mend(nodes []node, i int) {
	if !l.down(nodes, i) {
		l.up(nodes, i)
	}
}

func (l *leaves) swap(nodes []node, i, j int) {
	a := *l
	a[i], a[j] = a[j], a[i]
	nodes[a[i]].place, nodes[a[j]].place = int32(i), int32(j)
}

func (l *leaves) up(nodes []node, i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !nodes[(*l)[i]].colder(&nodes[(*l)[parent]]) {
			return
		}
		l.swap(nodes, i, parent)
		i = parent
	}
}

func (l *leaves) down(nodes []node, i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(*l) {
			return moved
		}
		if right := child + 1; right < len(*l) && nodes[(*l)[right]].colder(&nodes[(*l)[child]]) {
			child = right
		}
		if !nodes[(*l)[child]].colder(&nodes[(*l)[i]]) {
			return moved
		}
		l.swap(nodes, i, child)
		i, moved = child, true
	}
}
