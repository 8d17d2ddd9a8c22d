package lowering

import (
	"testing"

	"chimera/engine"
)

// A matrix of one row is a matrix all the same: as a vector its product would be left uncomputed.
func TestPlainWeights(t *testing.T) {
	b := engine.NewBuilder("test", 1, 1)
	x, y, rows := b.Value("x", 4), b.Value("y", 1), b.OutputValue("rows", 1)
	want := map[engine.WeightID]bool{}
	weight := func(name string, rows, cols int, plain bool) engine.WeightID {
		id := b.Weight(name, rows, cols)
		want[id] = plain
		return id
	}
	b.Add(engine.Embed{Table: weight("table", 1, 4, false), Positions: weight("positions", 1, 4, true), Scale: 1, Out: x})
	b.Add(engine.Norm{Gamma: weight("gamma", 1, 4, true), Kind: engine.RMSNorm, In: x, Out: x})
	b.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: weight("up", 1, 4, false), Bias: weight("bias", 1, 1, true),
		Gate: weight("gate", 1, 4, false), Out: y}}})
	b.Add(engine.Rows{In: y, Out: rows})
	b.Add(engine.Head{In: rows, Weight: weight("head", 1, 1, false), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	for i, plain := range PlainWeights(p) {
		if plain != want[engine.WeightID(i+1)] {
			t.Errorf("%s: plain is %v", p.Weights[i].Name, plain)
		}
	}
}
