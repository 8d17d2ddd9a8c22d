package scheduler

import (
	"fmt"
	"slices"

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
	return s.checkCounts()
}

// checkGuests wants of each tenant what a look at all sequences tells.
func (s *Lane) checkGuests() error {
	want := map[*tenant]guest{}
	for _, seq := range slices.Concat(s.waiting, s.running) {
		g := want[seq.tenant]
		g.tenant = seq.tenant
		g.sequences[seq.request.Class]++
		if seq.runs() {
			g.places[seq.request.Class]++
		}
		want[seq.tenant] = g
	}
	for _, g := range s.guests {
		if *g != want[g.tenant] {
			return fmt.Errorf("tenant %q is counted as %+v, there are %+v", g.tenant.name, *g, want[g.tenant])
		}
	}
	if len(s.guests) != len(want) {
		return fmt.Errorf("%d tenants are counted, there are %d", len(s.guests), len(want))
	}
	return nil
}

// checkCounts wants of the step being planned what its batch would tell.
func (s *Lane) checkCounts() error {
	if s.next == nil {
		return nil
	}
	var rows [classes]int
	for i := range s.next.chunks {
		rows[s.next.chunks[i].seq.request.Class] += s.next.chunks[i].tokens
	}
	if shape := ShapeOf(s.next.batch); shape != s.next.shape || rows != s.next.rows {
		return fmt.Errorf("the step is %+v with rows %v, counted as %+v with %v", shape, rows, s.next.shape, s.next.rows)
	}
	return nil
}

// checkShadows wants in order what the lane compares its own pages with.
func (s *Lane) checkShadows() error {
	if s.cache.shadows != nil {
		for i := range s.cache.shadows {
			pool := s.cache.shadows[i].pool
			of := group{GroupLimits: engine.GroupLimits{Name: "shadow"}, pool: pool, keyed: true}
			if err := of.checkPool(make([]int, len(pool.pages))); err != nil {
				return fmt.Errorf("shadow %d: %w", i, err)
			}
		}
	}
	return nil
}

// users counts in how many tables each page is.
func (s *Lane) users(g int) []int {
	users := make([]int, len(s.groups[g].pool.pages))
	for _, seq := range s.running {
		for _, id := range seq.tables[g].pages.Table(0).Pages {
			users[id]++
		}
	}
	for _, p := range s.cache.pins {
		if p.pages != nil {
			for _, id := range p.pages[g] {
				users[id]++
			}
		}
	}
	return users
}

// checkTable wants the pages of all positions that are planned and seen, and no more than the sequence may hold.
func (g *group) checkTable(t *table, seq *Sequence) error {
	switch {
	case t.pages.Len() > g.most:
		return fmt.Errorf("%d pages held, %d at most", t.pages.Len(), g.most)
	case g.Slots && t.pages.Len() != 2:
		return fmt.Errorf("%d slots", t.pages.Len())
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
	p, cached, free := g.pool, 0, map[int32]bool{}
	for _, id := range p.free {
		free[id] = true
	}
	for id := range p.pages {
		pg := &p.pages[id]
		idle := pg.references == 0
		switch {
		case int(pg.references) != users[id]:
			return fmt.Errorf("page %d: %d references, %d users", id, pg.references, users[id])
		case free[int32(id)] != (pg.state == empty) || free[int32(id)] != (idle && pg.state != ready):
			return fmt.Errorf("page %d: in state %d with %d references, and free is %v", id, pg.state, pg.references, free[int32(id)])
		case (pg.owner != nil) != (pg.state == computing):
			return fmt.Errorf("page %d: in state %d with an owner, or without one", id, pg.state)
		case pg.references > 1 && pg.state != ready:
			return fmt.Errorf("page %d: shared and not ready", id)
		case pg.node == none && pg.state == ready, pg.node != none && (!g.keyed || pg.state == empty):
			return fmt.Errorf("page %d: in state %d and the index does not know it, or should not", id, pg.state)
		}
		if idle && pg.state == ready {
			cached++
		}
	}
	if cached != p.cached || len(free) != len(p.free) {
		return fmt.Errorf("%d pages are cached, counted as %d; the free list has %d entries for %d pages", cached, p.cached, len(p.free), len(free))
	}
	return p.checkIndex()
}

// checkIndex wants a tree in which ready pages come before others, used ones before idle ones, and of which the idle leaves
// alone may be evicted, the coldest first.
func (p *pagePool) checkIndex() error {
	children, copies := make([]int32, len(p.nodes)), 0
	for k, n := range p.byKey {
		nd := &p.nodes[n]
		pg := &p.pages[nd.page]
		if nd.key != k || pg.node != n {
			return fmt.Errorf("node %d: its key or its page is another's", n)
		}
		if nd.uses == 0 {
			return fmt.Errorf("node %d was never used", n)
		}
		if err := p.checkContent(n); err != nil {
			return err
		}
		if nd.parent != none {
			children[nd.parent]++
			above := &p.pages[p.nodes[nd.parent].page]
			switch {
			case !p.chained || p.nodes[nd.parent].position != nd.position-1:
				return fmt.Errorf("node %d has a parent that is not before it", n)
			case pg.state == ready && above.state != ready:
				return fmt.Errorf("node %d is ready, and what it follows is not", n)
			case pg.references > 0 && above.references == 0:
				return fmt.Errorf("node %d is used, and nobody uses what it follows", n)
			}
		} else if p.chained && nd.position > 0 {
			return fmt.Errorf("node %d is at place %d of its prefix and follows nothing", n, nd.position)
		}
		for id := nd.copies; id != none; id = p.pages[id].next {
			if copies++; p.pages[id].node != n || p.pages[id].state != ready || p.pages[id].references == 0 || pg.references == 0 {
				return fmt.Errorf("node %d: page %d is no copy in use beside another", n, id)
			}
		}
	}
	return p.checkLeaves(children, copies)
}

// testSalts are those of requests in tests that go on from a pin, and that of all others.
var testSalts = []string{"", "alice", "bob"}

// checkContent wants a node to say what its key names, to be found among its family once, and to hold what a tail says it does.
func (p *pagePool) checkContent(n int32) error {
	nd := &p.nodes[n]
	pg, found := &p.pages[nd.page], 0
	for at := *p.families.of(&nd.before, nd.tokens[0]); at != none; at = p.nodes[at].siblings.older {
		if at == n {
			found++
		}
	}
	switch {
	case nd.filled < 1 || nd.filled > engine.PageTokens || nd.key != keyOf(nd.before, nd.tokens[:nd.filled]):
		return fmt.Errorf("node %d: its key is not that of its %d tokens", n, nd.filled)
	case nd.parent != none && !slices.ContainsFunc(testSalts, func(salt string) bool { return nd.before == p.nodes[nd.parent].key.of(salt) }):
		return fmt.Errorf("node %d follows another prefix than its parent's", n)
	case found != 1:
		return fmt.Errorf("node %d is %d times in its family", n, found)
	case nd.isTail() && nd.children > 0:
		return fmt.Errorf("node %d is a tail, and something follows it", n)
	case nd.isTail() && pg.state == computing && pg.owner.computed < int(nd.position*engine.PageTokens+nd.filled):
		return fmt.Errorf("node %d: its owner has computed %d tokens", n, pg.owner.computed)
	}
	return nil
}

func (p *pagePool) checkLeaves(children []int32, copies int) error {
	leaves, indexed := 0, 0
	for k, n := range p.byKey {
		nd := &p.nodes[n]
		leaf := children[n] == 0 && p.pages[nd.page].references == 0
		if nd.children != children[n] || leaf != (nd.place != none) || leaf && p.leaves[nd.place] != n {
			return fmt.Errorf("node %d (%x) has %d children, counted as %d, and place %d among the leaves", n, k[:4], children[n], nd.children, nd.place)
		}
		if leaf {
			leaves++
		}
	}
	for i := range p.leaves {
		if parent := (i - 1) / 2; i > 0 && p.nodes[p.leaves[i]].colder(&p.nodes[p.leaves[parent]]) {
			return fmt.Errorf("leaf %d is colder than the one above it", i)
		}
	}
	for _, pg := range p.pages {
		if pg.node != none {
			indexed++
		}
	}
	if leaves != len(p.leaves) || indexed != len(p.byKey)+copies || len(p.byKey)+len(p.spare) != len(p.nodes) {
		return fmt.Errorf("%d leaves, %d in the heap; %d pages of %d nodes and %d copies; %d spare nodes", leaves, len(p.leaves), indexed, len(p.byKey), copies, len(p.spare))
	}
	return nil
}
