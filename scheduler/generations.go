package scheduler

import (
	"fmt"
	"slices"

	"chimera/engine"
)

// This file owns the generations of the instance's weights: who computes with which, and when one is no longer needed.
//
// A sequence begins with the newest generation and keeps it to its end, preempted or not. A step has one generation, so
// sequences of different ones are in different steps, which take turns.

// generation is one that is there. Its root is in the key of every page, so that generations share a page only if
// their weights are the same.
type generation struct {
	id     engine.Generation
	root   pageKey
	digest *string // of the weights, as the instance has it
}

// Replace loads other weights, which sequences that have not begun will use. It may be called beside Run, and takes long.
func (s *Lane) Replace(w engine.Weights, progress func(done, total int64)) (engine.Generation, error) {
	g, err := s.instance.Replace(w, progress)
	s.wake() // an idle loop retires the generation before
	return g, err
}

// Weights is the digest of the newest weights.
func (s *Lane) Weights() string { return *s.latest.Load().digest }

// renew notes new generations and retires those that nobody needs.
func (s *Lane) renew() (err error) {
	known := engine.Generation(0)
	if len(s.generations) > 0 {
		known = s.newest().id
	}
	for id := known + 1; id <= s.instance.Generation(); id++ {
		digest := s.instance.Digest(id)
		s.generations = append(s.generations, generation{id, rootOf(digest), &digest})
	}
	newest := s.newest()
	if newest.id != known {
		latest := newest // which is allocated here alone: most steps have no new one
		s.latest.Store(&latest)
		s.repin()
	}
	s.generations = slices.DeleteFunc(s.generations, func(g generation) bool {
		if err != nil || g == newest || s.needed(g.id) {
			return false
		}
		if e := s.instance.Retire(g.id); e != nil {
			err = fmt.Errorf("generation %d: %w", g.id, e)
		}
		return true
	})
	return err
}

func (s *Lane) newest() generation { return s.generations[len(s.generations)-1] }

// needed tells whether a sequence that has begun or a step under way is of the generation.
func (s *Lane) needed(id engine.Generation) bool {
	of := func(seq *Sequence) bool { return seq.begun() && seq.generation.id == id }
	return slices.ContainsFunc(s.running, of) || slices.ContainsFunc(s.waiting, of) || s.steps.names(id)
}

// join makes the newest generation that of a sequence which has not begun, and has it go on from what is pinned now.
func (s *Lane) join(seq *Sequence) {
	if g, now := s.newest(), s.offers.Load(); !seq.begun() && (seq.generation != g || seq.offers != now) {
		seq.generation, seq.keys, seq.found, seq.follows = g, nil, 0, following{}
		seq.goOnFrom(now)
	}
}

// nextGeneration is whose turn it is: of those that run, the one behind the one that had the last turn.
func (s *Lane) nextGeneration() engine.Generation {
	behind := slices.IndexFunc(s.generations, func(g generation) bool { return g.id > s.lastTurn })
	for i := range s.generations {
		g := s.generations[(max(behind, 0)+i)%len(s.generations)]
		if slices.ContainsFunc(s.running, func(seq *Sequence) bool { return seq.generation == g && s.isWanted(seq) }) {
			return g.id
		}
	}
	return s.newest().id
}
