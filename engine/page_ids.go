package engine

import "slices"

// This file owns PageIDs: a page table that is kept from step to step, of which a batch checks only what is new.

// PageIDs are the ids of a sequence's pages in a group, in the order of their positions. It knows the largest that was ever added, so
// that AddSequence need not look at all of them in each step: those of long contexts would be most of what it looks at.
type PageIDs struct {
	ids     []int32
	highest uint32 // of all that were added; a negative id is above all others
}

// Grow makes room for n more.
func (p *PageIDs) Grow(n int) { p.ids = slices.Grow(p.ids, n) }

// Len is how many there are.
func (p *PageIDs) Len() int { return len(p.ids) }

// At is the one at place i.
func (p *PageIDs) At(i int) int32 { return p.ids[i] }

// Append adds one.
func (p *PageIDs) Append(id int32) {
	p.ids, p.highest = append(p.ids, id), max(p.highest, uint32(id))
}

// DropFirst takes the first one out, in place: a table that is cut from its front would be allocated again and again.
func (p *PageIDs) DropFirst() { p.ids = slices.Delete(p.ids, 0, 1) }

// Swap has two change places.
func (p *PageIDs) Swap(i, j int) { p.ids[i], p.ids[j] = p.ids[j], p.ids[i] }

// Table is what AddSequence is told, until the ids change. Pages of the table are only to be read.
func (p *PageIDs) Table(base int) PageTable {
	return PageTable{Base: base, Pages: p.ids, kept: true, highest: p.highest}
}

// highestOf is the largest id of a table, of which a negative one is above all.
func highestOf(t *PageTable) (top uint32) {
	if t.kept {
		return t.highest
	}
	for _, id := range t.Pages {
		top = max(top, uint32(id))
	}
	return top
}
