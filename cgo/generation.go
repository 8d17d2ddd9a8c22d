package cgo

// #include "step.h"
import "C"

import (
	"errors"

	"chimera/engine"
)

// This file owns generations: weights of an instance that come and go, each with the plan that reads them.

// generation is one set of weights and what the program became for them. All else belongs to the instance.
type generation struct {
	weights *weights
	phases  *C.struct_plan
	memory  callocs // of phases
	shown   *engine.Plan
	users   int // the instance until it retires it, and a step under way: counted by the instance's owner
}

// free gives back what no step reads any more.
func (g *generation) free() error {
	g.memory.free()
	return g.weights.free()
}

// use takes a generation for a step.
func (in *instance) use(id engine.Generation) (*generation, error) {
	g, err := in.generations.Find(id)
	if err == nil {
		g.users++
	}
	return g, err
}

// end drops one user of g, and frees it behind the last.
func (g *generation) end() error {
	if g.users--; g.users > 0 {
		return nil
	}
	return g.free()
}

// endAll ends the use of all generations; what they say of themselves stays.
func (in *instance) endAll() (err error) {
	for _, g := range in.generations.All() {
		err = errors.Join(err, g.end())
	}
	return err
}

// Generation is the newest.
func (in *instance) Generation() engine.Generation {
	_, id := in.generations.Newest()
	return id
}

// Plan is that of the newest generation.
func (in *instance) Plan() *engine.Plan {
	g, _ := in.generations.Newest()
	return g.shown
}

// Digest is that of a generation's weights, nothing for one that is not there.
func (in *instance) Digest(id engine.Generation) string {
	g, err := in.generations.Find(id)
	if err != nil {
		return ""
	}
	return g.weights.digest
}
