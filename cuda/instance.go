//go:build cuda

package cuda

// #include <string.h>
// #include "plan.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the loaded instance: what it holds on the device, pages, and the end.

// instance is a loaded program. Its owner's goroutine hands calls to the device's thread; kernels of all
// steps run in order on one stream, which is what lets two steps be under way over single buffers.
type instance struct {
	*lowered
	device  *device
	options engine.LoadOptions
	limits  engine.Limits
	plan    *engine.Plan

	weightsAt, actsAt, kvAt Pointer // the three allocations
	weights                 []weight
	groups                  []groupCache
	buffers                 *buffers

	stream    *cu.Stream // nil before it is made
	module    *cu.Module
	launches  []launch
	functions map[string]cu.Function
	graphs    *graphCache

	batches  map[*engine.Batch]*pinnedBatch
	underway []*pinnedBatch  // submitted and not waited for, oldest first
	outputs  int             // of the step that was submitted last: what PreviousRow may name
	bounce   *hostmem.Region // one page on its way in or out, or the pairs of copy_pages
	draft    *hostmem.Region // the launches' structs on their way; nil before and after
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
		MaxRows: lowering.WholeRows, MaxTop: o.MaxTop, MaxContext: o.MaxContext,
		Groups: limitsOf(carveGroups(&arena{}, in.Program, o)), Vocab: in.Program.Vocab, Depth: depth,
	}
}

func (in *instance) Limits() engine.Limits { return in.limits }

func (in *instance) Plan() *engine.Plan { return in.plan }

// slowestMACs is how many multiply-accumulates a second the slowest GPU gives at worst: attention over 128k
// positions on a small one. A chunk of a large model behind such a context takes minutes, which is no hang.
const slowestMACs = 100e9

// patience is how long the device may take: what is queued before is waited for too.
func (in *instance) patience() time.Duration {
	limit := in.device.limit
	for _, p := range in.underway {
		limit += time.Duration(float64(p.macs) / slowestMACs * float64(time.Second))
	}
	return limit
}

// do is device.do between load and close: whatever fails there leaves an unknown state on the device, which is
// poisoned, whatever the driver would still do.
func (in *instance) do(what string, f func() error) error {
	if err := in.device.doWithin(in.patience(), what, f); err != nil {
		return in.device.condemn(err)
	}
	return nil
}

// Close waits for the device and frees everything. On a poisoned device the driver's objects are lost with
// the process; what it may still write to stays mapped.
func (in *instance) Close() error { return in.abandon(nil) }

// abandon frees what has been taken so far and returns cause with what went wrong on the way.
func (in *instance) abandon(cause error) error {
	err := oneCause(cause, in.device.doWithin(in.patience(), "closing", in.release))
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
	for _, at := range []*Pointer{&in.kvAt, &in.actsAt, &in.weightsAt} {
		if *at != 0 {
			err = oneCause(err, d.memFree(*at))
			*at = 0
		}
	}
	if in.stream != nil {
		err = oneCause(err, d.destroyStream(*in.stream))
	}
	in.stream, in.module, in.graphs = nil, nil, nil
	return err
}
