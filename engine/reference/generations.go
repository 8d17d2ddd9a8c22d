package reference

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"chimera/engine"
)

// This file owns the weights that a script replaces: when, by which others, and which generation a step has.

// version is a generation of a model.
type version struct {
	model      int
	generation engine.Generation
}

// generation is what a job's next step computes with.
func (s *script) generation(j *job) engine.Generation {
	if j.born != 0 {
		return j.born
	}
	return engine.Generation(len(s.weights[j.model]))
}

// addReplacement retires the generations that nobody needs any more, and replaces a model's weights.
func (s *script) addReplacement() {
	for m, all := range s.weights {
		for i := range len(all) - 1 {
			v := version{m, engine.Generation(i + 1)}
			retired := slices.ContainsFunc(s.acts, func(a act) bool { return a.retire != nil && *a.retire == v })
			if !retired && !s.needed(v) {
				s.acts = append(s.acts, act{retire: &v})
			}
		}
	}
	if !s.chance("replaced", 15) {
		return
	}
	m := s.draw("model", 0, len(s.models)-1)
	s.weights[m] = append(s.weights[m], s.renewed(s.models[m]))
	s.acts = append(s.acts, act{replace: &version{m, engine.Generation(len(s.weights[m]))}})
}

// needed tells whether a sequence has begun with a version and goes on.
func (s *script) needed(v version) bool {
	return slices.ContainsFunc(s.jobs, func(j *job) bool { return j.model == v.model && j.born == v.generation && j.done < len(j.Tokens) })
}

// renewed are other tensors of the same shapes, and where they are quantised often of another type.
func (s *script) renewed(m Model) Tensors {
	random, all := rand.New(rand.NewPCG(uint64(s.draw("seed", 0, math.MaxInt32)), 1)), Tensors{}
	for _, name := range slices.Sorted(maps.Keys(m.Tensors)) {
		t := m.Tensors[name]
		dtype := t.Type
		if others := typesFor(t.Cols, m.floats)[len(typesFor(t.Cols, true)):]; slices.Contains(others, dtype) {
			dtype = oneOf(s.author, "type", others...)
		}
		all.add(random, name, dtype, t.Rows, t.Cols, t.mean, t.deviation)
	}
	return all
}
