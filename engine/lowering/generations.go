package lowering

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"chimera/engine"
)

// This file owns the generations of an instance: which there are, and which is the newest. What one is, and when its
// memory can go, is the backend's.

// Generations are an instance's, by their numbers. Replace adds to them beside steps; all else is the owner's.
type Generations[G any] struct {
	mu     sync.Mutex
	all    map[engine.Generation]*G
	newest engine.Generation
}

// Add makes g the newest.
func (s *Generations[G]) Add(g *G) engine.Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[engine.Generation]*G{}
	}
	s.newest++
	s.all[s.newest] = g
	return s.newest
}

// Newest is the newest and its number, nil and 0 before there is one.
func (s *Generations[G]) Newest() (*G, engine.Generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[s.newest], s.newest
}

// Find returns a generation, or what is wrong with asking for it.
func (s *Generations[G]) Find(id engine.Generation) (*G, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(id)
}

func (s *Generations[G]) find(id engine.Generation) (*G, error) {
	if g := s.all[id]; g != nil {
		return g, nil
	}
	return nil, &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("%d is not there, the newest is %d", id, s.newest)}
}

// Retire takes a generation out, which is the caller's from then on. The newest stays.
func (s *Generations[G]) Retire(id engine.Generation) (*G, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(id)
	if err == nil && id == s.newest {
		return nil, &engine.BatchError{Field: "generation", Reason: fmt.Sprintf("%d is the newest, which cannot be retired", id)}
	}
	if err == nil {
		delete(s.all, id)
	}
	return g, err
}

// All lists those that there are, the oldest first.
func (s *Generations[G]) All() (list []*G) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.all)) {
		list = append(list, s.all[id])
	}
	return list
}
