package scheduler

import "chimera/engine"

// This file owns prefixes: how much of a sequence is in pages already, or is being computed by another.

// prefix is how many pages of the sequence can be shared: the most of which every group has ready what the position behind
// them sees. The last token is always computed, since its logits are wanted; where the prompt is scored, every one is.
// follow says that another sequence is computing what would make it more.
func (s *Lane) prefix(seq *Sequence) (pages int, follow bool) {
	usable := len(seq.tokens) - 1
	if seq.request.ScorePrompt {
		usable = min(usable, seq.scored)
	}
	coming := 0
	ready, known := make(runs, len(s.groups)), make(runs, len(s.groups))
	for i := 0; (i+1)*engine.PageTokens <= usable; i++ {
		for g := range s.groups {
			_, isReady, isKnown := s.groups[g].pool.find(seq.key(i))
			ready.count(g, isReady)
			known.count(g, isKnown)
			if !isKnown && s.groups[g].firstPage(usable) <= i { // whatever is behind it sees it
				return pages, coming > pages
			}
		}
		if s.suffices(ready, i+1) {
			pages = i + 1
		}
		if s.suffices(known, i+1) {
			coming = i + 1
		}
	}
	return pages, coming > pages
}

// runs is, for each group, how many pages in a row up to the present one are there.
type runs []int

func (r runs) count(group int, there bool) {
	if r[group]++; !there {
		r[group] = 0
	}
}

// suffices tells whether the position behind so many pages would find in each group what it sees.
func (s *Lane) suffices(r runs, pages int) bool {
	for g := range s.groups {
		if r[g] < pages-s.groups[g].firstPage(pages*engine.PageTokens) {
			return false
		}
	}
	return true
}

// fits tells whether all groups have the pages that the sequence takes beside a prefix of so many.
func (s *Lane) fits(seq *Sequence, prefix int) bool {
	for g := range s.groups {
		pool, cached := s.groups[g].pool, 0
		for i := s.groups[g].firstPage(prefix * engine.PageTokens); i < prefix; i++ {
			if id, _, _ := pool.find(seq.key(i)); pool.pages[id].references == 0 { // sharing it takes it from what is available
				cached++
			}
		}
		if s.groups[g].need(len(seq.tokens), prefix) > pool.available()-cached {
			return false
		}
	}
	return true
}

// take gives the sequence what its first position behind the prefix sees of it, and new pages for its tokens.
func (s *Lane) take(seq *Sequence, prefix int) {
	seq.tables = make([]table, len(s.groups))
	for g := range s.groups {
		pool, t := s.groups[g].pool, &seq.tables[g]
		t.base, t.published = s.groups[g].firstPage(prefix*engine.PageTokens), prefix
		for i := t.base; i < prefix; i++ {
			id, _, _ := pool.find(seq.key(i))
			pool.share(id)
			t.pages = append(t.pages, id)
		}
	}
	seq.computed = prefix * engine.PageTokens
	seq.planned = seq.computed
	if seq.generated == 0 {
		seq.cached.Store(int32(seq.computed))
	}
	s.stats.PrefixTokens += uint64(seq.computed)
	s.advance(seq) // fits has counted them
}
