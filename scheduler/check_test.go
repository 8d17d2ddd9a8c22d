package scheduler

import (
	"fmt"

	"chimera/engine"
)

// This file owns the invariants of pools and tables. Only the loop may check them, or whoever knows that it has ended.

func (s *Lane) check() error {
	for g := range s.groups {
		group := &s.groups[g]
		for _, seq := range s.running {
			if err := group.checkTable(&seq.tables[g], seq); err != nil {
				return fmt.Errorf("%s: %w", group.Name, err)
			}
		}
		if err := group.checkPool(s.users(g)); err != nil {
			return fmt.Errorf("%s: %w", group.Name, err)
		}
	}
	for _, seq := range s.waiting {
		if seq.tables != nil || seq.planned != 0 || len(seq.tokens) != seq.known() {
			return fmt.Errorf("one that waits holds %d tables, %d positions, %d tokens of %d", len(seq.tables), seq.planned, len(seq.tokens), seq.known())
		}
	}
	return nil
}

// users counts in how many tables each page is.
func (s *Lane) users(g int) []int {
	users := make([]int, len(s.groups[g].pool.pages))
	for _, seq := range s.running {
		for _, id := range seq.tables[g].pages {
			users[id]++
		}
	}
	return users
}

// checkTable wants the pages of all positions that are planned and seen, and no more than the sequence may hold.
func (g *group) checkTable(t *table, seq *Sequence) error {
	switch {
	case len(t.pages) > g.most:
		return fmt.Errorf("%d pages held, %d at most", len(t.pages), g.most)
	case g.Slots && len(t.pages) != 2:
		return fmt.Errorf("%d slots", len(t.pages))
	case g.Slots:
		return nil
	case t.base > g.firstPage(seq.planned):
		return fmt.Errorf("page %d is seen from position %d, and was let go", t.base-1, seq.planned)
	case t.end()*engine.PageTokens < seq.planned:
		return fmt.Errorf("%d pages for %d positions", t.end(), seq.planned)
	}
	return nil
}

// checkPool wants each page in one state, which counts, lists and index agree about.
func (g *group) checkPool(users []int) error {
	p, keyed, free := g.pool, 0, map[int32]bool{}
	for _, id := range p.free {
		free[id] = true
	}
	for id, pg := range p.pages {
		switch {
		case pg.references != users[id]:
			return fmt.Errorf("page %d: %d references, %d users", id, pg.references, users[id])
		case (pg.cached != nil) != (pg.references == 0 && pg.ready):
			return fmt.Errorf("page %d: cached without being unused and ready, or the reverse", id)
		case free[int32(id)] != (pg.references == 0 && !pg.ready):
			return fmt.Errorf("page %d: free without being unused and not ready, or the reverse", id)
		case pg.references > 1 && !pg.ready:
			return fmt.Errorf("page %d: shared and not ready", id)
		case pg.keyed && (!g.keyed || p.index[pg.key] != int32(id)):
			return fmt.Errorf("page %d: the index does not know it, or should not", id)
		}
		if pg.keyed {
			keyed++
		}
	}
	if keyed != len(p.index) || len(free) != len(p.free) {
		return fmt.Errorf("the index has %d entries for %d keyed pages, the free list %d for %d pages", len(p.index), keyed, len(p.free), len(free))
	}
	return nil
}
