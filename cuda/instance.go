//go:build cuda

package cuda

// #include <string.h>
// #include "plan.h"
import "C"

import (
	"fmt"
	"sync"
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
	digest  string

	weightsAt, actsAt, kvAt Pointer // the three allocations
	weights                 []weight
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
	closing  sync.Once
}

// bounceBytes is the size of what pages bounce through.
func bounceBytes(p *engine.Plan) int64 {
	return max(p.PageBytes, C.sizeof_struct_copy_pages_args+copyPairs*8)
}

// depth is how many steps may be under way: one runs while the next is planned.
const depth = 2

func (in *instance) limitsOf() engine.Limits {
	o := in.options
	return engine.Limits{
		MaxTokens: o.MaxTokens, MaxSequences: o.MaxSequences, MaxOutputs: o.MaxOutputs,
		MaxRows: lowering.WholeRows, MaxTop: o.MaxTop, MaxContext: o.MaxContext, Pages: o.Pages,
		PageTokens: engine.PageTokens, PageBytes: in.plan.PageBytes, Vocab: in.Program.Vocab, Depth: depth,
	}
}

func (in *instance) Limits() engine.Limits { return in.limits }

func (in *instance) Plan() *engine.Plan { return in.plan }

func (in *instance) Digest() string { return in.digest }

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

// pageAt is where a page lies. On a poisoned device there is none.
func (in *instance) pageAt(page int32) (Pointer, error) {
	if err := in.device.poisoned(); err != nil {
		return 0, err
	}
	if page < 0 || int(page) >= in.limits.Pages {
		return 0, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %d", page, in.limits.Pages)}
	}
	return in.kvAt + Pointer(int64(page)*in.limits.PageBytes), nil
}

// CopyPages copies whole pages, copyPairs to a launch.
func (in *instance) CopyPages(copies []engine.PageCopy) error {
	for _, c := range copies {
		for _, page := range []int32{c.From, c.To} {
			if _, err := in.pageAt(page); err != nil {
				return err
			}
		}
	}
	return in.do("copying pages of", func() error {
		for ; len(copies) > 0; copies = copies[min(len(copies), copyPairs):] {
			if err := in.copyPages(copies[:min(len(copies), copyPairs)]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (in *instance) copyPages(copies []engine.PageCopy) error {
	args := hostmem.Slice[C.struct_copy_pages_args](in.bounce, 0, 1)
	size := int64(C.sizeof_struct_copy_pages_args)
	pairs := hostmem.Slice[engine.PageCopy](in.bounce, size, int64(len(copies)))
	copy(pairs, copies)
	at := in.buffers.copyPairs
	args[0] = C.struct_copy_pages_args{page_bytes: C.int64_t(in.limits.PageBytes), count: C.int32_t(len(copies))}
	point(&args[0].pages, in.kvAt)
	point(&args[0].pairs, at+Pointer(size))
	bytes := size + int64(len(copies))*int64(unsafe.Sizeof(copies[0]))
	if err := in.device.copyIn(at, in.bounce.Pointer(), bytes, *in.stream); err != nil {
		return err
	}
	if err := in.device.launch(in.functions["copy_pages"], grid{len(copies), 1, 1}, grid{256, 1, 1}, *in.stream, at); err != nil {
		return err
	}
	return in.device.synchronize(*in.stream) // the bounce region is free again
}

// ExportPage copies a page out through pinned memory.
func (in *instance) ExportPage(page int32, dst []byte) error {
	at, err := in.checkPage(page, len(dst))
	if err != nil {
		return err
	}
	err = in.do("exporting a page of", func() error {
		if err := in.device.copyOut(in.bounce.Pointer(), at, in.limits.PageBytes, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
	if err == nil {
		copy(dst, in.bounce.Bytes())
	}
	return err
}

// ImportPage copies a page in through pinned memory.
func (in *instance) ImportPage(page int32, src []byte) error {
	at, err := in.checkPage(page, len(src))
	if err != nil {
		return err
	}
	copy(in.bounce.Bytes(), src)
	return in.do("importing a page of", func() error {
		if err := in.device.copyIn(at, in.bounce.Pointer(), in.limits.PageBytes, *in.stream); err != nil {
			return err
		}
		return in.device.synchronize(*in.stream)
	})
}

func (in *instance) checkPage(page int32, bytes int) (Pointer, error) {
	at, err := in.pageAt(page)
	if err == nil && int64(bytes) != in.limits.PageBytes {
		err = &engine.BatchError{Field: "pages", Reason: "a buffer of the wrong size"}
	}
	return at, err
}

// Close waits for the device and frees everything. On a poisoned device the driver's objects are lost with
// the process; what it may still write to stays mapped.
func (in *instance) Close() (err error) {
	in.closing.Do(func() { err = in.abandon(nil) })
	return err
}

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
