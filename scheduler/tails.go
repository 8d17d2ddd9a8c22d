package scheduler

import (
	"fmt"

	"chimera/engine"
)

// This file owns tails: what a page holds before it is full, or before another prompt goes on otherwise. A page that somebody writes can't
// be shared, so who finds the beginning of one has it copied into a page of his own, and goes on there.
//
// So a prompt that was computed before is computed from its last token on. A tail is known from when its prompt is computed, and after
// its sequence's end; nobody waits for one: a step is longer than its rows take.

// pageCopy is a copy that the next step stands on.
type pageCopy struct {
	group engine.GroupID
	pages [1]engine.PageCopy
}

// tail is how many tokens behind a prefix of so many pages all groups have in a page; s.tails says in which.
func (s *Lane) tail(seq *Sequence, prefix int) int {
	from := prefix * engine.PageTokens
	to := min(seq.usable(), from+engine.PageTokens)
	for g := range s.groups {
		if to <= from || !s.groups[g].keyed {
			return 0
		}
		before := seq.keyBefore(prefix)
		n, found := s.groups[g].pool.longest(&before, seq.tokens[from:to])
		if to = from + found; found > 0 {
			s.tails[g] = s.groups[g].pool.nodes[n].page
		}
	}
	return max(0, to-from)
}

// found counts the use of a page of which the sequence goes on behind so many tokens. If nobody uses it, and that is all it has, it is the
// next that is given away, to the sequence: as a conversation goes on, the ends of its turns take no pages.
func (p *pagePool) found(id int32, tokens int, use bool) {
	n := p.pages[id].node
	if use {
		p.saves(n, tokens)
	}
	if nd := &p.nodes[n]; nd.isTail() && p.pages[id].references == 0 && tokens == int(nd.filled) {
		p.evict(n)
	}
}

// copyTail has the tail copied that was found behind the prefix. The pages may be given to others meanwhile, the sequence
// itself among them: nobody writes them before the copy.
func (s *Lane) copyTail(seq *Sequence, prefix int) {
	for g, from := range s.tails {
		t := &seq.tables[g]
		to := t.pages.At(prefix - t.base)
		if s.groups[g].pool.pages[to].counted = seq.isUse(); from != to {
			s.copies = append(s.copies, pageCopy{engine.GroupID(g + 1), [1]engine.PageCopy{{From: from, To: to}}})
		}
	}
}

// copyPages copies what the step to be submitted stands on, one after the other: a page may be copied to that another was copied from.
func (s *Lane) copyPages() error {
	for i := range s.copies {
		c := &s.copies[i]
		if err := s.instance.CopyPages(c.group, c.pages[:]); err != nil {
			return fmt.Errorf("page not copied: %w", err)
		}
	}
	s.stats.CopiedPages += uint64(len(s.copies))
	s.copies = s.copies[:0]
	return nil
}

// announceTail lets others know of the page in which the sequence's prompt ends.
func (g *group) announceTail(t *table, seq *Sequence) {
	if i, ok := g.tailOf(t, seq); ok {
		c := seq.content(seq.computed)
		g.pool.announce(t.pages.At(i-t.base), t.before(i), &c)
	}
}

// tailOf is the page that the sequence has computed a part of, if there is one.
func (g *group) tailOf(t *table, seq *Sequence) (i int, ok bool) {
	i = seq.computed / engine.PageTokens
	return i, g.keyed && seq.computed%engine.PageTokens > 0 && i >= t.base
}
