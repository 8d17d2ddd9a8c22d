//go:build cuda

package cuda

// #include "plan.h"
import "C"

import (
	"errors"
	"sync"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the loaded instance: what it holds on the device, pages, and the end.

// instance is a loaded program. Its owner's goroutine hands calls to the device's thread; kernels of all
// steps run in order on one stream, which is what lets two steps be under way over single buffers.
type instance struct {
	*lowered // for the first generation; program, ropes and sizes are those of all
	backend  *Backend
	device   *device
	options  engine.LoadOptions
	limits   engine.Limits
	plan     *engine.Plan // with the first generation

	cache       *cache // nil before it is there and after Close
	groups      []groupCache
	generations lowering.Generations[generation]
	actsAt      Pointer
	buffers     *buffers

	stream    *cu.Stream // the backend's; nil before anything is queued on it
	module    *cu.Module
	functions map[string]cu.Function // the device's thread owns it
	graphs    *graphCache

	batches  map[*engine.Batch]*pinnedBatch
	underway []*pinnedBatch  // submitted and not waited for, oldest first
	outputs  int             // of the step that was submitted last: what PreviousRow may name
	bounce   *hostmem.Region // one page on its way in or out, or the pairs of copy_pages; the device's thread owns it
	draft    *hostmem.Region // the batch's addresses on their way; nil before and after

	replacing sync.Mutex     // one Replace at a time, and none beside Close
	transfers sync.WaitGroup // tickets that are not done
	closing   sync.Once
}

// bounceBytes is the size of what pages bounce through.
func bounceBytes(p *engine.Plan) int64 {
	most := int64(C.sizeof_struct_copy_pages_args + copyPairs*8)
	for _, g := range p.Groups {
		most = max(most, g.PageBytes)
	}
	return most
}

// depth is how many steps may be under way: one runs while the next is planned.
const depth = 2

func (in *instance) limitsOf() engine.Limits {
	o := in.options
	return engine.Limits{
		MaxTokens: o.MaxTokens, MaxVectors: o.MaxVectors, VectorWidth: in.Program.VectorWidth(), MaxSequences: o.MaxSequences, MaxOutputs: o.MaxOutputs,
		MaxRows: lowering.WholeRows, MaxTop: o.MaxTop, MaxTaps: lowering.TapRows, TapWidth: in.Program.TapWidth(), MaxContext: o.MaxContext,
		Groups: groupLimits(in.Program, o), Vocab: in.Program.Vocab, Depth: depth, BackgroundRows: backgroundRows,
	}
}

func (in *instance) Limits() engine.Limits { return in.limits }

// do is device.do between load and close: whatever fails there leaves an unknown state on the device, which is
// poisoned, whatever the driver would still do.
func (in *instance) do(what string, f func() error) error {
	if err := in.device.do(what, f); err != nil {
		return in.device.condemn(err)
	}
	return nil
}

var errClosed = errors.New("the instance is closed")

// ready refuses what a poisoned device or a closed instance can't do.
func (in *instance) ready() error {
	if err := in.device.poisoned(); err != nil {
		return err
	}
	if in.cache == nil {
		return errClosed
	}
	return nil
}

// Close waits for the device and frees everything. On a poisoned device the driver's objects are lost with
// the process; what it may still write to stays mapped.
func (in *instance) Close() (err error) {
	in.closing.Do(func() {
		in.replacing.Lock()
		defer in.replacing.Unlock()
		in.transfers.Wait()
		err = in.abandon(nil)
	})
	return err
}

// abandon frees what has been taken so far and returns cause with what went wrong on the way.
func (in *instance) abandon(cause error) error {
	err := oneCause(cause, in.device.do("closing", in.release))
	for _, p := range in.underway {
		in.device.owed.Add(-p.macs)
	}
	in.underway = nil
	for _, b := range in.batches {
		err = oneCause(err, in.device.giveBack(b.region))
	}
	for _, r := range []*hostmem.Region{in.bounce, in.draft} {
		if r != nil {
			err = oneCause(err, in.device.giveBack(r))
		}
	}
	in.batches, in.bounce, in.draft = nil, nil, nil
	return err
}

// release gives back the driver's objects, newest first.
func (in *instance) release() (err error) {
	d := in.device
	if in.stream != nil {
		if err := d.synchronize(*in.stream); err != nil {
			return d.condemn(err) // what is under way may still reach all of it
		}
	}
	for _, b := range in.batches {
		err = oneCause(err, d.destroyEvent(b.done))
	}
	if in.graphs != nil {
		err = oneCause(err, in.graphs.clear())
	}
	if in.module != nil {
		err = oneCause(err, d.unload(*in.module))
	}
	err = oneCause(err, in.freeGenerations())
	if in.actsAt != 0 {
		err = oneCause(err, d.memFree(in.actsAt))
	}
	if in.cache != nil {
		err = oneCause(err, in.cache.release())
	}
	in.stream, in.module, in.graphs, in.cache, in.actsAt = nil, nil, nil, nil, 0
	return err
}
