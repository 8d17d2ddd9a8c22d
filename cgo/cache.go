//go:build cgo

package cgo

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the cache: the memory of an instance's groups, which other instances may share, and who uses
// which page just now.

// cache is the pages and slots of one or more instances. It is freed with the last of them.
//
// Steps, copies and transfers of a page exclude each other as readers and writers do. Nobody waits for that: whoever
// comes second is refused, since the owner of the pages knows what it has started.
type cache struct {
	region *hostmem.Region // nil without groups
	groups []*groupPages

	mu        sync.Mutex
	users     int            // instances
	steps     []*instance    // that have a step under way
	transfers map[pageID]int // exports of the page under way, or importing
	copies    sync.WaitGroup // of transfers
}

// pageID is a page or slot of a cache.
type pageID struct {
	group *groupPages
	page  int32
}

// importing stands for the one import of a page.
const importing = -1

func newCache(p *engine.Program, o engine.LoadOptions) (*cache, error) {
	c := &cache{users: 1, transfers: map[pageID]int{}}
	need := &hostmem.Carver{}
	carveGroups(need, p, o)
	if need.Need() == 0 {
		return c, nil
	}
	var err error
	if c.region, err = hostmem.Alloc(hostmem.KV, need.Need(), pagesOf(o)...); err != nil { // not locked: that would take pages that nobody uses yet
		return nil, err
	}
	c.groups = carveGroups(hostmem.NewCarver(c.region), p, o)
	return c, nil
}

// cacheOf is the cache that an instance of p is to use, and its groups in the order of the program's.
func (b *Backend) cacheOf(p *engine.Program, o engine.LoadOptions) (*cache, []*groupPages, error) {
	if o.Share == nil {
		c, err := newCache(p, o)
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
	if err := c.retain(); err != nil {
		return nil, nil, err
	}
	return c, groups, nil
}

// sharedGroups are the groups of another instance that p's are.
func (b *Backend) sharedGroups(p *engine.Program, o engine.LoadOptions) (groups []*groupPages, err error) {
	in, ours := o.Share.(*instance)
	if !ours || in.backend != b {
		return nil, errors.New("load option Share: not an instance of this backend")
	}
	for _, g := range p.Groups {
		i := slices.IndexFunc(in.cache.groups, func(have *groupPages) bool {
			return have.Name == g.Name && have.Layers == g.Layers && have.State == g.State && have.layout == groupLayout(g, o.Policy.KV)
		})
		if i < 0 {
			return nil, fmt.Errorf("load option Share: the other instance has no group %q of this geometry and KV type", g.Name)
		}
		groups = append(groups, in.cache.groups[i])
	}
	return groups, nil
}

// retain counts one more instance.
func (c *cache) retain() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == 0 {
		return errors.New("load option Share: the other instance is closed")
	}
	c.users++
	return nil
}

// release drops one instance, and frees the memory behind the last.
func (c *cache) release() error {
	c.mu.Lock()
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if !last || c.region == nil {
		return nil
	}
	c.copies.Wait()
	return c.region.Free()
}

// begin counts in's step of b among those under way, or refuses it for a page that is in transfer.
func (c *cache) begin(in *instance, b *engine.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.transfers) > 0 {
		if err := in.eachPage(b, c.inTransfer); err != nil {
			return err
		}
	}
	in.batch = b
	c.steps = append(c.steps, in)
	return nil
}

func (c *cache) end(in *instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in.batch = nil
	i := slices.Index(c.steps, in)
	c.steps = slices.Delete(c.steps, i, i+1)
}

// inTransfer refuses to read a page that is imported, and to write one that is exported or imported.
func (c *cache) inTransfer(id pageID, write bool) error {
	if n := c.transfers[id]; n == importing || write && n != 0 {
		return &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %s is in transfer", id.page, id.group.Name)}
	}
	return nil
}

// use refuses what a transfer or a step under way is in the way of: to read a page that is written, to write one
// that is used at all.
func (c *cache) use(id pageID, write bool) error {
	if err := c.inTransfer(id, write); err != nil {
		return err
	}
	for _, in := range c.steps {
		err := in.eachPage(in.batch, func(used pageID, written bool) error {
			if used == id && (write || written) {
				return &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %s is in the step under way", id.page, id.group.Name)}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// copyPages copies all of the pages, or none.
func (c *cache) copyPages(g *groupPages, copies []engine.PageCopy) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pages := range copies {
		if err := c.use(pageID{g, pages.From}, false); err != nil {
			return err
		}
		if err := c.use(pageID{g, pages.To}, true); err != nil {
			return err
		}
	}
	for _, pages := range copies {
		copy(g.page(pages.To), g.page(pages.From))
	}
	return nil
}

// transfer copies a page to or from a buffer, beside steps.
func (c *cache) transfer(id pageID, isImport bool, buffer []byte) (*engine.Ticket, error) {
	page := id.group.page(id.page)
	if len(buffer) != len(page) {
		return nil, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("a buffer of %d bytes for pages of %d", len(buffer), len(page))}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.use(id, isImport); err != nil {
		return nil, err
	}
	to, from := buffer, page
	if isImport {
		c.transfers[id] = importing
		to, from = page, buffer
	} else {
		c.transfers[id]++
	}
	ticket, end := engine.NewTicket()
	c.copies.Go(func() {
		copy(to, from)
		c.transferred(id)
		end(nil)
	})
	return ticket, nil
}

func (c *cache) transferred(id pageID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transfers[id]--; c.transfers[id] <= 0 {
		delete(c.transfers, id)
	}
}
