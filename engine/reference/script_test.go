package reference

import (
	"testing"

	"pgregory.net/rapid"

	"chimera/engine"
)

// Scripts replace weights while sequences of the ones before go on, and retire no generation that is still needed.
func TestScriptsReplaceWeights(t *testing.T) {
	replaced, retired, late := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := randomScript(t, randomModels(t))
		newest, gone := make([]engine.Generation, len(s.models)), map[version]bool{}
		for m := range newest {
			newest[m] = 1
		}
		for _, a := range s.acts {
			switch {
			case a.replace != nil:
				replaced++
				newest[a.replace.model]++
				if a.replace.generation != newest[a.replace.model] {
					t.Fatalf("generation %d after %d", a.replace.generation, newest[a.replace.model]-1)
				}
			case a.retire != nil:
				retired++
				if gone[*a.retire] || a.retire.generation >= newest[a.retire.model] {
					t.Fatalf("generation %d is retired twice, or is the newest", a.retire.generation)
				}
				gone[*a.retire] = true
			case a.step != nil:
				if a.step.generation < newest[a.step.model] {
					late++
				}
				if gone[version{a.step.model, a.step.generation}] {
					t.Fatalf("a step of generation %d, which is retired", a.step.generation)
				}
				for _, p := range a.step.pieces {
					if p.born != a.step.generation {
						t.Fatalf("a sequence of generation %d in a step of %d", p.born, a.step.generation)
					}
				}
			}
		}
	})
	if replaced < 50 || retired < 20 || late < 20 {
		t.Errorf("%d replacements, %d retirements, %d steps of older generations", replaced, retired, late)
	}
}
