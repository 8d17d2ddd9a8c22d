package lowering

import (
	"slices"
	"testing"

	"chimera/engine"
)

// This file owns tests of taps: they lie one behind another, and leave all else as it is without them.

// tappedProgram has a tap of the stream and one of the final state, if they are wanted.
func tappedProgram(t *testing.T, taps bool) *engine.Program {
	t.Helper()
	b := engine.NewBuilder("test", 8, 1)
	x, rows, last := b.Value("x", 32), b.OutputValue("rows", 32), b.OutputValue("last", 32)
	tap := func(name string, v engine.ValueID) {
		if taps {
			b.Add(engine.Tap{Name: name, In: v})
		}
	}
	b.Add(engine.Embed{Table: b.Weight("table", 8, 32), Scale: 1, Out: x})
	tap("stream", x)
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.Vector("gamma", 32), In: rows, Out: last})
	tap("final", last)
	tap("again", last)
	b.Add(engine.Head{In: last, Weight: b.Weight("head", 8, 32), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The final norm still rounds its rows for the head, though taps stand between.
func TestTapsChangeNoOtherPhase(t *testing.T) {
	var all [2][]Phase
	for i, taps := range []bool{false, true} {
		l, err := Lower(tappedProgram(t, taps), typed{types: map[string]engine.DType{"head": engine.Q8_0}}, Capacity{HeadDim: 32})
		if err != nil {
			t.Fatal(err)
		}
		var firsts []int
		for _, p := range l.Phases {
			if p.Kind == Tap {
				firsts = append(firsts, p.First)
				continue
			}
			all[i] = append(all[i], p)
		}
		if want := []int{0, 32, 64}; taps && !slices.Equal(firsts, want) {
			t.Errorf("taps begin at %v, want %v", firsts, want)
		}
	}
	if len(all[0]) != 4 || !all[0][2].Quantise || !slices.EqualFunc(all[0], all[1], func(a, b Phase) bool { return a == b }) {
		t.Errorf("phases without taps\n%+v, and beside taps\n%+v", all[0], all[1])
	}
}

// Results do not depend on taps, so neither does the digest that names them.
func TestTapsHaveNoPartInTheDigest(t *testing.T) {
	w := testWeights()
	p := testProgram(t, 0, 1e4)
	plain := digest(t, p, w, func([]int) {})
	tapped := *p
	tapped.Ops = slices.Insert(slices.Clone(p.Ops), 1, engine.Op(engine.Tap{Name: "stream", In: 1}))
	if digest(t, &tapped, w, func([]int) {}) != plain {
		t.Error("a tap changes the digest")
	}
}
