package cgo

// #include "step.h"
// #include "isa.h"
import "C"

import (
	"errors"
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
func (b *Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	if len(o.Pages) != len(p.Groups) {
		return nil, fmt.Errorf("pages of %d groups for a program with %d", len(o.Pages), len(p.Groups))
	}
	s := sizesOf(o, b.threads)
	in := &instance{lowered: l, sizes: s, plan: planOf(l, s, b.isa())}
	in.limits = limitsOf(in)
	if err := in.load(b.kernels, w); err != nil {
		return nil, errors.Join(err, in.free())
	}
	return in, nil
}

func (in *instance) load(kernels *C.struct_kernels, w engine.Weights) error {
	if err := in.allocate(); err != nil {
		return err
	}
	if err := in.repack(w); err != nil {
		return err
	}
	in.fillInstance(kernels)
	in.phases = fillPlan(&in.memory, in.lowered, in.values, in.buffers.angles, in.packed)
	return in.start()
}

func limitsOf(in *instance) engine.Limits {
	return engine.Limits{
		MaxTokens: in.sizes.MaxTokens, MaxVectors: in.sizes.MaxVectors, VectorWidth: in.Program.VectorWidth(),
		MaxSequences: in.sizes.MaxSequences, MaxOutputs: in.sizes.MaxOutputs, MaxRows: lowering.WholeRows, MaxTop: in.sizes.MaxTop,
		MaxContext: in.sizes.MaxContext, Groups: groupLimits(in.Program, in.sizes.LoadOptions), Vocab: in.Program.Vocab, Depth: 1,
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
	in.groups = carveGroups(hostmem.NewCarver(in.kvRegion), in.Program, in.sizes.LoadOptions)
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
	for range min(in.sizes.threads, runtime.NumCPU()) {
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
	in.c.pool = C.pool_start(C.int(in.sizes.threads))
	if in.c.pool == nil {
		return fmt.Errorf("starting %d compute threads failed: lower --threads or raise the limit on tasks", in.sizes.threads)
	}
	in.submitted = make(chan *engine.Batch, 1)
	in.done = make(chan struct{}, 1)
	in.exited = make(chan struct{})
	go in.execute()
	return nil
}
