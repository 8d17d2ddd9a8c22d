package reference

import (
	"fmt"
	"strings"

	"chimera/engine"
)

// This file owns how a case is told when it fails.

// String is the program, its weights with their types.
func (m Model) String() string {
	var s strings.Builder
	p := m.Program
	fmt.Fprintf(&s, "vocabulary %d, context %d\n", p.Vocab, p.Context)
	for i, g := range p.Groups {
		fmt.Fprintf(&s, "group %d: %+v\n", i+1, g)
	}
	for i, v := range p.Values {
		fmt.Fprintf(&s, "value %d: %d wide, domain %d\n", i+1, v.Width, v.Rows)
	}
	for i, w := range p.Weights {
		t := m.Tensors[w.Name]
		fmt.Fprintf(&s, "weight %d: %d x %d from %d of %s, which has %d x %d\n", i+1, w.Rows, w.Cols, w.FirstRow, w.Name, t.Rows, t.Cols)
	}
	for i, op := range p.Ops {
		fmt.Fprintf(&s, "op %d: %T%+v%s\n", i+1, op, op, ropeOf(op))
	}
	return s.String()
}

func ropeOf(op engine.Op) string {
	var rope *engine.Rope
	switch o := op.(type) {
	case engine.Store:
		rope = o.Rope
	case engine.Attend:
		rope = o.Rope
	}
	if rope == nil {
		return ""
	}
	return fmt.Sprintf(" Rope%+v", *rope)
}

// String tells what happened to a sequence, by steps and pages.
func (s *script) String() string {
	var text strings.Builder
	for i, m := range s.models {
		fmt.Fprintf(&text, "model %d, %+v\n%v", i, s.options[i], m)
	}
	for i, a := range s.acts {
		switch {
		case a.step != nil:
			fmt.Fprintf(&text, "act %d: a step of model %d, generation %d:", i, a.step.model, a.step.generation)
			for _, p := range a.step.pieces {
				fmt.Fprintf(&text, " positions %d to %d of %d, tables %v;", p.first, p.first+p.count-1, len(p.Tokens), p.tables)
			}
			text.WriteByte('\n')
		case a.move != nil:
			fmt.Fprintf(&text, "act %d: %+v\n", i, *a.move)
		case a.replace != nil:
			fmt.Fprintf(&text, "act %d: model %d gets weights of generation %d\n", i, a.replace.model, a.replace.generation)
		case a.retire != nil:
			fmt.Fprintf(&text, "act %d: generation %d of model %d is retired\n", i, a.retire.generation, a.retire.model)
		}
	}
	return text.String()
}
