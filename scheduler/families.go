package scheduler

import (
	"encoding/binary"
	"math/bits"
)

// This file owns families: what is known to follow a prefix, to be found by its first tokens. A key tells of a page whether it holds all
// that a prompt goes on with; here is which page holds most of that.

// families are lists of nodes by the prefix that they follow and their first token, the youngest first. Several families may share a list.
type families []int32 // (a power of two) the first node of each list, or none

// link is a node's place in its list.
type link struct{ younger, older int32 }

// mostSiblings is how many nodes of a list are looked at. A prefix that is continued in many ways with the same first token has more;
// what the youngest do not have in common with a prompt hardly any does, and the loop has others to serve.
const mostSiblings = 64

func newFamilies(nodes int) families {
	f := make(families, 1<<bits.Len(uint(nodes)))
	for i := range f {
		f[i] = none
	}
	return f
}

// of is the list of what follows a prefix with that token. Keys are digests, so that their bytes are as good as random.
func (f families) of(before *pageKey, first int32) *int32 {
	at := binary.LittleEndian.Uint64(before[:8]) + uint64(first)
	return &f[at&uint64(len(f)-1)]
}

// join makes the node the youngest of its list.
func (x *index) join(n int32) {
	nd := &x.nodes[n]
	first := x.families.of(&nd.before, nd.tokens[0])
	if nd.siblings = (link{none, *first}); *first != none {
		x.nodes[*first].siblings.younger = n
	}
	*first = n
}

// quit takes the node off its list.
func (x *index) quit(n int32) {
	nd := &x.nodes[n]
	younger, older := nd.siblings.younger, nd.siblings.older
	if older != none {
		x.nodes[older].siblings.younger = younger
	}
	if younger != none {
		x.nodes[younger].siblings.older = older
	} else {
		*x.families.of(&nd.before, nd.tokens[0]) = older
	}
}

// longest is the node whose page has computed the most of the tokens that a prompt goes on with behind a prefix, and how many.
func (p *pagePool) longest(before *pageKey, tokens []int32) (found int32, most int) {
	found = none
	at := *p.families.of(before, tokens[0])
	for range mostSiblings {
		if at == none || most == len(tokens) {
			break
		}
		nd := &p.nodes[at]
		if nd.before == *before && (nd.isTail() || p.pages[nd.page].state == ready) {
			if n := common(nd.tokens[:nd.filled], tokens); n > most {
				found, most = at, n
			}
		}
		at = nd.siblings.older
	}
	return found, most
}

// common is how many tokens a and b begin with alike.
func common(a, b []int32) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
