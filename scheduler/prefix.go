package scheduler

import (
	"sort"

	"chimera/engine"
)

// This file owns prefixes: how much of a sequence is in pages already, or is being computed by another, and by whom.

// following is whom a waiting sequence waits for. It spares it looking for its prefix at each step.
type following struct {
	owner    *Sequence
	releases int // the owner's when it was found: with its pages it gives up what it was to compute
	pages    int // of the prefix, up to the last that the owner computes
}

// owner is whom the sequence, which waits, was found to wait for when its prefix was last looked for, as long as that one is
// computing the shared part; or nil. What delays the owner delays the sequence.
func (s *Lane) owner(seq *Sequence) *Sequence {
	f := &seq.follows
	if f.owner != nil && (f.owner.releases != f.releases || f.owner.computed >= f.pages*engine.PageTokens) {
		*f = following{}
	}
	return f.owner
}

// prefix is how many pages of the sequence can be shared: the most of which every group has ready what the position behind
// them sees; what is found behind these is copied (tails.go). The last token is always computed, since its logits are wanted; where the prompt is scored, every one is.
// follow says that another sequence is computing what would make it more. When that one goes, whoever looks first computes the rest,
// and others follow him.
func (s *Lane) prefix(seq *Sequence) (pages int, follow bool) {
	if s.owner(seq) != nil {
		return 0, true
	}
	most := seq.usable() / engine.PageTokens
	seq.found = s.sharable(seq, most, seq.found, ready)
	coming := s.sharable(seq, most, seq.found, computing)
	if coming > seq.found {
		owner := s.ownerOf(seq, coming)
		seq.follows = following{owner, owner.releases, coming}
		seq.lend(owner, coming, &s.policy)
	}
	return seq.found, coming > seq.found
}

// usable is how many tokens of the sequence need not be computed, if others have.
func (s *Sequence) usable() int {
	n := len(s.tokens) - 1
	if s.request.ScorePrompt {
		n = min(n, s.scored)
	}
	if s.request.Pool {
		n = min(n, s.pooled.next)
	}
	return n
}

// sharable is how many pages, at most so many, every group has in that state or a later one of what the position behind them sees.
// It is looked for near hint.
func (s *Lane) sharable(seq *Sequence, most, hint int, least pageState) int {
	for g := range s.groups {
		switch group := &s.groups[g]; {
		case !group.keyed:
			return 0
		case group.pool.chained:
			most = group.pool.run(seq, most, hint, least)
		}
	}
	for {
		missing := s.missing(seq, most, least)
		if missing == none {
			return most
		}
		most = missing // whoever sees so far sees that page too
	}
}

// missing is the last page that the position behind so many sees in a window and does not find, or none.
func (s *Lane) missing(seq *Sequence, pages int, least pageState) (last int) {
	last = none
	for g := range s.groups {
		group := &s.groups[g]
		for i := pages - 1; !group.pool.chained && i >= max(group.firstPage(pages*engine.PageTokens), last+1); i-- {
			if group.pool.stateOf(seq.key(i)) < least {
				last = i
			}
		}
	}
	return last
}

// stateOf is the state of the page with that content.
func (p *pagePool) stateOf(k pageKey) pageState {
	n, ok := p.find(k)
	if !ok {
		return empty
	}
	return p.pages[p.nodes[n].page].state
}

// run is how many pages from the first on, at most so many, are in that state or a later one: in a chained pool none is behind
// one that is not. The end is searched in steps that double, from hint on.
func (p *pagePool) run(seq *Sequence, most, hint int, least pageState) int {
	has := func(pages int) bool { return p.stateOf(seq.key(pages-1)) >= least }
	low, high := 0, most+1 // so many are there, and so many are not
	for at, step := min(max(hint, 1), most), 1; low < at && at < high; step *= 2 {
		if has(at) {
			low, at = at, min(at+step, most)
		} else {
			high, at = at, max(at-step, 0)
		}
	}
	return low + sort.Search(high-low-1, func(i int) bool { return !has(low + i + 1) })
}

// ownerOf is who computes the first page, of those that the position behind so many sees, which is not ready.
func (s *Lane) ownerOf(seq *Sequence, pages int) *Sequence {
	for g := range s.groups {
		group := &s.groups[g]
		i := group.firstPage(pages * engine.PageTokens)
		if group.pool.chained {
			i = group.pool.run(seq, pages, seq.found, ready)
		}
		for ; i < pages; i++ {
			n, _ := group.pool.find(seq.key(i))
			if pg := &group.pool.pages[group.pool.nodes[n].page]; pg.state == computing {
				return pg.owner
			}
		}
	}
	return nil // never: then they were all ready
}

// pageOf is the page with the content of the sequence's page i, which is there.
func (p *pagePool) pageOf(seq *Sequence, i int) int32 { return p.nodes[p.byKey[seq.key(i)]].page }

// fits tells whether all groups have the pages that the sequence takes beside a prefix of so many. Sharing what is cached takes it from what
// is available.
func (s *Lane) fits(seq *Sequence, prefix int) bool {
	for g := range s.groups {
		pool := s.groups[g].pool
		idle := func(i int) bool { return pool.pages[pool.pageOf(seq, i)].references == 0 }
		cached, first := 0, s.groups[g].firstPage(prefix*engine.PageTokens)
		if pool.chained {
			cached = prefix - sort.Search(prefix, idle) // in a chain nobody uses what is behind an idle page
		}
		for i := first; !pool.chained && i < prefix; i++ {
			if idle(i) {
				cached++
			}
		}
		if s.groups[g].need(s.wanted(seq), prefix) > pool.available()-cached-s.reserve(g) {
			return false
		}
	}
	return true
}

// take gives the sequence what its first position behind the prefix sees of it, a copy of the tail behind it, and new pages for its tokens.
func (s *Lane) take(seq *Sequence, prefix int) {
	seq.tables = make([]table, len(s.groups))
	tail := s.tail(seq, prefix)
	for g := range s.groups {
		pool, t := s.groups[g].pool, &seq.tables[g]
		t.base, t.published = s.groups[g].firstPage(prefix*engine.PageTokens), prefix
		t.pages.Grow(s.groups[g].reach(t, len(seq.tokens)+min(seq.request.MaxTokens-seq.generated, answerRoom)) - t.base)
		for i := t.base; i < prefix; i++ {
			id := pool.pageOf(seq, i)
			pool.share(id)
			t.pages.Append(id)
			if seq.isUse() {
				pool.saves(pool.pages[id].node, engine.PageTokens)
			}
		}
		if tail > 0 {
			pool.found(s.tails[g], tail, seq.isUse())
		}
	}
	seq.computed = prefix*engine.PageTokens + tail
	seq.planned = seq.computed
	if seq.generated == 0 {
		seq.cached.Store(int32(seq.computed))
	}
	s.stats.PrefixTokens += uint64(seq.computed)
	s.lookUp(seq)
	s.advance(seq) // fits has counted them
	if tail > 0 {
		s.copyTail(seq, prefix)
	}
}
