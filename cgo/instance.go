package cgo

// #include <stdlib.h>
// #include "step.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync"
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
	digest string

	weightsRegion, actsRegion, kvRegion *hostmem.Region
	batches                             []*hostmem.Region
	packed                              []packedWeight
	buffers                             *buffers

	c          *C.struct_instance
	values     []C.struct_value
	ropeTables []C.struct_rope
	callocs    []unsafe.Pointer

	submitted chan *engine.Batch
	done      chan struct{}
	exited    chan struct{}
	running   bool
	closing   sync.Once
}

func (in *instance) Limits() engine.Limits { return in.limits }

func (in *instance) Plan() *engine.Plan { return in.plan }

func (in *instance) Digest() string { return in.digest }

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
		C.step_run(in.c, c)
		in.done <- struct{}{}
	}
}

// pointBatch writes the batch's arrays down for C. They lie off-heap, so C may read them as they are.
func pointBatch(c *C.struct_batch, b *engine.Batch, maxTop int) {
	*c = C.struct_batch{
		tokens: ints(b.Tokens), positions: ints(b.Positions), pages: ints(b.Pages),
		sequences:   (*C.struct_sequence_rows)(unsafe.Pointer(unsafe.SliceData(b.Sequences))),
		outputs:     (*C.struct_output)(unsafe.Pointer(unsafe.SliceData(b.Outputs))),
		penalties:   (*C.struct_penalty)(unsafe.Pointer(unsafe.SliceData(b.Penalties))),
		biases:      (*C.struct_bias)(unsafe.Pointer(unsafe.SliceData(b.Biases))),
		results:     (*C.struct_result)(unsafe.Pointer(unsafe.SliceData(b.Results))),
		top:         (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(b.Top))),
		logits:      floats(b.Logits),
		token_count: C.int32_t(len(b.Tokens)), sequence_count: C.int32_t(len(b.Sequences)),
		output_count: C.int32_t(len(b.Outputs)), max_top: C.int32_t(maxTop),
	}
}

func (in *instance) page(i int32) ([]byte, error) {
	if i < 0 || int(i) >= in.limits.Pages {
		return nil, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %d", i, in.limits.Pages)}
	}
	n := in.limits.PageBytes
	return in.kvRegion.Bytes()[int64(i)*n:][:n], nil
}

func (in *instance) CopyPages(copies []engine.PageCopy) error {
	for _, c := range copies {
		from, err := in.page(c.From)
		if err != nil {
			return err
		}
		to, err := in.page(c.To)
		if err != nil {
			return err
		}
		copy(to, from)
	}
	return nil
}

func (in *instance) ExportPage(page int32, dst []byte) error {
	p, err := in.page(page)
	if err != nil {
		return err
	}
	if len(dst) != len(p) {
		return &engine.BatchError{Field: "pages", Reason: "a buffer of the wrong size"}
	}
	copy(dst, p)
	return nil
}

func (in *instance) ImportPage(page int32, src []byte) error {
	p, err := in.page(page)
	if err != nil {
		return err
	}
	if len(src) != len(p) {
		return &engine.BatchError{Field: "pages", Reason: "a buffer of the wrong size"}
	}
	copy(p, src)
	return nil
}

// Close stops the executor and the workers and frees everything.
func (in *instance) Close() (err error) {
	in.closing.Do(func() {
		close(in.submitted)
		<-in.exited
		err = in.free()
	})
	return err
}

func (in *instance) free() error {
	if in.c != nil && in.c.pool != nil {
		C.pool_stop(in.c.pool)
	}
	for _, p := range in.callocs {
		C.free(p)
	}
	var first error
	for _, r := range append(in.batches, in.weightsRegion, in.actsRegion, in.kvRegion) {
		if r == nil {
			continue
		}
		if err := r.Free(); err != nil && first == nil {
			first = err
		}
	}
	in.c, in.callocs, in.batches = nil, nil, nil
	return first
}
