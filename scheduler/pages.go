package scheduler

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"

	"chimera/engine"
)

// This file owns the page pool of a group: ids, reference counts and prefix keys, never memory.

// pageKey names the content of a full page: the weights, and all tokens up to its end. It is a cut SHA-256, so that
// nobody can make two prompts share a page by searching for a collision.
type pageKey [16]byte

// rootOf is the key before the first page of all that weights of this digest compute: what others computed is never found
// behind it.
func rootOf(digest string) pageKey {
	sum := sha256.Sum256([]byte(digest))
	return pageKey(sum[:16])
}

// of is the key before the first page of all that a tenant asked of the weights whose root this is.
func (root pageKey) of(tenant string) pageKey {
	if tenant == "" {
		return root
	}
	sum := sha256.Sum256(append(root[:], tenant...))
	return pageKey(sum[:16])
}

func keyOf(parent pageKey, tokens []int32) pageKey {
	var text [16 + 4*engine.PageTokens]byte
	copy(text[:], parent[:])
	for i, t := range tokens {
		binary.LittleEndian.PutUint32(text[16+4*i:], uint32(t))
	}
	sum := sha256.Sum256(text[:])
	return pageKey(sum[:16])
}

// page is free (no references, no key), in use, or cached (no references, keyed, ready). A page that is keyed and not
// ready is being computed by its only user; one that is ready and not keyed is a copy of another in use.
type page struct {
	references int
	key        pageKey
	keyed      bool // the index names it by its key
	ready      bool
	cached     *list.Element // its place in the pool's order of eviction
}

// pagePool owns the ids 0 .. len(pages)-1.
type pagePool struct {
	pages []page
	free  []int32
	index map[pageKey]int32
	lru   *list.List // cached pages, least recently used first; values are int32
}

func newPagePool(n int) *pagePool {
	p := &pagePool{pages: make([]page, n), index: map[pageKey]int32{}, lru: list.New()}
	for i := n - 1; i >= 0; i-- {
		p.free = append(p.free, int32(i))
	}
	return p
}

// available is how many pages take can still give.
func (p *pagePool) available() int { return len(p.free) + p.lru.Len() }

// used counts pages with references: cached prefixes are not counted.
func (p *pagePool) used() int { return len(p.pages) - p.available() }

// take gives a page with one reference: a free one, or the cached one that was not used for longest.
func (p *pagePool) take() (int32, bool) {
	if n := len(p.free); n > 0 {
		id := p.free[n-1]
		p.free = p.free[:n-1]
		p.pages[id] = page{references: 1}
		return id, true
	}
	oldest := p.lru.Front()
	if oldest == nil {
		return 0, false
	}
	id := p.lru.Remove(oldest).(int32)
	delete(p.index, p.pages[id].key)
	p.pages[id] = page{references: 1}
	return id, true
}

// find returns the page with that content, and whether it is ready.
func (p *pagePool) find(k pageKey) (id int32, ready, ok bool) {
	id, ok = p.index[k]
	return id, ok && p.pages[id].ready, ok
}

// share adds a reference.
func (p *pagePool) share(id int32) {
	pg := &p.pages[id]
	if pg.cached != nil {
		p.lru.Remove(pg.cached)
		pg.cached = nil
	}
	pg.references++
}

// announce says that id's user will compute the content k. If another page has it already, nothing
// changes: the copy stays private.
func (p *pagePool) announce(id int32, k pageKey) {
	if _, taken := p.index[k]; taken {
		return
	}
	p.pages[id].key, p.pages[id].keyed = k, true
	p.index[k] = id
}

// publish says that id's content k is complete.
func (p *pagePool) publish(id int32, k pageKey) {
	p.pages[id].key, p.pages[id].ready = k, true
	p.claim(id)
}

// claim has the index name id, which is ready, for its content, unless a page that is ready and in use has it. A cached
// one gives way: it is as old as its last use, and was given away before what follows id, which nobody finds without it.
func (p *pagePool) claim(id int32) bool {
	pg := &p.pages[id]
	if other, taken := p.index[pg.key]; taken && other != id {
		o := &p.pages[other]
		switch {
		case o.references == 0:
			p.lru.Remove(o.cached)
			p.drop(other)
		case o.ready:
			return false
		default:
			o.keyed = false // it will be the copy
		}
	}
	p.index[pg.key], pg.keyed = id, true
	return true
}

// drop frees a page and forgets its content.
func (p *pagePool) drop(id int32) {
	if pg := &p.pages[id]; pg.keyed {
		delete(p.index, pg.key)
	}
	p.pages[id] = page{}
	p.free = append(p.free, id)
}

// release takes a reference back. The last one caches the page if its content is complete and no page in use has it,
// else frees it: one that was still being computed leaves the index, so that a follower computes it itself.
func (p *pagePool) release(id int32) {
	pg := &p.pages[id]
	pg.references--
	switch {
	case pg.references > 0:
	case pg.ready && p.claim(id):
		pg.cached = p.lru.PushBack(id)
	default:
		p.drop(id)
	}
}
