package cgo

// #include "step.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"

	"chimera/engine"
)

// This file owns generations: weights of an instance that come and go, each with the plan that reads them.

// generation is one set of weights and what the program became for them. All else belongs to the instance.
type generation struct {
	weights *weights
	phases  *C.struct_plan
	memory  callocs // of phases
	shown   *engine.Plan
	users   int // the instance until it retires it, and a step under way
}

// free gives back what no step reads any more.
func (g *generation) free() error {
	g.memory.free()
	return g.weights.free()
}

// generations are those of an instance. Replace adds to them beside steps; all else is the owner's.
type generations struct {
	mu     sync.Mutex
	all    map[engine.Generation]*generation
	newest engine.Generation
}

// add makes g the newest.
func (s *generations) add(g *generation) engine.Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.users = 1
	s.newest++
	s.all[s.newest] = g
	return s.newest
}

// find returns a generation, or what is wrong with asking for it.
func (s *generations) find(id engine.Generation) (*generation, error) {
	if g := s.all[id]; g != nil {
		return g, nil
	}
	return nil, &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("%d is not there, the newest is %d", id, s.newest)}
}

// begin takes a generation for a step.
func (s *generations) begin(id engine.Generation) (*generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(id)
	if err == nil {
		g.users++
	}
	return g, err
}

// end drops one user of g, and frees it behind the last.
func (s *generations) end(g *generation) error {
	s.mu.Lock()
	g.users--
	last := g.users == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	return g.free()
}

// retire takes a generation out. It is freed when no step uses it.
func (s *generations) retire(id engine.Generation) error {
	s.mu.Lock()
	g, err := s.find(id)
	if err == nil && id == s.newest {
		err = &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("%d is the newest, which cannot be retired", id)}
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	delete(s.all, id)
	s.mu.Unlock()
	return s.end(g)
}

// free ends the use of all of them; what they say of themselves stays.
func (s *generations) free() (err error) {
	for _, g := range s.all {
		err = errors.Join(err, s.end(g))
	}
	return err
}

// Generation is the newest.
func (in *instance) Generation() engine.Generation {
	in.generations.mu.Lock()
	defer in.generations.mu.Unlock()
	return in.generations.newest
}

// Plan is that of the newest generation.
func (in *instance) Plan() *engine.Plan {
	in.generations.mu.Lock()
	defer in.generations.mu.Unlock()
	return in.generations.all[in.generations.newest].shown
}

// Digest is that of a generation's weights, nothing for one that is not there.
func (in *instance) Digest(id engine.Generation) string {
	in.generations.mu.Lock()
	defer in.generations.mu.Unlock()
	g, err := in.generations.find(id)
	if err != nil {
		return ""
	}
	return g.weights.digest
}
