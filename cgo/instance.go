package cgo

// #include <stdlib.h>
// #include "step.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the loaded instance: the executor thread, pages, and the end.

// instance is a loaded program. The executor goroutine, locked to its thread, calls C and works along
// as worker 0; the owner only hands batches over.
type instance struct {
	*lowered
	sizes  sizes
	limits engine.Limits
	plan   *engine.Plan

	weightsRegion, actsRegion, kvRegion *hostmem.Region
	batches                             []*hostmem.Region
	packed                              []packedWeight
	buffers                             *buffers
	groups                              []groupPages

	memory callocs
	c      *C.struct_instance
	values []C.struct_value
	phases *C.struct_plan

	submitted chan *engine.Batch
	done      chan struct{}
	exited    chan struct{}
	running   bool
}

func (in *instance) Limits() engine.Limits { return in.limits }

func (in *instance) Plan() *engine.Plan { return in.plan }

// NewBatch carves a batch out of a region of its own.
func (in *instance) NewBatch() (*engine.Batch, error) {
	r, err := hostmem.Alloc(hostmem.Batch, in.plan.BatchBytes, 0)
	if err != nil {
		return nil, err
	}
	in.batches = append(in.batches, r)
	return engine.NewBatch(in.limits, lowering.CarveBatch(hostmem.NewCarver(r), in.Program, in.sizes.LoadOptions)), nil
}

func (in *instance) Submit(b *engine.Batch) error {
	if in.running {
		return &engine.BatchError{Field: "depth", Reason: "a step is under way"}
	}
	if len(b.Tokens) == 0 {
		return &engine.BatchError{Field: "tokens", Reason: "an empty step"}
	}
	if b.Generation != loaded {
		return &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("%d is not there", b.Generation)}
	}
	in.running = true
	in.submitted <- b
	return nil
}

func (in *instance) Wait() error {
	if !in.running {
		return &engine.BatchError{Field: "depth", Reason: "no step is under way"}
	}
	<-in.done
	in.running = false
	return nil
}

// execute runs steps until the instance is closed.
func (in *instance) execute() {
	runtime.LockOSThread()
	defer close(in.exited)
	c := (*C.struct_batch)(C.calloc(1, C.sizeof_struct_batch))
	defer C.free(unsafe.Pointer(c))
	for b := range in.submitted {
		pointBatch(c, b, in.limits.MaxTop)
		C.step_run(in.c, in.phases, c)
		in.done <- struct{}{}
	}
}

// pointBatch writes the batch's arrays down for C. They lie off-heap, so C may read them as they are.
func pointBatch(c *C.struct_batch, b *engine.Batch, maxTop int) {
	*c = C.struct_batch{
		tokens: ints(b.Tokens), positions: ints(b.Positions), vectors: floats(b.Vectors),
		sequences: (*C.struct_sequence_rows)(unsafe.Pointer(unsafe.SliceData(b.Sequences))),
		tables:    (*C.struct_table)(unsafe.Pointer(unsafe.SliceData(b.Tables))), pages: ints(b.Pages),
		outputs:   (*C.struct_output)(unsafe.Pointer(unsafe.SliceData(b.Outputs))),
		penalties: (*C.struct_penalty)(unsafe.Pointer(unsafe.SliceData(b.Penalties))),
		biases:    (*C.struct_bias)(unsafe.Pointer(unsafe.SliceData(b.Biases))), targets: ints(b.Targets),
		results:       (*C.struct_result)(unsafe.Pointer(unsafe.SliceData(b.Results))),
		top:           (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(b.Top))),
		target_logits: floats(b.TargetLogits), logits: floats(b.Logits),
		token_count: C.int32_t(len(b.Tokens)), sequence_count: C.int32_t(len(b.Sequences)),
		output_count: C.int32_t(len(b.Outputs)), max_top: C.int32_t(maxTop),
	}
}

// page is the memory of one page or slot.
func (in *instance) page(id engine.GroupID, i int32) ([]byte, error) {
	if id < 1 || int(id) > len(in.groups) {
		return nil, &engine.BatchError{Field: "groups", Reason: fmt.Sprintf("group %d of %d", id, len(in.groups))}
	}
	g := in.limits.Groups[id-1]
	if i < 0 || int(i) >= g.Pages {
		return nil, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %d in %s", i, g.Pages, g.Name)}
	}
	return in.groups[id-1].bytes[int64(i)*g.PageBytes:][:g.PageBytes], nil
}

func (in *instance) CopyPages(g engine.GroupID, copies []engine.PageCopy) error {
	for _, c := range copies {
		from, err := in.page(g, c.From)
		if err != nil {
			return err
		}
		to, err := in.page(g, c.To)
		if err != nil {
			return err
		}
		copy(to, from)
	}
	return nil
}

func (in *instance) Export(g engine.GroupID, page int32, dst []byte) (*engine.Ticket, error) {
	p, err := in.page(g, page)
	if err != nil {
		return nil, err
	}
	return transfer(dst, p)
}

func (in *instance) Import(g engine.GroupID, page int32, src []byte) (*engine.Ticket, error) {
	p, err := in.page(g, page)
	if err != nil {
		return nil, err
	}
	return transfer(p, src)
}

// transfer copies one page.
func transfer(to, from []byte) (*engine.Ticket, error) {
	if len(to) != len(from) {
		return nil, &engine.BatchError{Field: "pages", Reason: "a buffer of the wrong size"}
	}
	ticket, end := engine.NewTicket()
	copy(to, from)
	end(nil)
	return ticket, nil
}

// loaded is the generation that Load makes, and so far the only one.
const loaded engine.Generation = 1

func (in *instance) Generation() engine.Generation { return loaded }

func (in *instance) Replace(engine.Weights, func(done, total int64)) (engine.Generation, error) {
	return 0, &engine.UnsupportedError{What: "a second generation of weights", Reason: "the CPU backend holds one"}
}

func (in *instance) Retire(engine.Generation) error {
	return &engine.BatchError{Field: "generation", Reason: "the newest cannot be retired"}
}

func (in *instance) Digest(engine.Generation) string { return "" }

// Close stops the executor and the workers and frees everything.
func (in *instance) Close() error {
	close(in.submitted)
	<-in.exited
	return in.free()
}

func (in *instance) free() error {
	if in.c != nil && in.c.pool != nil {
		C.pool_stop(in.c.pool)
	}
	in.memory.free()
	var first error
	for _, r := range append(in.batches, in.weightsRegion, in.actsRegion, in.kvRegion) {
		if r == nil {
			continue
		}
		if err := r.Free(); err != nil && first == nil {
			first = err
		}
	}
	in.c, in.phases, in.batches = nil, nil, nil
	return first
}
