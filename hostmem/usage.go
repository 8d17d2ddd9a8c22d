package hostmem

import (
	"fmt"
	"sync/atomic"
)

// This file owns the accounting: which purpose holds how many bytes.

// Purpose says what a region is for; it is the key of the accounting.
type Purpose int

// The purposes.
const (
	Weights Purpose = iota
	KV
	Activations
	Batch
	Staging
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

// Use is what one purpose holds.
type Use struct {
	Purpose          Purpose
	Regions          int64
	Bytes            int64 // mapped; the kernel gives a page on first touch
	HugeBytes        int64 // of these, where the kernel accepted the advice to use huge pages
	LockedBytes      int64 // of these, what can't be paged out
	LockRefusedBytes int64 // of these, what TryLock could not lock
}

type account struct {
	regions, bytes, hugeBytes, lockedBytes, lockRefusedBytes atomic.Int64
}

var (
	accounts [purposes]account
	leaks    atomic.Int64
)

// Usage is what every purpose holds now, in the order of the purposes. Each figure is exact; a
// region that comes or goes meanwhile may show in one and not yet in the next.
func Usage() []Use {
	all := make([]Use, 0, purposes)
	for p := range purposes {
		a := &accounts[p]
		all = append(all, Use{
			Purpose: p, Regions: a.regions.Load(), Bytes: a.bytes.Load(), HugeBytes: a.hugeBytes.Load(),
			LockedBytes: a.lockedBytes.Load(), LockRefusedBytes: a.lockRefusedBytes.Load(),
		})
	}
	return all
}

// Leaks is how many regions were collected without Free since the process began; each was logged.
func Leaks() int64 { return leaks.Load() }

// account adds the region (sign 1) to its purpose or takes it out (-1). Free does the latter once,
// and a region does not change in between, so no figure can fall below zero.
func (r *Region) account(sign int64) {
	p := r.purpose
	if p < 0 || p >= purposes {
		p = Other
	}
	a, n := &accounts[p], sign*int64(len(r.bytes))
	a.regions.Add(sign)
	a.bytes.Add(n)
	a.hugeBytes.Add(sign * r.hugeBytes)
	if r.locked {
		a.lockedBytes.Add(n)
	}
	if r.lockError != nil {
		a.lockRefusedBytes.Add(n)
	}
}
