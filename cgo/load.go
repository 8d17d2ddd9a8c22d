package cgo

// #include "step.h"
import "C"

import (
	"errors"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns loading: an instance, and further weights for it.

// Load builds an instance; see engine.Backend.
func (b *Backend) Load(p *engine.Program, w engine.Weights, o engine.LoadOptions) (engine.Instance, error) {
	l, s, err := b.prepare(p, w, o)
	if err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	in := &instance{lowered: l, backend: b, sizes: s, limits: limitsOf(p, s), batches: map[*engine.Batch]*hostmem.Region{}}
	in.step = step{compute: in.compute, done: make(chan bool, 1)}
	c, err := b.claim(planOf(l, s, b.isa()).TotalBytes())
	if err != nil {
		b.leave()
		return nil, err
	}
	defer c.release()
	if err := in.load(w, c); err != nil {
		return nil, errors.Join(err, in.free())
	}
	return in, nil
}

// prepare checks what Load and Plan are asked for, before any memory is taken.
func (b *Backend) prepare(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*lowered, sizes, error) {
	if err := o.Check(p); err != nil {
		return nil, sizes{}, err
	}
	if o.Share != nil {
		groups, err := b.sharedGroups(p, o)
		if err != nil {
			return nil, sizes{}, err
		}
		o.Pages = nil
		for _, g := range groups {
			o.Pages = append(o.Pages, g.pages())
		}
	}
	l, err := lower(p, w)
	return l, sizesOf(o, b.threads), err
}

func limitsOf(p *engine.Program, s sizes) engine.Limits {
	return engine.Limits{
		MaxTokens: s.MaxTokens, MaxVectors: s.MaxVectors, VectorWidth: p.VectorWidth(),
		MaxSequences: s.MaxSequences, MaxOutputs: s.MaxOutputs, MaxRows: lowering.WholeRows, MaxTop: s.MaxTop,
		MaxTaps: lowering.TapRows, TapWidth: p.TapWidth(),
		MaxContext: s.MaxContext, Groups: groupLimits(p, s.LoadOptions), Vocab: p.Vocab, Depth: 1,
	}
}

// load takes what the plan announced and reads the weights.
func (in *instance) load(w engine.Weights, c *claim) (err error) {
	if in.cache, in.groups, err = in.backend.cacheOf(in.Program, in.sizes.LoadOptions); err != nil {
		return err
	}
	need := &hostmem.Carver{}
	carveBuffers(need, in.lowered, in.sizes)
	if in.acts, err = hostmem.Alloc(hostmem.Activations, need.Need(), pagesOf(in.sizes.LoadOptions)...); err != nil {
		return err
	}
	in.buffers = carveBuffers(hostmem.NewCarver(in.acts), in.lowered, in.sizes)
	in.fillInstance()
	_, err = in.addGeneration(in.lowered, w, c.progress(in.sizes.Progress))
	return err
}

// addGeneration loads weights and writes down the plan that reads them.
func (in *instance) addGeneration(l *lowered, w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	weights, err := in.backend.loadWeights(l, in.sizes.LoadOptions, w, progress)
	if err != nil {
		return 0, err
	}
	g := &generation{weights: weights, shown: planOf(l, in.sizes, in.backend.isa())}
	g.phases = fillPlan(&g.memory, l, in.values, in.buffers.angles, weights.packed)
	g.users = 1
	return in.generations.Add(g), nil
}

// Replace loads a further generation beside steps; see engine.Instance. Activations, batches and pages stay: their
// sizes are the program's, whatever the types of its weights.
func (in *instance) Replace(w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	in.replacing.Lock()
	defer in.replacing.Unlock()
	if in.closed {
		return 0, errClosed
	}
	l, err := lower(in.Program, w)
	if err != nil {
		return 0, err
	}
	plan := planOf(l, in.sizes, in.backend.isa())
	c, err := in.backend.claim(plan.WeightBytes + plan.StagingBytes)
	if err != nil {
		return 0, err
	}
	defer c.release()
	return in.addGeneration(l, w, c.progress(progress))
}

// Retire frees a generation, if a step is under way with it behind that.
func (in *instance) Retire(id engine.Generation) error {
	if in.closed {
		return errClosed
	}
	g, err := in.generations.Retire(id)
	if err != nil {
		return err
	}
	return g.end()
}
