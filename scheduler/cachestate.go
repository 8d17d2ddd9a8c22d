package scheduler

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"chimera/engine"
)

// This file owns what the cache looks like from outside.

// CacheState is the cache as it was between two steps.
type CacheState struct {
	Groups      []CachePages
	Lookups     uint64        // requests that were given a place
	Hits        uint64        // of these, those that found a prefix
	HitTokens   uint64        // that were not computed, those of preempted requests among them
	Evictions   uint64        // pages that were given away with what they held, of all groups
	SavedMillis float64       // of computing that hits made needless, as far as is remembered
	HalfLife    time.Duration // after which a use counts half; 0: after forty times as many uses as there are pages
	Recency     bool          // what was used last stays at the moment, since of late that spared more than uses do
	Prefixes    []CachedPrefix
	Pins        []PinState
}

// CachePages is a group's pages by state. Total is the sum of Empty, Computing, InUse and Cached.
type CachePages struct {
	Group     string
	PageBytes int64
	Total     int
	Empty     int
	Computing int
	InUse     int // ready, and of a running request or a pin
	Cached    int // ready, and given away when room is needed
	Pinned    int // of those in use
}

// CachedPrefix is a prefix that is there, up to where what was asked for parts, or ends.
type CachedPrefix struct {
	Key         string // names its content, as long as the weights are the same
	Pin         string // the name that it is pinned by, or none
	Tokens      int
	Uses        uint64  // since its content was last unknown
	Decayed     float64 // uses, each counted half after a half-life
	SavedMillis float64 // of computing what is its own: what it shares with a shorter prefix of the list is counted there
}

// PinState is a named prefix.
type PinState struct {
	Name   string
	Tenant string // whom it is for; "": all
	Tokens int
	Ready  bool // it is computed, and stays
}

// hottest is how many prefixes are told.
const hottest = 20

// Cache returns the state. It waits for the step that is under way.
func (s *Lane) Cache() (c CacheState) {
	s.ask(func() { c = s.cacheState() })
	return c
}

func (s *Lane) cacheState() CacheState {
	c := CacheState{
		Lookups: s.cache.lookups, Hits: s.cache.hits, HitTokens: s.stats.PrefixTokens,
		HalfLife: time.Duration(s.cache.heat.halfLife * float64(time.Second)), Recency: s.cache.heat.cooling != 1,
	}
	of := wholeGroup(s.groups)
	for g := range s.groups {
		c.Groups = append(c.Groups, s.cachePages(g))
		c.Evictions += s.groups[g].pool.evictions
	}
	for _, p := range s.cache.pins {
		c.Pins = append(c.Pins, PinState{p.name, p.tenant, p.size() * engine.PageTokens, p.pages != nil})
	}
	c.Prefixes, c.SavedMillis = s.groups[of].pool.prefixes(s.pinNames(of))
	return c
}

func (s *Lane) cachePages(g int) CachePages {
	group := &s.groups[g]
	c := CachePages{Group: group.Name, PageBytes: group.PageBytes, Total: len(group.pool.pages), Empty: len(group.pool.free), Cached: group.pool.cached}
	for _, pg := range group.pool.pages {
		if pg.state == computing {
			c.Computing++
		}
	}
	c.InUse = c.Total - c.Empty - c.Cached - c.Computing
	held := map[int32]bool{}
	for _, p := range s.cache.pins {
		if p.pages != nil {
			for _, id := range p.pages[g] {
				held[id] = true
			}
		}
	}
	c.Pinned = len(held)
	return c
}

// pinNames are the names of pins by the node of their last page.
func (s *Lane) pinNames(g int) map[int32]string {
	names := map[int32]string{}
	for _, p := range s.cache.pins {
		if p.pages == nil {
			continue
		}
		if ids := p.pages[g]; len(ids) > 0 { // a window of one position sees nothing of what is before it
			names[s.groups[g].pool.pages[ids[len(ids)-1]].node] = p.name
		}
	}
	return names
}

// prefixes are the hottest, by the tokens that they are likely to spare; and what all saved.
func (p *pagePool) prefixes(names map[int32]string) (list []CachedPrefix, saved float64) {
	ends := p.ends(names)
	var found []int32
	for n, end := range ends {
		saved += float64(p.nodes[n].saved)
		if end {
			found = append(found, int32(n))
		}
	}
	worth := func(n int32) float64 {
		nd := &p.nodes[n]
		return float64(nd.decayed(p.now())) * float64(nd.position*engine.PageTokens+nd.filled)
	}
	slices.SortFunc(found, func(a, b int32) int {
		return cmp.Or(cmp.Compare(worth(b), worth(a)), slices.Compare(p.nodes[a].key[:], p.nodes[b].key[:]))
	})
	for _, n := range found[:min(len(found), hottest)] {
		nd := &p.nodes[n]
		own := float64(nd.saved)
		for above := nd.parent; above != none && !ends[above]; above = p.nodes[above].parent {
			own += float64(p.nodes[above].saved)
		}
		list = append(list, CachedPrefix{
			Key: hex.EncodeToString(nd.key[:6]), Pin: names[n], Tokens: int(nd.position*engine.PageTokens + nd.filled),
			Uses: uint64(nd.uses), Decayed: float64(nd.decayed(p.now())), SavedMillis: own,
		})
	}
	return list, saved
}

// ends tells of each node whether it is ready and ends a prefix: what follows it was used less often, or a pin ends with it.
func (p *pagePool) ends(names map[int32]string) []bool {
	ends := make([]bool, len(p.nodes))
	for _, n := range p.byKey {
		ends[n] = p.pages[p.nodes[n].page].state == ready
	}
	for _, n := range p.byKey {
		nd := &p.nodes[n]
		if nd.parent != none && p.pages[nd.page].state == ready && nd.uses >= p.nodes[nd.parent].uses && names[nd.parent] == "" {
			ends[nd.parent] = false
		}
	}
	return ends
}
