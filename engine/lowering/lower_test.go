package lowering

import (
	"slices"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
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

// typed gives each weight a type; nothing else of it is asked for.
type typed struct {
	engine.Weights
	types map[string]engine.DType
}

func (w typed) Tensor(name string) (engine.Tensor, error) {
	rows := map[string]int{"table": 8, "head": 8, "gamma": 1}[name]
	if rows == 0 {
		rows = 32
	}
	return engine.Tensor{Name: name, Type: w.types[name], Rows: rows, Cols: 32, RowBytes: 32 * 4}, nil
}

// A norm rounds its own output, never the value that a product behind it reads instead.
func TestNormsRoundTheirOwnRows(t *testing.T) {
	b := engine.NewBuilder("test", 8, 1)
	x, h, y, rows := b.Value("x", 32), b.Value("h", 32), b.Value("y", 32), b.OutputValue("rows", 32)
	b.Add(engine.Embed{Table: b.Weight("table", 8, 32), Scale: 1, Out: x})
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.Vector("gamma", 32), In: x, Out: h})
	b.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: b.Weight("q8", 32, 32), Residual: h, Out: y}}})
	b.Add(engine.Rows{In: y, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("head", 8, 32), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Lower(p, typed{types: map[string]engine.DType{"q8": engine.Q8_0}}, Capacity{HeadDim: 32})
	if err != nil {
		t.Fatal(err)
	}
	if norm, round := l.Phases[1], l.Phases[2]; norm.Kind != Norm || norm.Quantise || round.Kind != Quantise || round.In != x {
		t.Errorf("the norm is %+v, behind it %+v: it must not round, x must be", norm, round)
	}
}

// What holds rounded rows is as wide as the widest input of any product, whatever the weights' types: those that replace them may
// want it rounded.
func TestRoundedRowsHaveRoom(t *testing.T) {
	b := engine.NewBuilder("test", 8, 1)
	x, y, rows := b.Value("x", 32), b.Value("y", 64), b.OutputValue("rows", 32)
	b.Add(engine.Embed{Table: b.Weight("table", 8, 32), Scale: 1, Out: x})
	b.Add(engine.Linears{In: x, Outputs: []engine.Linear{{Weight: b.Weight("up", 64, 32), Out: y}}})
	b.Add(engine.Linears{In: y, Outputs: []engine.Linear{{Weight: b.Weight("down", 32, 64), Out: x}}})
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("head", 8, 32), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	for _, types := range []map[string]engine.DType{{}, {"up": engine.Q8_0}, {"down": engine.Q8_0}, {"up": engine.Q8_0, "down": engine.Q8_0, "head": engine.Q8_0}} {
		w := enginetest.Tensors{}
		for _, weight := range p.Weights {
			w.Put(weight.Name, types[weight.Name], weight.Rows, weight.Cols, make([]byte, map[engine.DType]int{engine.F32: 4 * weight.Rows * weight.Cols, engine.Q8_0: 34 * weight.Rows * weight.Cols / 32}[types[weight.Name]]))
		}
		l, err := Lower(p, w, Capacity{HeadDim: 32})
		if err != nil {
			t.Fatal(err)
		}
		if l.ActCols != 64 {
			t.Errorf("types %v: rounded rows of %d, the widest input has 64", types, l.ActCols)
		}
	}
}

// A value is rounded once for all products that read it, and again once something has written it: a stale
// rounding would be the value of the op before. Weights of floats ask for none.
func TestRoundingFollowsWrites(t *testing.T) {
	b := engine.NewBuilder("test", 8, 1)
	x, y, rows := b.Value("x", 32), b.Value("y", 32), b.OutputValue("rows", 32)
	q8, f32 := b.Weight("q8", 32, 32), b.Weight("f32", 32, 32)
	product := func(w engine.WeightID, in, out engine.ValueID) {
		b.Add(engine.Linears{In: in, Outputs: []engine.Linear{{Weight: w, Out: out}}})
	}
	b.Add(engine.Embed{Table: b.Weight("table", 8, 32), Scale: 1, Out: x})
	product(f32, x, y)
	product(q8, x, y) // rounds x
	product(q8, x, y) // has it
	product(q8, y, x) // rounds y, writes x
	product(q8, x, y) // rounds x anew
	b.Add(engine.Add{A: x, B: y, Out: x})
	product(q8, x, y) // and again
	b.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: b.Vector("gamma", 32), In: y, Out: x})
	product(q8, x, y) // the norm rounds it
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("head", 8, 32), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Lower(p, typed{types: map[string]engine.DType{"q8": engine.Q8_0, "head": engine.Q8_0}}, Capacity{HeadDim: 32})
	if err != nil {
		t.Fatal(err)
	}
	names := map[Kind]string{Embed: "embed", Norm: "norm", Linears: "linears", Add: "add", Rows: "rows", Head: "head"}
	var got []string
	for _, phase := range l.Phases {
		switch {
		case phase.Kind == Quantise:
			got = append(got, phase.Name)
		case phase.Quantise:
			got = append(got, names[phase.Kind]+"+quantise")
		default:
			got = append(got, names[phase.Kind])
		}
	}
	want := []string{"embed", "linears", "quantise x", "linears", "linears", "quantise y", "linears", "quantise x", "linears", "add",
		"quantise x", "linears", "norm+quantise", "linears", "rows", "quantise rows", "head"}
	if !slices.Equal(got, want) {
		t.Errorf("phases\n%q, want\n%q", got, want)
	}
}
