package scheduler

import (
	"slices"

	"chimera/engine"
)

// This file owns a sequence's page tables, one in each group: what they hold and when they let go.
//
// When a page may be given away: when no position that is still to be planned sees it. Steps that are under way may
// still read it, and the position that it ends with may not be computed yet; but whoever is given the page writes it in a
// step that is planned later, and a backend runs steps in the order of their submission. A step that gives way is
// planned again from where it began, which is why pages go when the next step is planned, and not with its own.

// group is what the loop knows of a group of the program: its sizes, and its pages' ids.
type group struct {
	engine.GroupLimits
	pool  *pagePool
	most  int  // pages that one sequence holds at most
	keyed bool // what its pages hold is shared
}

// newGroups makes the pools. longest is what a sequence may have for all of it to fit.
//
// A state is no page: what a recurrent group held at the end of a prefix is not kept, so programs with slots share none.
func newGroups(l engine.Limits, stepTokens int, h *heat) (groups []group, longest int, err error) {
	longest = l.MaxContext
	recurrent := slices.ContainsFunc(l.Groups, func(g engine.GroupLimits) bool { return g.Slots })
	for _, g := range l.Groups {
		most := g.PagesFor(l.MaxContext, stepTokens)
		switch {
		case !g.Slots && g.Mask != engine.Causal && g.Mask != engine.Window:
			return nil, 0, &engine.UnsupportedError{What: "group " + g.Name, Reason: "only decoders can be scheduled: causal masks, windows and recurrent state"}
		case g.Slots && g.Pages < most:
			return nil, 0, &engine.BatchError{Field: "pages", Reason: "group " + g.Name + " has not the slots of one sequence"}
		case g.Pages < most:
			most, longest = g.Pages, min(longest, g.Pages*engine.PageTokens)
		}
		groups = append(groups, group{g, newPagePool(g.Pages, g.Mask == engine.Causal, h), most, !recurrent})
	}
	return groups, longest, nil
}

// wholeGroup is the group that has the whole of a prefix, or the first where all have a window.
func wholeGroup(groups []group) int {
	return max(0, slices.IndexFunc(groups, func(g group) bool { return g.pool.chained }))
}

// table is a sequence's pages in one group. Of slots it has two: the one that was written last, and the one that the
// next step writes.
type table struct {
	pages     engine.PageIDs
	base      int // the page of the sequence that pages[0] is: those before were let go, or never held
	published int // full pages that the index knows, those that were let go among them
}

// end is the page behind the last.
func (t *table) end() int { return t.base + t.pages.Len() }

// before is the page that the sequence's page i follows, or none: there is none, or it was let go.
func (t *table) before(i int) int32 {
	if i <= t.base {
		return none
	}
	return t.pages.At(i - 1 - t.base)
}

// pagesTo is how many pages hold so many positions.
func pagesTo(positions int) int { return (positions + engine.PageTokens - 1) / engine.PageTokens }

// firstPage is the first page of which a position sees anything.
func (g *group) firstPage(position int) int { return g.FirstSeen(position) / engine.PageTokens }

// slide lets go what no position from planned on sees.
func (g *group) slide(t *table, planned int) {
	for !g.Slots && t.base < g.firstPage(planned) {
		g.pool.release(t.pages.At(0))
		t.pages.DropFirst()
		t.base++
	}
}

// extend takes pages for the sequence's tokens, as many as it may hold: at least those of the next step. The full ones are
// announced, so that followers wait instead of computing them again. It returns false if the pool ran out.
func (g *group) extend(t *table, seq *Sequence) bool {
	for t.end() < g.reach(t, len(seq.tokens)) {
		id, ok := g.pool.take(seq)
		if !ok {
			return false
		}
		if g.keyed && (t.end()+1)*engine.PageTokens <= seq.known() {
			c := seq.content((t.end() + 1) * engine.PageTokens)
			g.pool.announce(id, t.before(t.end()), &c)
		}
		t.pages.Append(id)
	}
	return true
}

// reach is the page before which a sequence of so many tokens holds all from the table's base on.
func (g *group) reach(t *table, tokens int) int {
	if g.Slots {
		return g.most
	}
	return min(pagesTo(tokens), t.base+g.most)
}

// need is how many pages the sequence takes beside those of a prefix, the one that its next token may open among them.
func (g *group) need(tokens, prefix int) int {
	if g.Slots {
		return g.most
	}
	first := g.firstPage(prefix * engine.PageTokens)
	return min(tokens/engine.PageTokens+1-first, g.most) - (prefix - first)
}

// publish makes the pages ready that computed positions fill, up to one that another is computing too. What was let go
// meanwhile is another's.
func (g *group) publish(t *table, seq *Sequence) {
	for full := seq.computed / engine.PageTokens; g.keyed && t.published < full; t.published++ {
		i := t.published
		if c := seq.content((i + 1) * engine.PageTokens); i >= t.base && !g.pool.publish(t.pages.At(i-t.base), t.before(i), &c) {
			return
		}
	}
}

// letGo returns all pages, the last first: what follows a page is nobody's when that is. What is computed of one that is not full is
// ready then.
func (g *group) letGo(t *table, seq *Sequence) {
	tail, ok := g.tailOf(t, seq)
	for i := t.pages.Len() - 1; i >= 0; i-- {
		if ok && t.base+i == tail {
			c := seq.content(seq.computed)
			g.pool.publish(t.pages.At(i), t.before(tail), &c)
		}
		g.pool.release(t.pages.At(i))
	}
	*t = table{}
}

// of is what a step that begins at position is told.
func (g *group) of(t *table, position int) engine.PageTable {
	if g.Slots && position == 0 {
		return engine.PageTable{Pages: []int32{engine.NoSlot, t.pages.At(1)}}
	}
	return t.pages.Table(t.base)
}

// swap says that the slot which was to be written holds the state now, or, once more, that it does not.
func (g *group) swap(t *table) {
	if g.Slots {
		t.pages.Swap(0, 1)
	}
}

// ---- the same in all groups ----

// advance lets go what the sequence, which is not in the planned step, sees no more, and takes what its next chunk needs.
// False: a pool ran out.
func (s *Lane) advance(seq *Sequence) bool {
	whole := true
	for g := range s.groups {
		s.groups[g].slide(&seq.tables[g], seq.planned)
		whole = s.groups[g].extend(&seq.tables[g], seq) && whole
	}
	return whole
}

// advanceRest advances those that are not in the step, the oldest first. Where one is short of pages nobody new finds any.
func (s *Lane) advanceRest() {
	for _, seq := range s.running {
		if !s.isPlanned(seq) {
			s.advance(seq)
		}
	}
}

// tables are what a step is told of the sequence. They are good until the next call.
func (s *Lane) tables(seq *Sequence) []engine.PageTable {
	for g := range s.groups {
		s.told[g] = s.groups[g].of(&seq.tables[g], seq.planned)
	}
	return s.told
}

// moveOn notes that the planned step computes n more positions, or, of a step that gave way, that it did not.
func (s *Lane) moveOn(seq *Sequence, n int) {
	seq.planned += n
	for g := range s.groups {
		s.groups[g].swap(&seq.tables[g])
	}
}

// letGo returns the sequence's pages and slots.
func (s *Lane) letGo(seq *Sequence) {
	for g := range seq.tables {
		s.groups[g].publish(&seq.tables[g], seq) // what another computed too may be ready meanwhile
	}
	if seq.pin != nil {
		s.hold(seq)
	}
	seq.payBack(&s.policy.rules)
	for g := range seq.tables {
		s.groups[g].letGo(&seq.tables[g], seq)
	}
	seq.leave()
}
