//go:build cuda

package cuda

import (
	"fmt"
	"slices"
	"sync"

	"chimera/engine"
)

// This file owns the cache: the pages of an instance's groups, which other instances may share, and which of them are
// in transfer.

// cache is the pages and slots of one or more instances. It is freed with the last of them.
//
// Steps, copies and transfers are queued on one stream, so none sees another half done. What is refused is what their
// owner can't mean: to use a page while it is imported, to write one while it is exported.
type cache struct {
	device *device
	at     Pointer // 0 without groups
	groups []groupCache

	mu        sync.Mutex
	users     int            // instances
	transfers map[pageID]int // exports of the page under way, or importing
}

// pageID is a page or slot of a cache.
type pageID struct {
	at   Pointer // of its group
	page int32
}

// importing stands for the one import of a page.
const importing = -1

// newCache takes the memory, zeroed: masked positions are computed before they are masked. Inside do.
func (b *Backend) newCache(p *engine.Program, o engine.LoadOptions) (*cache, error) {
	c := &cache{device: b.device, users: 1, transfers: map[pageID]int{}}
	need := &arena{}
	if carveGroups(need, p, o); need.at == 0 {
		return c, nil
	}
	at, err := b.device.memAlloc(need.at)
	if err != nil {
		return nil, err
	}
	c.at, c.groups = at, carveGroups(&arena{base: at}, p, o)
	if err := b.device.memsetZero(at, need.at, *b.stream); err != nil {
		return nil, oneCause(err, c.release())
	}
	return c, nil
}

// sharedGroups are the groups of another instance that p's are.
func (b *Backend) sharedGroups(p *engine.Program, o engine.LoadOptions) (groups []groupCache, err error) {
	in, ours := o.Share.(*instance)
	if !ours || in.device != b.device || in.cache == nil {
		return nil, fmt.Errorf("load option Share: not an open instance of this backend")
	}
	for _, g := range p.Groups {
		i := slices.IndexFunc(in.cache.groups, func(have groupCache) bool { return have.Name == g.Name })
		if i < 0 || in.cache.groups[i].State != g.State || g.State == 0 && in.cache.groups[i].layout != kvLayout(g, o.Policy.KV) ||
			g.State > 0 && in.cache.groups[i].Layers != g.Layers {
			return nil, fmt.Errorf("load option Share: the other instance has no group %q of this geometry and KV type", g.Name)
		}
		shared := in.cache.groups[i]
		shared.Group = g // the mask is the reader's
		groups = append(groups, shared)
	}
	return groups, nil
}

// cacheOf is the cache that an instance of p is to use, and its groups in the order of the program's. Inside do.
func (b *Backend) cacheOf(p *engine.Program, o engine.LoadOptions) (*cache, []groupCache, error) {
	if o.Share == nil {
		c, err := b.newCache(p, o)
		if err != nil {
			return nil, nil, err
		}
		return c, c.groups, nil
	}
	groups, err := b.sharedGroups(p, o)
	if err != nil {
		return nil, nil, err
	}
	c := o.Share.(*instance).cache
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
	return c, groups, nil
}

// release drops one instance, and frees the memory behind the last. Inside do.
func (c *cache) release() error {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if !last || c.at == 0 {
		return nil
	}
	return c.device.memFree(c.at)
}

// use refuses to read a page that is imported, and to write one that is exported or imported.
func (c *cache) use(g *groupCache, page int32, write bool) error {
	if n := c.transfers[pageID{g.at, page}]; n == importing || write && n != 0 {
		return &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %s is in transfer", page, g.Name)}
	}
	return nil
}

// checkCopies refuses pages that are not there, or in transfer.
func (c *cache) checkCopies(g *groupCache, copies []engine.PageCopy) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pages := range copies {
		for _, page := range []int32{pages.From, pages.To} {
			if _, err := g.page(page); err != nil {
				return err
			}
			if err := c.use(g, page, page == pages.To); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin counts a transfer of the page, or refuses it.
func (c *cache) begin(g *groupCache, page int32, isImport bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.use(g, page, isImport); err != nil {
		return err
	}
	if id := (pageID{g.at, page}); isImport {
		c.transfers[id] = importing
	} else {
		c.transfers[id]++
	}
	return nil
}

func (c *cache) end(g *groupCache, page int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := pageID{g.at, page}
	if c.transfers[id]--; c.transfers[id] <= 0 {
		delete(c.transfers, id)
	}
}

// checkStep refuses a batch that uses a page in transfer.
func (in *instance) checkStep(b *engine.Batch) error {
	c := in.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.transfers) == 0 {
		return nil
	}
	for s, rows := range b.Sequences {
		first := b.Positions[rows.FirstToken]
		for g := range in.groups {
			t := b.Tables[s*len(in.groups)+g]
			for i, page := range b.Pages[t.First:][:t.Count] {
				if err := c.use(&in.groups[g], page, in.limits.Groups[g].Writes(t.Base, i, first, first+rows.TokenCount-1)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
