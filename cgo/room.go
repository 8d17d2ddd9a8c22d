//go:build cgo

package cgo

import "chimera/engine"

// This file owns the question whether there is room for what is to be loaded, which several instances may ask at once.

// claim is the part of a load's memory that it has not taken yet. The kernel gives memory as it is written to, so until then
// it counts as free, and two loads would both rely on it.
type claim struct {
	backend    *Backend
	need, left int64
}

// Available is what machine and control group leave beside what is being loaded.
func (b *Backend) Available() (bytes int64, bound string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unclaimed()
}

func (b *Backend) unclaimed() (bytes int64, bound string) {
	bytes, bound = b.available()
	return max(bytes-b.claimed, 0), bound
}

// claim holds so many bytes for a load, or refuses. What is not known refuses nothing.
func (b *Backend) claim(need int64) (*claim, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left, bound := b.unclaimed(); bound != "" && need > left {
		return nil, &engine.NoRoomError{Need: need, Available: left, Bound: bound}
	}
	b.claimed += need
	return &claim{backend: b, need: need, left: need}, nil
}

// progress lets go of what a load has taken by now, and tells others how far it is.
func (c *claim) progress(tell func(done, total int64)) func(done, total int64) {
	return func(done, total int64) {
		c.keep(c.need - int64(float64(c.need)*float64(done)/float64(total)))
		if tell != nil {
			tell(done, total)
		}
	}
}

// release ends the claim: the load has taken what it takes, or has failed.
func (c *claim) release() { c.keep(0) }

func (c *claim) keep(left int64) {
	c.backend.mu.Lock()
	defer c.backend.mu.Unlock()
	c.backend.claimed += left - c.left
	c.left = left
}
