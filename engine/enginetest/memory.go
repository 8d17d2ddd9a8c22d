package enginetest

import (
	"fmt"

	"chimera/engine"
)

// This file owns the instance's memory: what a step reads and writes in each group's pages and slots, and what it may.

// page holds a cell for each of its positions. Zero: never computed. A slot is a page of which one cell is used.
type page [engine.PageTokens]uint64

func newMemory(l engine.Limits) [][]page {
	memory := make([][]page, len(l.Groups)) // (groups, pages)
	for g, limits := range l.Groups {
		memory[g] = make([]page, limits.Pages)
	}
	return memory
}

// span is where a sequence stands in one group in one step.
type span struct {
	engine.GroupLimits
	group, first, last int     // the step's positions
	pages              []int32 // of its table
	base               int
	memory             []page
}

// span finds sequence i's share of group g.
func (in *Instance) span(b *engine.Batch, i, g int) span {
	s, t := b.Sequences[i], b.Tables[i*len(in.limits.Groups)+g]
	first := int(b.Positions[s.FirstToken])
	return span{
		GroupLimits: in.limits.Groups[g], group: g, first: first, last: first + int(s.TokenCount) - 1,
		pages: b.Pages[t.First:][:t.Count], base: int(t.Base), memory: in.memory[g],
	}
}

// reads and writes are the pages that the step touches for the sequence.
func (s span) reads() []int32 {
	if s.Slots {
		return s.pages[:1]
	}
	return s.pages
}

func (s span) writes() []int32 {
	if s.Slots {
		return s.pages[1:]
	}
	return s.pages[s.first/engine.PageTokens-s.base : s.last/engine.PageTokens-s.base+1]
}

// at is the cell of a position.
func (s span) at(position int) *uint64 {
	return &s.memory[s.pages[position/engine.PageTokens-s.base]][position%engine.PageTokens]
}

// see gives r all that the position sees before itself.
func (s span) see(r row, position int) (row, error) {
	if s.Slots {
		return s.seeSlot(r, position)
	}
	for p := s.FirstSeen(position); p < position; p++ {
		cell := *s.at(p)
		if cell == 0 {
			return r, fmt.Errorf("%s: position %d sees %d, which was never computed", s.Name, position, p)
		}
		r = r.see(cell)
	}
	return r, nil
}

// seeSlot reads the slot that the step is to read at its first position, and what the step wrote itself later.
func (s span) seeSlot(r row, position int) (row, error) {
	if position == 0 {
		return r, nil
	}
	slot := s.pages[1]
	if position == s.first {
		slot = s.pages[0]
	}
	cell := s.memory[slot][0]
	if cell == 0 {
		return r, fmt.Errorf("%s: position %d reads a slot that was never written", s.Name, position)
	}
	return r.see(cell), nil
}

// leave writes what the position leaves in the group.
func (s span) leave(r row, position int) {
	if s.Slots {
		s.memory[s.pages[1]][0] = r.cell(s.group)
		return
	}
	if position%engine.PageTokens == 0 {
		s.memory[s.pages[position/engine.PageTokens-s.base]] = page{} // it has a new owner
	}
	*s.at(position) = r.cell(s.group)
}

// spoil is what a step leaves that gave way: nobody may go on from any of it.
func (s span) spoil() {
	if s.Slots {
		s.memory[s.pages[1]][0] = 0
		return
	}
	for p := s.first; p <= s.last; p++ {
		*s.at(p) = 0
	}
}

// owners tells of each page that the step writes which sequence does, or returns who breaks the rule that nobody else
// touches it.
func (in *Instance) owners(b *engine.Batch, g int) error {
	writers := map[int32]int{}
	for i := range b.Sequences {
		for _, id := range in.span(b, i, g).writes() {
			if other, taken := writers[id]; taken {
				return fmt.Errorf("%s: sequences %d and %d both write page %d", in.limits.Groups[g].Name, other, i, id)
			}
			writers[id] = i
		}
	}
	for i := range b.Sequences {
		for _, id := range in.span(b, i, g).reads() {
			if w, written := writers[id]; written && w != i {
				return fmt.Errorf("%s: sequence %d reads page %d, which sequence %d writes", in.limits.Groups[g].Name, i, id, w)
			}
		}
	}
	return nil
}

// compute writes all rows to the pages and returns them.
func (in *Instance) compute(b *engine.Batch, weights uint64) ([]row, error) {
	if len(b.Tokens) == 0 {
		return nil, fmt.Errorf("an empty step")
	}
	for g := range in.limits.Groups {
		if err := in.owners(b, g); err != nil {
			return nil, err
		}
	}
	rows := make([]row, len(b.Tokens))
	for i, s := range b.Sequences {
		for at := s.FirstToken; at < s.FirstToken+s.TokenCount; at++ {
			r, err := in.extend(b, i, newRow(weights, b.Tokens[at], int(b.Positions[at])), int(b.Positions[at]))
			if err != nil {
				return nil, fmt.Errorf("sequence %d: %w", i, err)
			}
			rows[at] = r
		}
	}
	return rows, nil
}

// extend computes one position of sequence i behind what its pages hold.
func (in *Instance) extend(b *engine.Batch, i int, r row, position int) (row, error) {
	var err error
	for g := range in.limits.Groups {
		if r, err = in.span(b, i, g).see(r, position); err != nil {
			return r, err
		}
	}
	for g := range in.limits.Groups {
		in.span(b, i, g).leave(r, position)
	}
	return r, nil
}
