package scheduler

// This file owns the page pool of a group: ids, states and reference counts, never memory.
//
// A page is empty; computing, by the sequence that took it; or ready, when the index (index.go) has it for its content. Only
// ready pages are shared; what others have of one beside is a copy (tails.go). One that is ready and that nobody uses is cached: it is given away when room is needed, the coldest
// leaf of the index first (hotness.go).

// pageState is what a page holds.
type pageState uint8

const (
	empty     pageState = iota
	computing           // its owner writes it
	ready               // the index has it for its content
)

type page struct {
	state      pageState
	references int32     // tables and pins that hold it
	node       int32     // the index's node of its content, or none. A computing page has one if it was announced
	next       int32     // of a node's copies, the one behind it, or none
	owner      *Sequence // who computes it
	counted    bool      // the owner found its beginning, which was a use already
}

// isUse tells whether what the page holds was asked for by somebody, which is counted once.
func (pg *page) isUse() bool { return pg.owner.isUse() && !pg.counted }

// none is no page and no node.
const none = -1

// pagePool owns the ids 0 .. len(pages)-1.
type pagePool struct {
	index
	pages     []page
	free      []int32
	cached    int // ready pages without references
	evictions uint64
}

// newPagePool makes a pool of n pages. In a chained one what follows a page is of use only with it, as where a position sees all before it; in a
// window each page is for itself.
func newPagePool(n int, chained bool, h *heat) *pagePool {
	p := &pagePool{pages: make([]page, n), index: newIndex(n, chained, h)}
	for i := n - 1; i >= 0; i-- {
		p.pages[i] = page{node: none, next: none}
		p.free = append(p.free, int32(i))
	}
	return p
}

// available is how many pages take can still give: of what is cached something is a leaf always, since who uses a page
// uses all that it follows.
func (p *pagePool) available() int { return len(p.free) + p.cached }

// used counts pages with references: cached prefixes are not counted.
func (p *pagePool) used() int { return len(p.pages) - p.available() }

// take gives a page to the sequence that will compute it: an empty one, or the coldest cached leaf.
func (p *pagePool) take(owner *Sequence) (int32, bool) {
	if len(p.free) == 0 {
		if len(p.leaves) == 0 {
			return none, false
		}
		p.evict(p.leaves[0])
		p.evictions++
	}
	last := len(p.free) - 1
	id := p.free[last]
	p.free = p.free[:last]
	p.pages[id] = page{state: computing, references: 1, node: none, next: none, owner: owner}
	return id, true
}

// evict empties the page of a node that nobody uses.
func (p *pagePool) evict(n int32) {
	id := p.nodes[n].page
	p.cached--
	p.cool(n)
	p.remove(n)
	p.clear(id)
}

func (p *pagePool) clear(id int32) {
	p.pages[id] = page{node: none, next: none}
	p.free = append(p.free, id)
}

// share adds a reference to a ready page.
func (p *pagePool) share(id int32) {
	if p.pages[id].references == 0 {
		p.cached--
		p.cool(p.pages[id].node)
	}
	p.pages[id].references++
}

// cool takes the node off the leaves that may be evicted, if it is one.
func (p *pagePool) cool(n int32) {
	if p.nodes[n].place != none {
		p.leaves.remove(p.nodes, int(p.nodes[n].place))
	}
}

// offer makes the node one of the leaves that may be evicted, if it is: nothing follows it, and nobody uses it.
func (p *pagePool) offer(n int32) {
	if n != none && p.nodes[n].children == 0 && p.pages[p.nodes[n].page].references == 0 {
		p.leaves.add(p.nodes, n)
	}
}

// announce says that id's owner will compute the content, or of a tail that it goes on writing behind it. It follows that of the page
// before (or none). If another page has it, or what it follows is not the index's, nothing changes: the index hears of id when it is ready.
func (p *pagePool) announce(id, before int32, c *content) {
	parent, ok := p.parent(before)
	if _, taken := p.find(c.key); taken || !ok {
		return
	}
	p.pages[id].node = p.insert(c, parent, id, p.pages[id].isUse())
}

// parent is the node that one behind the page before has as its parent. False: that page is not in the index.
func (p *pagePool) parent(before int32) (n int32, ok bool) {
	if !p.chained || before == none {
		return none, true
	}
	n = p.pages[before].node
	return n, n != none
}

// publish says that id's content is complete, and tells whether the index has id now: beside a page in use that has the same
// content, as its copy; in place of a cached one, or what follows id could outlive what it follows. It has not while another
// computes the same: ask again.
func (p *pagePool) publish(id, before int32, c *content) bool {
	pg := &p.pages[id]
	if pg.node != none && p.nodes[pg.node].key != c.key { // it was known by what its owner has written on behind
		p.remove(pg.node)
		pg.node = none
	}
	if pg.node == none && !p.enter(id, before, c) { // it was not announced
		return false
	}
	pg.state, pg.owner = ready, nil
	return true
}

// enter gives a page of that content its node, if it can have one now.
func (p *pagePool) enter(id, before int32, c *content) bool {
	n, taken := p.find(c.key)
	if taken {
		if p.pages[p.nodes[n].page].state == computing {
			return false
		}
		p.meet(n, id)
		return true
	}
	parent, ok := p.parent(before)
	if ok {
		p.pages[id].node = p.insert(c, parent, id, p.pages[id].isUse())
	}
	return ok
}

// meet gives the node a second page of the same content.
func (p *pagePool) meet(n, id int32) {
	pg, nd := &p.pages[id], &p.nodes[n]
	pg.node = n
	if other := nd.page; p.pages[other].references > 0 {
		pg.next, nd.copies = nd.copies, id
	} else {
		p.cached--
		p.cool(n)
		p.clear(other)
		nd.page = id
	}
	if pg.isUse() {
		p.use(n)
	}
}

// release takes a reference back. The last one caches the page if the index has it and no copy of it is in use, else empties
// it: of a sequence that goes nobody waits for what it did not complete.
func (p *pagePool) release(id int32) {
	pg := &p.pages[id]
	if pg.references--; pg.references > 0 {
		return
	}
	n := pg.node
	switch {
	case n == none:
		p.clear(id)
	case p.nodes[n].page != id:
		p.unlink(n, id)
		p.clear(id)
	case pg.state == computing:
		p.remove(n)
		p.clear(id)
	case p.nodes[n].copies != none:
		p.nodes[n].page, p.nodes[n].copies = p.nodes[n].copies, p.pages[p.nodes[n].copies].next
		p.clear(id)
	default:
		p.cache(n)
	}
}

// cache keeps what nobody uses any more, unless the pool is full of what is hotter.
func (p *pagePool) cache(n int32) {
	p.cached++
	displaces := len(p.free) == 0 && len(p.leaves) > 0 && p.nodes[n].children == 0 && p.nodes[n].colder(&p.nodes[p.leaves[0]])
	if p.offer(n); displaces {
		p.evict(n)
	}
}

// unlink takes a copy off its node's list.
func (p *pagePool) unlink(n, id int32) {
	at := &p.nodes[n].copies
	for *at != id {
		at = &p.pages[*at].next
	}
	*at = p.pages[id].next
}
