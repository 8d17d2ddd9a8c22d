//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"sync"

	"chimera/engine"
	"chimera/hostmem"
)

// This file owns host memory that a device copies from and to: pinned if that can be had, and never given back while the
// device may still reach it.

// pinned takes host memory for a device. Where it can't be pinned copies are slower and hostmem has counted it. But a
// pinner that finds the context lost, or gets no answer, speaks for the device too.
func (d *device) pinned(phase string, purpose hostmem.Purpose, bytes int64) (*hostmem.Region, error) {
	if err := d.start(phase); err != nil {
		return nil, err
	}
	r, err := hostmem.Alloc(purpose, bytes, hostmem.Pinned)
	if err != nil {
		return nil, err
	}
	d.heed(r.Fallback())
	if cause := d.poisoned(); cause != nil {
		return nil, errors.Join(cause, r.Free()) // nothing has heard of it yet
	}
	return r, nil
}

// heed poisons the device if an error of the pinner's says so.
func (d *device) heed(err error) {
	var lost *Error
	if errors.As(err, &lost) && lost.Is(engine.ErrPoisoned) {
		here := *lost
		_ = d.fail(&here) // it is kept
	}
}

// kept are the regions of poisoned devices. A hanging call may be in the middle of a copy, and the driver's own
// threads with it: the memory stays as it is, and in the accounts, until the process ends.
var kept struct {
	sync.Mutex
	regions []*hostmem.Region
}

// giveBack frees a region, unless the device is poisoned.
func (d *device) giveBack(r *hostmem.Region) error {
	if cause := d.poisoned(); cause != nil {
		kept.Lock()
		defer kept.Unlock()
		kept.regions = append(kept.regions, r)
		return cause
	}
	err := r.Free()
	if err == nil {
		return nil
	}
	if d.heed(err); d.poisoned() != nil {
		return d.poisoned()
	}
	return fmt.Errorf("closing %s: %w", d.model, err)
}
