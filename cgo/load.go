package cgo

// #include "step.h"
// #include "rope.h"
// #include "isa.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns loading: what Load does, in order.

// Load builds an instance; see engine.Backend.
func (Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	if err := o.Check(p); err != nil {
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
	if err := in.pack(w); err != nil {
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
		region  **hostmem.Region
	}{
		{hostmem.Weights, in.plan.WeightBytes, &in.weightsRegion},
		{hostmem.Activations, in.plan.ActBytes, &in.actsRegion},
		{hostmem.KV, in.plan.KVBytes, &in.kvRegion}, // not to be locked: that would take pages that nobody uses yet
	} {
		r, err := hostmem.Alloc(want.purpose, want.bytes)
		if err != nil {
			return err
		}
		*want.region = r
	}
	in.packed = carveWeights(hostmem.NewCarver(in.weightsRegion), in.lowered)
	in.buffers = carveBuffers(hostmem.NewCarver(in.actsRegion), in.lowered, in.sizes)
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
