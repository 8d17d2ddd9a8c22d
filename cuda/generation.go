//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"errors"
	"fmt"

	"chimera/engine"
)

// This file owns generations: weights of an instance that come and go, each with the launches that read them.

// generation is one set of weights and what the program became for them. All else belongs to the instance.
type generation struct {
	*lowered
	plan   *engine.Plan
	digest string

	at          Pointer // the allocation that all of it lies in
	weights     []weight
	frequencies []Pointer // per rope: (dim / 2)
	phases      Pointer   // (launches) struct phase
	launches    []launch
}

// carveGeneration says where weights lie, and what is made of them while they are loaded.
func carveGeneration(a *arena, l *lowered, o engine.LoadOptions) *generation {
	g := &generation{lowered: l, at: a.base, weights: carveWeights(a, l)}
	for i := range l.Ropes {
		g.frequencies = append(g.frequencies, a.take(l.ropeHalf(i)*4))
	}
	f := filler{lowered: l, options: o}
	g.phases = a.take(int64(len(f.launches())) * C.sizeof_struct_phase)
	return g
}

func (g *generation) phaseAt(i int) Pointer { return g.phases + Pointer(i*C.sizeof_struct_phase) }

// Generation is the newest.
func (in *instance) Generation() engine.Generation {
	_, id := in.generations.Newest()
	return id
}

// Plan is that of the newest generation.
func (in *instance) Plan() *engine.Plan {
	g, _ := in.generations.Newest()
	if g == nil {
		return in.plan
	}
	return g.plan
}

// Digest is that of a generation's weights, nothing for one that is not there.
func (in *instance) Digest(id engine.Generation) string {
	g, err := in.generations.Find(id)
	if err != nil {
		return ""
	}
	return g.digest
}

// Replace loads a further generation beside steps; see engine.Instance. It goes through a staging ring of its own, a chunk
// at a time between the steps' calls. Activations, batches and pages stay: their sizes are the program's, whatever the
// types of its weights. What fails before the device is lost leaves the other generations as they were.
func (in *instance) Replace(w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	in.replacing.Lock()
	defer in.replacing.Unlock()
	if err := in.ready(); err != nil {
		return 0, err
	}
	l, err := lower(in.Program, w)
	if err != nil {
		return 0, err
	}
	if err := in.roomFor(planOf(l, in.options, in.device)); err != nil {
		return 0, err
	}
	return in.addGeneration(l, w, progress)
}

// roomFor refuses weights that the device has no memory for.
func (in *instance) roomFor(plan *engine.Plan) error {
	var free int64
	err := in.device.do("asking for free memory for", func() (err error) {
		free, _, err = in.device.memInfo()
		return err
	})
	if need := plan.WeightBytes + plan.StagingBytes; err == nil && need > free {
		return &engine.NoRoomError{Need: need, Available: free, Bound: in.device.name()}
	}
	return err
}

// Retire waits for what is under way and frees a generation, graphs included.
func (in *instance) Retire(id engine.Generation) error {
	if err := in.ready(); err != nil {
		return err
	}
	g, err := in.generations.Retire(id)
	if err != nil {
		return err
	}
	return in.do("retiring weights of", func() error {
		if err := in.device.synchronize(*in.stream); err != nil {
			return err
		}
		return oneCause(in.graphs.evictOf(g), in.device.memFree(g.at))
	})
}

// addGeneration loads weights and writes down the launches that read them.
func (in *instance) addGeneration(l *lowered, w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	plan := planOf(l, in.options, in.device)
	var at Pointer
	err := in.device.do(allocating, func() (err error) {
		at, err = in.device.memAlloc(plan.WeightBytes)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("allocating memory: %w", err)
	}
	g := carveGeneration(&arena{base: at}, l, in.options)
	g.plan, g.launches = plan, in.filler(g).launches()
	if err = in.findKernels(g); err != nil {
		err = fmt.Errorf("loading kernels: %w", err)
	} else if err = in.upload(g, w, progress); err != nil {
		err = fmt.Errorf("loading weights: %w", err)
	}
	if err != nil {
		return 0, oneCause(err, in.device.do("closing", func() error { return in.device.memFree(at) }))
	}
	return in.generations.Add(g), nil
}

// freeGenerations gives back all weights, inside do.
func (in *instance) freeGenerations() (err error) {
	for _, g := range in.generations.All() {
		if g.at != 0 {
			err = errors.Join(err, in.device.memFree(g.at))
			g.at = 0
		}
	}
	return err
}
