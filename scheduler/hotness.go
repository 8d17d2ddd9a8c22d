package scheduler

import "math"

// This file owns hotness: what a cached page is worth, and which is worth least.
//
// A page is worth what computing it again would take, times how often it is likely to be asked for, over its bytes. How often
// is the number of its uses, each counted half after a half-life. Pages are compared by the logarithm of that: all values
// fall alike as time passes, so those of two pages keep their order until one of them is used, and a page has one number, set
// at its last use, that a heap can be ordered by. What all pages of a pool have in common changes no order and is left out:
// their bytes, and what a row takes at the start of a prefix.
//
// docs/POLICY.md shows what this is worth beside recency, and how the constants were chosen.

// defaultHalfLife is long enough to tell a prompt that is used ten times an hour from one that is used once, and
// forgets within an afternoon what was used in the morning.
const defaultHalfLife = 1800.0 // seconds

// heat is what all pages of a lane have in common.
type heat struct {
	now      float64 // seconds since the start, as the loop sees it
	halfLife float64 // seconds
	again    recompute
}

// usage is how a content was used.
type usage struct {
	uses   uint32  // ever, as far as it was remembered
	decays float32 // uses, each counted half after a half-life, at the time `at`
	at     float64 // seconds
	value  float64 // binary logarithm; its order alone means something
	saved  float32 // milliseconds of computing that its uses made needless
}

// decayed is the count of uses as it is now.
func (u *usage) decayed(h *heat) float32 {
	return u.decays * float32(math.Exp2((u.at-h.now)/h.halfLife))
}

// count notes a use.
func (u *usage) count(h *heat, position int) {
	u.decays, u.at = u.decayed(h)+1, h.now
	u.uses++
	u.rate(h, position)
}

// rate sets the value.
func (u *usage) rate(h *heat, position int) {
	u.value = u.at/h.halfLife + math.Log2(float64(u.decays)*h.again.relative(position))
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
