// This file owns the merging that both families share: a list of symbols and a heap of what may be merged next. A text of
// n symbols costs O(n log n), whatever it holds; looking for the best pair anew each time would be O(n²), which a
// megabyte of one letter turns into a stalled server.
package tokenizer

import "slices"

// symbol is a stretch of the text that is one token so far. Symbols form a list by index; a merge grows the left one and
// empties the right one.
type symbol struct {
	prev, next  int32 // -1 at the ends
	start, size int32 // bytes of the text; size 0: merged away
	id          int32 // None: no token of its own
}

// candidate is a pair that may be merged: the symbol left and its next.
type candidate struct {
	order uint64 // priority<<32 | left: the least goes first, of equals the leftmost
	size  int32  // bytes of both. A symbol only ever grows, so a pair of another size is stale.
	id    int32  // what they become
}

func (c candidate) left() int32 { return int32(uint32(c.order)) }

// pairer says what two neighbours become, and how early: a lower priority goes first.
type pairer interface {
	pair(text string, left, right *symbol) (priority uint32, id int32, ok bool)
}

// merger is the working memory of one encoding, reused by the next.
type merger struct {
	symbols []symbol
	heap    []candidate
	text    []byte // scratch of the family
}

// keepSymbols bounds what a merger keeps between texts, so that one long text does not hold its memory for ever.
const keepSymbols = 1 << 16

func (m *merger) trim() {
	if cap(m.symbols) > keepSymbols {
		*m = merger{}
	}
}

// reserve begins a text of up to n symbols, which takes its memory in one go: of a megabyte of one letter, growing symbol by
// symbol would leave several times as much behind.
func (m *merger) reserve(n int) {
	m.symbols, m.heap = slices.Grow(m.symbols[:0], n), slices.Grow(m.heap[:0], n)
}

// push appends a symbol that covers size bytes right after the last one.
func (m *merger) push(size int, id int32) {
	n := int32(len(m.symbols))
	start := int32(0)
	if n > 0 {
		last := &m.symbols[n-1]
		last.next = n
		start = last.start + last.size
	}
	m.symbols = append(m.symbols, symbol{prev: n - 1, next: -1, start: start, size: int32(size), id: id})
}

// merge merges the pushed symbols until no pair is left. What remains is the list from symbol 0 on.
func (m *merger) merge(text string, p pairer) {
	for left := range len(m.symbols) - 1 {
		m.offer(text, p, int32(left), false)
	}
	for at := len(m.heap)/2 - 1; at >= 0; at-- {
		m.down(at)
	}
	for len(m.heap) > 0 {
		best := m.pop()
		left := &m.symbols[best.left()]
		if left.size == 0 || left.next < 0 || left.size+m.symbols[left.next].size != best.size {
			continue
		}
		right := &m.symbols[left.next]
		left.size, left.id, left.next = best.size, best.id, right.next
		right.size = 0
		if left.next >= 0 {
			m.symbols[left.next].prev = best.left()
			m.offer(text, p, best.left(), true)
		}
		if left.prev >= 0 {
			m.offer(text, p, left.prev, true)
		}
	}
}

// offer enters the pair of left and its next into the heap, if it merges.
func (m *merger) offer(text string, p pairer, left int32, ordered bool) {
	l := &m.symbols[left]
	r := &m.symbols[l.next]
	priority, id, ok := p.pair(text, l, r)
	if !ok {
		return
	}
	m.heap = append(m.heap, candidate{uint64(priority)<<32 | uint64(left), l.size + r.size, id})
	if ordered {
		m.up(len(m.heap) - 1)
	}
}

func (m *merger) pop() candidate {
	best, last := m.heap[0], len(m.heap)-1
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	m.down(0)
	return best
}

func (m *merger) up(at int) {
	for at > 0 {
		parent := (at - 1) / 2
		if m.heap[parent].order <= m.heap[at].order {
			return
		}
		m.heap[parent], m.heap[at] = m.heap[at], m.heap[parent]
		at = parent
	}
}

func (m *merger) down(at int) {
	for {
		child := 2*at + 1
		if child >= len(m.heap) {
			return
		}
		if child+1 < len(m.heap) && m.heap[child+1].order < m.heap[child].order {
			child++
		}
		if m.heap[at].order <= m.heap[child].order {
			return
		}
		m.heap[at], m.heap[child] = m.heap[child], m.heap[at]
		at = child
	}
}
