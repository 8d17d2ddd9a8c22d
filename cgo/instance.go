package cgo

// #include <stdlib.h>
// #include "step.h"
import "C"

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the loaded instance: how its parts make a step, and its end.

// instance is a loaded program: the backend's workers, a cache, and generations of weights with their plans. What is
// left for itself are the activations and the batches.
type instance struct {
	*lowered // for the first generation; program, ropes and sizes are those of all
	backend  *Backend
	sizes    sizes
	limits   engine.Limits

	cache       *cache
	groups      []*groupPages // of the cache, in the order of Program.Groups
	generations lowering.Generations[generation]

	acts    *hostmem.Region
	buffers *buffers
	batches map[*engine.Batch]*hostmem.Region // whose indices are within this instance's limits: no other's are taken
	memory  callocs
	c       *C.struct_instance
	cBatch  *C.struct_batch
	values  []C.struct_value

	step    step
	profile profile
	workers C.int         // of the step under way
	batch   *engine.Batch // of the step under way; the cache's lock guards it
	using   *generation   // of the step under way, nil if there is none

	replacing sync.Mutex // one Replace at a time, and none beside Close
	closed    bool
}

var errClosed = errors.New("the instance is closed")

func (in *instance) Limits() engine.Limits { return in.limits }

// NewBatch carves a batch out of a region of its own.
func (in *instance) NewBatch() (*engine.Batch, error) {
	if in.closed {
		return nil, errClosed
	}
	need := &hostmem.Carver{}
	lowering.CarveBatch(need, in.Program, in.sizes.LoadOptions)
	r, err := hostmem.Alloc(hostmem.Batch, need.Need())
	if err != nil {
		return nil, err
	}
	b := engine.NewBatch(in.limits, lowering.CarveBatch(hostmem.NewCarver(r), in.Program, in.sizes.LoadOptions))
	in.batches[b] = r
	return b, nil
}

func (in *instance) Submit(b *engine.Batch) error {
	switch {
	case in.closed:
		return errClosed
	case in.batches[b] == nil:
		return &engine.BatchError{Field: "batch", Reason: "another instance's"}
	case in.using != nil:
		return &engine.BatchError{Field: "depth", Reason: "a step is under way"}
	case len(b.Tokens) == 0:
		return &engine.BatchError{Field: "tokens", Reason: "an empty step"}
	}
	g, err := in.use(b.Generation)
	if err != nil {
		return err
	}
	if err := in.cache.begin(in, b); err != nil {
		return errors.Join(err, g.end())
	}
	in.using = g
	in.profile.count(in)
	in.step.background, in.workers, in.c.resume = b.Background, C.int(in.backend.workers()), C.struct_place{}
	in.backend.queue.submit(&in.step)
	return nil
}

// compute runs the step on the executor's thread, or goes on with one that gave way.
func (in *instance) compute() (gaveWay bool) {
	pointBatch(in.cBatch, in.batch)
	began := time.Now()
	gaveWay = C.step_run(in.c, in.using.phases, in.cBatch, in.workers) != 0
	in.backend.stepped(int(in.workers), began)
	return gaveWay
}

func (in *instance) Wait() error {
	if in.using == nil {
		return &engine.BatchError{Field: "depth", Reason: "no step is under way"}
	}
	gaveWay := <-in.step.done
	in.cache.end(in)
	if err := in.using.end(); err != nil { // no fault of the step
		slog.Error("weights that were retired were not freed", "error", err)
	}
	in.using = nil
	if gaveWay {
		return engine.ErrAborted
	}
	return nil
}

// Withdraw has a background step give way for good, which Wait then says.
func (in *instance) Withdraw() { in.backend.queue.withdraw(&in.step) }

// pointBatch writes the batch's arrays down for C. They lie off-heap, so C may read them as they are.
func pointBatch(c *C.struct_batch, b *engine.Batch) {
	l := b.Limits()
	*c = C.struct_batch{
		tokens: ints(b.Tokens), positions: ints(b.Positions), vectors: floats(b.Vectors),
		sequences: (*C.struct_sequence_rows)(unsafe.Pointer(unsafe.SliceData(b.Sequences))),
		tables:    (*C.struct_table)(unsafe.Pointer(unsafe.SliceData(b.Tables))), pages: ints(b.Pages),
		outputs:   (*C.struct_output)(unsafe.Pointer(unsafe.SliceData(b.Outputs))),
		penalties: (*C.struct_penalty)(unsafe.Pointer(unsafe.SliceData(b.Penalties))),
		biases:    (*C.struct_bias)(unsafe.Pointer(unsafe.SliceData(b.Biases))), targets: ints(b.Targets),
		results:       (*C.struct_result)(unsafe.Pointer(unsafe.SliceData(b.Results))),
		top:           (*C.struct_top_token)(unsafe.Pointer(unsafe.SliceData(b.Top))),
		target_logits: floats(b.TargetLogits), logits: floats(b.Logits), taps: floats(b.Taps),
		token_count: C.int32_t(len(b.Tokens)), sequence_count: C.int32_t(len(b.Sequences)),
		output_count: C.int32_t(len(b.Outputs)), max_top: C.int32_t(l.MaxTop),
		tapped_count: C.int32_t(len(b.Taps) / max(l.TapWidth, 1)), tap_width: C.int32_t(l.TapWidth),
	}
}

// page checks the name of a page.
func (in *instance) page(id engine.GroupID, i int32) (pageID, error) {
	switch {
	case in.closed:
		return pageID{}, errClosed
	case id < 1 || int(id) > len(in.groups):
		return pageID{}, &engine.BatchError{Field: "groups", Reason: fmt.Sprintf("group %d of %d", id, len(in.groups))}
	}
	g := in.groups[id-1]
	if i < 0 || int(i) >= g.pages() {
		return pageID{}, &engine.BatchError{Field: "pages", Reason: fmt.Sprintf("page %d of %d in %s", i, g.pages(), g.Name)}
	}
	return pageID{g, i}, nil
}

func (in *instance) CopyPages(g engine.GroupID, copies []engine.PageCopy) error {
	for _, c := range copies {
		for _, i := range []int32{c.From, c.To} {
			if _, err := in.page(g, i); err != nil {
				return err
			}
		}
	}
	if len(copies) == 0 {
		return nil
	}
	return in.cache.copyPages(in.groups[g-1], copies)
}

func (in *instance) Export(g engine.GroupID, page int32, dst []byte) (*engine.Ticket, error) {
	id, err := in.page(g, page)
	if err != nil {
		return nil, err
	}
	return in.cache.transfer(id, false, dst)
}

func (in *instance) Import(g engine.GroupID, page int32, src []byte) (*engine.Ticket, error) {
	id, err := in.page(g, page)
	if err != nil {
		return nil, err
	}
	return in.cache.transfer(id, true, src)
}

// Close waits for a step under way and frees everything; the cache, if no other instance shares it.
func (in *instance) Close() error {
	in.replacing.Lock()
	defer in.replacing.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	if in.using != nil {
		in.Withdraw()
		_ = in.Wait() // nobody asks for the result any more
	}
	return in.free()
}

// free gives back what was taken, of an instance that failed to load too.
func (in *instance) free() error {
	err := in.endAll()
	if in.cache != nil {
		err = errors.Join(err, in.cache.release())
	}
	for _, r := range in.batches {
		err = errors.Join(err, r.Free())
	}
	if in.acts != nil {
		err = errors.Join(err, in.acts.Free())
	}
	in.memory.free()
	in.backend.leave()
	return err
}
