package cgo

// #include "step.h"
// #include "rope.h"
// #include "isa.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns loading: memory, repacking of the weights, and the C structures of the plan.

// Load builds an instance; see engine.Backend.
func (Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	kernels, err := kernelsFor(o.ISA)
	if err != nil {
		return nil, err
	}
	in := &instance{lowered: l, sizes: sizesOf(o), plan: planOf(l, sizesOf(o), C.GoString(kernels.isa))}
	in.limits = limitsOf(in)
	if err := in.allocate(); err != nil {
		in.free()
		return nil, err
	}
	if err := in.repack(w); err != nil {
		in.free()
		return nil, err
	}
	in.fill(kernels)
	if err := in.start(); err != nil {
		in.free()
		return nil, err
	}
	return in, nil
}

func limitsOf(in *instance) engine.Limits {
	return engine.Limits{
		MaxTokens: in.sizes.MaxTokens, MaxSequences: in.sizes.MaxSequences, MaxOutputs: in.sizes.MaxOutputs,
		MaxRows: lowering.WholeRows, MaxTop: in.sizes.MaxTop, MaxContext: in.sizes.MaxContext, Pages: in.sizes.Pages,
		PageTokens: engine.PageTokens, PageBytes: in.plan.PageBytes, Vocab: in.Program.Vocab, Depth: 1,
	}
}

// allocate takes what the plan announced.
func (in *instance) allocate() error {
	for _, want := range []struct {
		purpose hostmem.Purpose
		bytes   int64
		options hostmem.Option
		region  **hostmem.Region
	}{
		{hostmem.Weights, in.plan.WeightBytes, hostmem.TryLock, &in.weightsRegion}, // every step reads all of them
		{hostmem.Activations, in.plan.ActBytes, 0, &in.actsRegion},
		{hostmem.KV, in.plan.KVBytes, 0, &in.kvRegion}, // locking would take pages that nobody uses yet
	} {
		r, err := hostmem.Alloc(want.purpose, want.bytes, want.options)
		if err != nil {
			return err
		}
		*want.region = r
	}
	in.packed = carveWeights(hostmem.NewCarver(in.weightsRegion), in.lowered)
	in.buffers = carveBuffers(hostmem.NewCarver(in.actsRegion), in.lowered, in.sizes)
	return nil
}

// packGroups is how many groups of 16 rows a load task packs before source pages are given back.
const packGroups = 64

// repack interleaves the weights, one tensor per goroutine at a time.
func (in *instance) repack(w engine.Weights) error {
	var total, done atomic.Int64
	for _, p := range in.packed {
		total.Add(p.bytes())
	}
	tasks := make(chan int)
	errs := make(chan error, len(in.packed))
	var group sync.WaitGroup
	for range min(in.sizes.Threads, runtime.NumCPU()) {
		group.Go(func() {
			for i := range tasks {
				if err := in.repackOne(w, i); err != nil {
					errs <- err
				}
				n := done.Add(in.packed[i].bytes())
				if in.sizes.Progress != nil {
					in.sizes.Progress(n, total.Load())
				}
			}
		})
	}
	for i := range in.packed {
		tasks <- i
	}
	close(tasks)
	group.Wait()
	for _, weight := range in.Program.Weights {
		w.Release(weight.Name)
	}
	close(errs)
	return <-errs
}

func (in *instance) repackOne(w engine.Weights, i int) error {
	weight, packed := in.Program.Weights[i], in.packed[i]
	if packed.plain != nil {
		return copyPlain(w, weight, packed.plain)
	}
	t, err := w.Tensor(weight.Name)
	if err != nil {
		return err
	}
	rowBytes := int64(len(t.Data)) / int64(t.Rows)
	src := t.Data[int64(weight.FirstRow)*rowBytes:][:int64(weight.Rows)*rowBytes]
	for g := 0; g < int(packed.matrix.groups); g += packGroups {
		n := min(packGroups, int(packed.matrix.groups)-g)
		C.pack_groups(&packed.matrix, C.uint32_t(t.Type), (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(src))),
			C.int64_t(rowBytes), C.int(g), C.int(n))
	}
	if !in.Program.Shares(weight) {
		w.Release(weight.Name)
	}
	return nil
}

// copyPlain dequantises a vector (FirstRow counts its elements) or the rows of a plain matrix.
func copyPlain(w engine.Weights, weight engine.Weight, dst []float32) error {
	t, err := w.Tensor(weight.Name)
	if err != nil {
		return err
	}
	if weight.Rows > 1 || t.Rows > 1 {
		return w.Dequantize(weight.Name, weight.FirstRow, weight.Rows, dst)
	}
	whole := make([]float32, t.Cols)
	if err := w.Dequantize(weight.Name, 0, 1, whole); err != nil {
		return err
	}
	copy(dst, whole[weight.FirstRow:])
	return nil
}

// start makes the worker threads and the executor.
func (in *instance) start() error {
	in.c.pool = C.pool_start(C.int(in.sizes.Threads))
	if in.c.pool == nil {
		return fmt.Errorf("starting %d compute threads failed: lower --threads or raise the limit on tasks", in.sizes.Threads)
	}
	in.submitted = make(chan *engine.Batch, 1)
	in.done = make(chan struct{}, 1)
	in.exited = make(chan struct{})
	go in.execute()
	return nil
}
