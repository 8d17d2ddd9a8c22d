package scheduler

import (
	"crypto/sha256"
	"encoding/binary"

	"chimera/engine"
)

// This file owns the index of a pool: a radix tree of pages by what they hold, each node named by its whole prefix.
//
// Along a path from a root, ready pages come before those that are being computed or are cached, and used ones before those
// that nobody uses. Hence what a prompt finds is a run from its first page on, whose end is searched, not walked to.

// pageKey names the content of a full page: the weights, and all tokens up to its end. It is a cut SHA-256, so that
// nobody can make two prompts share a page by searching for a collision.
type pageKey [16]byte

// rootOf is the key before the first page of all that weights of this digest compute: what others computed is never found
// behind it.
func rootOf(digest string) pageKey {
	sum := sha256.Sum256([]byte(digest))
	return pageKey(sum[:16])
}

// of is the key before the first page of all that a salt keeps apart, behind the weights whose root this is, or behind what was pinned.
func (root pageKey) of(salt string) pageKey {
	if salt == "" {
		return root
	}
	sum := sha256.Sum256(append(root[:], salt...))
	return pageKey(sum[:16])
}

func keyOf(parent pageKey, tokens []int32) pageKey {
	var text [16 + 4*engine.PageTokens]byte
	copy(text[:], parent[:])
	for i, t := range tokens {
		binary.LittleEndian.PutUint32(text[16+4*i:], uint32(t))
	}
	sum := sha256.Sum256(text[:16+4*len(tokens)])
	return pageKey(sum[:16])
}

// content is what a page holds: tokens, and by keys all that is before them.
type content struct {
	key, before pageKey
	position    int     // which page of its prefix it is
	tokens      []int32 // as many as a page holds; of a tail fewer
}

// node is a content that a page holds or will hold. That of a tail, which is shorter than a page, is there already, and nothing
// follows it.
type node struct {
	key, before pageKey
	parent      int32 // none: it begins a prefix, or the pool is not chained
	children    int32
	page        int32
	copies      int32 // pages in use with the same content, a list through page.next
	position    int32 // which page of its prefix it is
	place       int32 // among the leaves, or none
	siblings    link
	filled      int32                    // tokens
	tokens      [engine.PageTokens]int32 // the first `filled`
	usage
}

// isTail tells whether the content is shorter than a page.
func (n *node) isTail() bool { return n.filled < engine.PageTokens }

// index holds a pool's nodes, one for each page at most: none is allocated after the start.
type index struct {
	chained   bool
	byKey     map[pageKey]int32
	nodes     []node
	spare     []int32 // nodes that are not in use
	families  families
	leaves    leaves
	heat      *heat
	counted   uint64 // uses of all
	ghosts    ghosts
	directory *directory // the keys, for others to look at
}

func newIndex(n int, chained bool, h *heat) index {
	x := index{
		chained: chained, byKey: make(map[pageKey]int32, n), nodes: make([]node, n), families: newFamilies(n), leaves: make(leaves, 0, n), heat: h,
		ghosts: newGhosts(n * ghostsPerPage), directory: newDirectory(n),
	}
	for i := n - 1; i >= 0; i-- {
		x.spare = append(x.spare, int32(i))
	}
	return x
}

// find returns the node of that content.
func (x *index) find(k pageKey) (n int32, ok bool) {
	n, ok = x.byKey[k]
	return n, ok
}

// insert makes a node; what is remembered of its use from before goes on.
func (x *index) insert(c *content, parent, id int32, use bool) int32 {
	last := len(x.spare) - 1
	n := x.spare[last]
	x.spare = x.spare[:last]
	x.nodes[n] = node{
		key: c.key, before: c.before, parent: parent, page: id, copies: none, position: int32(c.position), place: none, filled: int32(len(c.tokens)),
		usage: x.ghosts.recall(c.key),
	}
	copy(x.nodes[n].tokens[:], c.tokens)
	x.byKey[c.key] = n
	x.directory.note(&c.key)
	x.join(n)
	if parent != none {
		x.nodes[parent].children++
	}
	if use || x.nodes[n].uses == 0 {
		x.use(n)
	}
	return n
}

// rate sets the node's value. In a window all positions see as much, so that no page takes longer than another.
func (x *index) rate(nd *node) {
	cost := 1.0
	if x.chained {
		cost = x.heat.again.relative(int(nd.position))
	}
	if nd.rate(x.heat, cost); nd.isTail() {
		nd.value += x.heat.ofTail(int(nd.filled))
	}
}

// now is the time in half-lives.
func (x *index) now() float64 {
	if x.heat.halfLife > 0 {
		return x.heat.now
	}
	return float64(x.counted) / (x.heat.turns * float64(len(x.nodes)))
}

// use counts a use of the node's content.
func (x *index) use(n int32) {
	nd := &x.nodes[n]
	x.counted++
	nd.count(x.now())
	x.rate(nd)
	if nd.place != none {
		x.leaves.mend(x.nodes, int(nd.place))
	}
}

// saves counts a use that spared computing so many tokens of the content.
func (x *index) saves(n int32, tokens int) {
	x.use(n)
	x.nodes[n].saved += float32(x.heat.again.page(int(x.nodes[n].position)) * float64(tokens) / engine.PageTokens)
}

// remove forgets a node that nothing follows, but for its use.
func (p *pagePool) remove(n int32) {
	nd := &p.nodes[n]
	p.ghosts.remember(nd.key, nd.usage)
	delete(p.byKey, nd.key)
	p.directory.forget(&nd.key)
	p.quit(n)
	parent := nd.parent
	*nd = node{}
	p.spare = append(p.spare, n)
	if parent != none {
		p.nodes[parent].children--
		p.offer(parent)
	}
}
