package lowering

import (
	"fmt"

	"chimera/engine"
)

// This file owns the tables of sines and cosines: one for each distinct rope, made once a step.

// ropeTables puts the phases that form sines and cosines first: they depend on positions alone.
func (l *lowering) ropeTables() {
	var tables []Phase
	for i := range l.Ropes {
		tables = append(tables, Phase{Kind: RopeTable, Name: fmt.Sprintf("rope table %d", i), Rope: i})
	}
	l.Phases = append(tables, l.Phases...)
}

// ropeIndex returns the place of r among the distinct ropes.
func (l *lowering) ropeIndex(r *engine.Rope) int {
	if r == nil {
		return NoRope
	}
	for i, known := range l.Ropes {
		if known == *r {
			return i
		}
	}
	l.Ropes = append(l.Ropes, *r)
	return len(l.Ropes) - 1
}
