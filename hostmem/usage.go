package hostmem

import (
	"fmt"
	"sync/atomic"
)

// This file owns the accounting: which purpose holds how many bytes, and what it did not get.

// Purpose says what a region is for; it is the key of the accounting.
type Purpose int

// The purposes.
const (
	Weights Purpose = iota
	KV
	Activations
	Batch
	Staging // on the way to a device, or from it
	Other
	purposes
)

var purposeNames = [purposes]string{"weights", "kv", "activations", "batch", "staging", "other"}

// String returns the purpose's name, as metrics and reports write it.
func (p Purpose) String() string {
	if p < 0 || p >= purposes {
		return fmt.Sprintf("purpose(%d)", int(p))
	}
	return purposeNames[p]
}

// Use is what one purpose holds, and how often it got less than it asked for.
type Use struct {
	Purpose       Purpose
	Regions       int64
	Bytes         int64 // mapped; the kernel gives a page on first touch
	HugeBytes     int64 // of these, where the kernel accepted the advice to use huge pages
	LockedBytes   int64 // of these, what can't be paged out
	PinnedBytes   int64 // of the locked, what a GPU's driver pinned
	FallbackBytes int64 // of these, what was to be locked or pinned and is not
	Fallbacks     int64 // how often that happened, since the process began
}

// account is one purpose; all but fallbacks return to zero.
type account struct {
	regions, bytes, hugeBytes, lockedBytes, pinnedBytes, fallbackBytes atomic.Int64

	fallbacks atomic.Int64
}

var (
	accounts   [purposes]account
	leaks      atomic.Int64
	onFallback atomic.Pointer[func(p Purpose, cause error)]
)

// Usage is what every purpose holds now, in the order of the purposes. Each figure is exact; a
// region that comes or goes meanwhile may show in one and not yet in the next.
func Usage() []Use {
	all := make([]Use, 0, purposes)
	for p := range purposes {
		a := &accounts[p]
		all = append(all, Use{
			Purpose: p, Regions: a.regions.Load(), Bytes: a.bytes.Load(), HugeBytes: a.hugeBytes.Load(),
			LockedBytes: a.lockedBytes.Load(), PinnedBytes: a.pinnedBytes.Load(),
			FallbackBytes: a.fallbackBytes.Load(), Fallbacks: a.fallbacks.Load(),
		})
	}
	return all
}

// Leaks is how many regions were collected without Free since the process began; each was logged.
func Leaks() int64 { return leaks.Load() }

// OnFallback calls f when a purpose gets less than it asked for, the first time only: the causes that
// follow are the same, and the count goes on. The daemon sets it before it loads.
func OnFallback(f func(p Purpose, cause error)) { onFallback.Store(&f) }

func (r *Region) books() *account {
	if r.purpose < 0 || r.purpose >= purposes {
		return &accounts[Other]
	}
	return &accounts[r.purpose]
}

func (r *Region) fellBack() {
	f := onFallback.Load()
	if r.books().fallbacks.Add(1) == 1 && f != nil {
		(*f)(r.purpose, r.fallback)
	}
}

// account adds the region (sign 1) to its purpose or takes it out (-1). It is taken out as it was
// added, by Free once and by Pin around the change, so no figure can fall below zero.
func (r *Region) account(sign int64) {
	a, n := r.books(), sign*int64(len(r.bytes))
	a.regions.Add(sign)
	a.bytes.Add(n)
	a.hugeBytes.Add(sign * r.hugeBytes)
	if r.locked {
		a.lockedBytes.Add(n)
	}
	if r.pinned {
		a.pinnedBytes.Add(n)
	}
	if r.fallback != nil {
		a.fallbackBytes.Add(n)
	}
}
