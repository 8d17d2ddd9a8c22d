package reference

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"chimera/engine"
)

// This file holds the evaluator to values that were worked out by hand, op by op: it is what backends are held to, so
// what it gets wrong nothing else would show.

// floatTensor is an F32 tensor of the given values.
func floatTensor(name string, rows int, values ...float32) memoryTensor {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return memoryTensor{Tensor: engine.Tensor{Name: name, Type: engine.F32, Rows: rows, Cols: len(values) / rows, RowBytes: len(data) / rows}, data: data}
}

// on is a run over rows of one value, number 1, whose weights are matrices of the given rows.
func on(policy engine.Policy, rows [][]float64, weights ...[][]float64) *run {
	e := &Evaluator{program: &engine.Program{}, policy: policy}
	for _, w := range weights {
		e.weights = append(e.weights, tensor{rows: w})
	}
	return &run{Evaluator: e, doubt: &doubt{}, Sequence: Sequence{Tokens: make([]int32, len(rows))}, values: map[engine.ValueID][][]float64{1: rows}, Evaluation: Evaluation{Stored: Memory{}}}
}

func wantRows(t *testing.T, what string, got, want [][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if len(got[i]) != len(want[i]) || distance(got[i], want[i]) > 1e-12 {
			t.Errorf("%s: row %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestEmbed(t *testing.T) {
	r := on(engine.Policy{}, [][]float64{nil, nil}, [][]float64{{1, 2}, {3, 4}}, [][]float64{{10, 20}, {30, 40}})
	r.Tokens, r.Vectors = []int32{1, engine.VectorRow(0)}, [][]float32{{7, 8}}
	r.embed(engine.Embed{Table: 1, Scale: 2, Out: 2})
	wantRows(t, "a vector is not scaled", r.values[2], [][]float64{{6, 8}, {7, 8}})
	r.embed(engine.Embed{Table: 1, Scale: 2, Positions: 2, Out: 2})
	wantRows(t, "positions", r.values[2], [][]float64{{16, 28}, {37, 48}})
}

func TestNorms(t *testing.T) {
	r := on(engine.Policy{}, [][]float64{{3, 4}}, [][]float64{{2, 1}}, [][]float64{{0, 10}})
	root := math.Sqrt(12.5 + 0.5)
	for what, c := range map[string]struct {
		op   engine.Norm
		want []float64
	}{
		"RMS":              {engine.Norm{Kind: engine.RMSNorm, Epsilon: 0.5}, []float64{3 / root, 4 / root}},
		"RMS, gamma, beta": {engine.Norm{Kind: engine.RMSNorm, Epsilon: 0.5, Gamma: 1, Beta: 2}, []float64{6 / root, 4/root + 10}},
		"layer":            {engine.Norm{Kind: engine.LayerNorm, Epsilon: 0.75}, []float64{-0.5, 0.5}}, // 3.5 +- 0.5, whose variance is 1/4
		"residual":         {engine.Norm{Kind: engine.LayerNorm, Epsilon: 0.75, Residual: 1}, []float64{2.5, 4.5}},
	} {
		c.op.In, c.op.Out = 1, 2
		r.norm(c.op)
		wantRows(t, what, r.values[2], [][]float64{c.want})
	}
}

func TestLinears(t *testing.T) {
	silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	r := on(engine.Policy{}, [][]float64{{1, -2}}, [][]float64{{1, 1}, {3, 1}}, [][]float64{{0.5, 0.25}}, [][]float64{{2, 1}, {0, 1}}, [][]float64{{1, 1}})
	for what, c := range map[string]struct {
		op   engine.Linear
		want []float64
	}{
		"a product":       {engine.Linear{Weight: 1}, []float64{-1, 1}},
		"a bias":          {engine.Linear{Weight: 1, Bias: 2}, []float64{-0.5, 1.25}},
		"an activation":   {engine.Linear{Weight: 1, Bias: 2, Activation: engine.SiLU}, []float64{silu(-0.5), silu(1.25)}},
		"a gate":          {engine.Linear{Weight: 1, Bias: 2, Gate: 3, GateBias: 4, Activation: engine.SiLU}, []float64{silu(1) * -0.5, silu(-1) * 1.25}},
		"a plain gate":    {engine.Linear{Weight: 1, Gate: 3}, []float64{0, -2}},
		"a residual last": {engine.Linear{Weight: 1, Activation: engine.SiLU, Residual: 1}, []float64{silu(-1) + 1, silu(1) - 2}},
	} {
		c.op.Out = 2
		r.linears(engine.Linears{In: 1, Outputs: []engine.Linear{c.op}})
		wantRows(t, what, r.values[2], [][]float64{c.want})
	}
	for a, want := range map[engine.Activation]float64{engine.Identity: 1.5, engine.SiLU: 1.226361714, engine.GELUTanh: 1.399571577, engine.GELU: 1.399789198} {
		if got := activate(a, 1.5); !(math.Abs(got-want) <= 1e-9) {
			t.Errorf("activation %d of 1.5: %.9f, want %.9f", a, got, want)
		}
	}
}

// The order of a head's epilogue: softcap(Scale x (W.x + Bias)).
func TestHead(t *testing.T) {
	r := on(engine.Policy{}, [][]float64{{1, 2}}, [][]float64{{1, 0}, {1, 1}}, [][]float64{{1, -5}})
	r.head(engine.Head{In: 1, Weight: 1, Bias: 2, Scale: 3})
	wantRows(t, "scaled", r.Logits, [][]float64{{6, -6}})
	r.head(engine.Head{In: 1, Weight: 1, Bias: 2, Scale: 3, Softcap: 4})
	wantRows(t, "capped", r.Logits, [][]float64{{4 * math.Tanh(1.5), -4 * math.Tanh(1.5)}})
}

// Rounding of a product's input follows the weight's type.
func TestRoundedActivations(t *testing.T) {
	r := on(engine.Policy{}, [][]float64{{127, 0.5, 1.5, -2.5, 0.4}}, [][]float64{{1, 1, 1, 1, 1}})
	r.Evaluator.weights[0].rounded = true
	if got := r.product(1, engine.NoWeight, r.values[1][0]); got[0] != 127+0+2-2+0 {
		t.Errorf("%v: halves go to even", got)
	}
	r = on(engine.Policy{}, nil)
	long := append(slices.Repeat([]float64{1.27}, block), 12.7) // a block of its own has its own scale
	if got := r.activations(long); !(math.Abs(got[0]-1.27) <= 1e-7) || !(math.Abs(got[block]-12.7) <= 1e-6) {
		t.Errorf("%v", got)
	}
	if got := r.activations([]float64{0, 0}); got[0] != 0 || got[1] != 0 {
		t.Errorf("nothing but zeros: %v", got)
	}
}

func TestRemembered(t *testing.T) {
	x := []float64{1 + 0x1p-11, 1 + 3*0x1p-11, 0x1p-25, 70000, -127}
	for kv, want := range map[engine.DType][]float64{
		engine.F32: x, engine.F16: {1, 1 + 0x1p-9, 0, math.Inf(1), -127},
	} {
		if got := on(engine.Policy{KV: kv}, nil).remembered(x); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", kv, got, want)
		}
	}
	q8 := on(engine.Policy{KV: engine.Q8_0}, nil).remembered([]float64{127 * 1.0001, 10.4, -0.6})
	if want := []float64{127, 10, -1}; !slices.Equal(q8, want) { // the scale's half is 1; the integers are those of 1.0001
		t.Errorf("q8_0: %v, want %v", q8, want)
	}
}

// attention of two positions with one number a head, in a group of a mask.
func attended(g engine.Group, o engine.Attend) [][]float64 {
	r := on(engine.Policy{KV: engine.F32}, [][]float64{{2}, {3}})
	g.Name, g.Layers, g.Heads, g.KeyWidth, g.ValueWidth = "g", 1, 1, 1, 1
	r.program.Groups = []engine.Group{g}
	r.Stored["g"], r.values[2] = make([]Layer, 1), [][]float64{{10}, {20}}
	r.store(engine.Store{Group: 1, Layer: 1, K: 1, V: 2})
	o.Group, o.Layer, o.Q, o.Out, o.Heads = 1, 1, 1, 3, 1
	r.attend(o)
	return r.values[3]
}

func TestAttention(t *testing.T) {
	// The second query's scores are 0.5 x 3 x 2 and 0.5 x 3 x 3.
	softmax := func(a, b float64) float64 { return (10*math.Exp(a) + 20*math.Exp(b)) / (math.Exp(a) + math.Exp(b)) }
	capped := func(x float64) float64 { return 2 * math.Tanh(x/2) }
	for what, c := range map[string]struct {
		group engine.Group
		op    engine.Attend
		want  [][]float64
	}{
		"causal":        {engine.Group{Mask: engine.Causal}, engine.Attend{Scale: 0.5}, [][]float64{{10}, {softmax(3, 4.5)}}},
		"capped":        {engine.Group{Mask: engine.Causal}, engine.Attend{Scale: 0.5, Softcap: 2}, [][]float64{{10}, {softmax(capped(3), capped(4.5))}}},
		"window of 1":   {engine.Group{Mask: engine.Window, Window: 1}, engine.Attend{Scale: 0.5}, [][]float64{{10}, {20}}},
		"bidirectional": {engine.Group{Mask: engine.Bidirectional}, engine.Attend{Scale: 0.5}, [][]float64{{softmax(2, 3)}, {softmax(3, 4.5)}}},
	} {
		wantRows(t, what, attended(c.group, c.op), c.want)
	}
}

// Queries share KV heads in order: with four of them on two, the first two see the first.
func TestSharedHeads(t *testing.T) {
	r := on(engine.Policy{KV: engine.F32}, [][]float64{{1, 1}})
	r.program.Groups = []engine.Group{{Name: "g", Layers: 1, Heads: 2, KeyWidth: 1, ValueWidth: 1}}
	r.Stored["g"], r.values[2], r.values[3] = make([]Layer, 1), [][]float64{{5, 6}}, [][]float64{{1, 1, 1, 1}}
	r.store(engine.Store{Group: 1, Layer: 1, K: 1, V: 2})
	r.attend(engine.Attend{Group: 1, Layer: 1, Q: 3, Out: 4, Heads: 4, Scale: 1})
	wantRows(t, "four on two", r.values[4], [][]float64{{5, 5, 6, 6}})
}

// A latent group's values are the end of its keys.
func TestLatent(t *testing.T) {
	r := on(engine.Policy{KV: engine.F32}, [][]float64{{1, 2, 3}})
	r.program.Groups = []engine.Group{{Name: "g", Layers: 1, Heads: 1, KeyWidth: 3, ValueWidth: 2, Latent: true}}
	r.Stored["g"] = make([]Layer, 1)
	r.store(engine.Store{Group: 1, Layer: 1, K: 1})
	wantRows(t, "values", r.Stored["g"][0].Values, [][]float64{{2, 3}})
}

func TestVisible(t *testing.T) {
	for what, c := range map[string]struct {
		group                    engine.Group
		position, length, at, to int
	}{
		"causal": {engine.Group{Mask: engine.Causal}, 4, 9, 0, 5}, "window": {engine.Group{Mask: engine.Window, Window: 3}, 4, 9, 2, 5},
		"window's start": {engine.Group{Mask: engine.Window, Window: 3}, 1, 9, 0, 2}, "whole": {engine.Group{Mask: engine.Bidirectional}, 4, 9, 0, 9},
		"cross": {engine.Group{Mask: engine.Cross}, 4, 7, 0, 7},
	} {
		if from, to := visible(c.group, c.position, c.length); from != c.at || to != c.to {
			t.Errorf("%s: %d to %d, want %d to %d", what, from, to, c.at, c.to)
		}
	}
}

func TestRope(t *testing.T) {
	r := on(engine.Policy{}, nil, [][]float64{{4, 2}})
	sin, cos := math.Sincos(3)
	slow, kept := math.Sincos(3 * 0.01) // the second of two pairs of base 10000 turns by 1/100
	for what, c := range map[string]struct {
		rope engine.Rope
		want []float64
	}{
		"halves":    {engine.Rope{Style: engine.RopeHalves, Dim: 4, Base: 1e4, Scale: 1, Magnitude: 1}, []float64{cos, -slow, sin, kept}},
		"adjacent":  {engine.Rope{Style: engine.RopeAdjacent, Dim: 4, Base: 1e4, Scale: 1, Magnitude: 1}, []float64{cos, sin, -slow, kept}},
		"part":      {engine.Rope{Style: engine.RopeAdjacent, Dim: 2, Base: 1e4, Scale: 1, Magnitude: 1}, []float64{cos, sin, 0, 1}},
		"magnitude": {engine.Rope{Style: engine.RopeAdjacent, Dim: 2, Base: 1e4, Scale: 1, Magnitude: 2}, []float64{2 * cos, 2 * sin, 0, 1}},
	} {
		head := []float64{1, 0, 0, 1}
		wantRows(t, what, [][]float64{r.turned(&c.rope, head, 3)}, [][]float64{c.want})
		if !slices.Equal(head, []float64{1, 0, 0, 1}) {
			t.Errorf("%s: its input is changed: %v", what, head)
		}
	}
	yarn := engine.Rope{Dim: 8, Base: 10, Scale: 0.25, Extension: 1, Low: 0, High: 2}
	for what, c := range map[string]struct {
		rope    engine.Rope
		factors []float64
		pair    int
		want    float64
	}{
		"plain":                    {engine.Rope{Dim: 8, Base: 10, Scale: 1}, nil, 2, math.Pow(10, -0.5)},
		"scaled":                   {engine.Rope{Dim: 8, Base: 10, Scale: 0.25}, nil, 0, 0.25},
		"factors":                  {engine.Rope{Dim: 8, Base: 10, Scale: 1}, []float64{4, 2}, 1, math.Pow(10, -0.25) / 2},
		"YaRN keeps fast pairs":    {yarn, nil, 0, 1},
		"YaRN scales slow pairs":   {yarn, nil, 3, math.Pow(10, -0.75) / 4},
		"YaRN mixes those between": {yarn, nil, 1, math.Pow(10, -0.25) * (0.5 + 0.5/4)},
	} {
		if got := frequency(&c.rope, c.factors, c.pair); !(math.Abs(got-c.want) <= 1e-15) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	logits := []float64{1, 3, 3, 0}
	if got := Choose(logits, engine.Output{}, 0); got != 1 {
		t.Errorf("greedy: %d, want the lower id of two alike", got)
	}
	// Weights of e^0 to e^-3: the heaviest has 0.64 of them, two have 0.88.
	spread := []float64{0, -1, -2, -3}
	for what, c := range map[string]struct {
		output engine.Output
		kept   int
	}{
		"top-k": {engine.Output{TopK: 2, TopP: 1}, 2}, "top-k beyond all": {engine.Output{TopK: 9, TopP: 1}, 4}, "top-p within the first": {engine.Output{TopP: 0.6}, 1},
		"top-p": {engine.Output{TopP: 0.7}, 2}, "min-p": {engine.Output{TopP: 1, MinP: 0.1}, 3}, "top-p of what top-k left": {engine.Output{TopK: 2, TopP: 0.72}, 1},
	} {
		var all []candidate
		for i, x := range spread {
			all = append(all, candidate{int32(i), math.Exp(x)})
		}
		if got := cut(all, c.output); len(got) != c.kept {
			t.Errorf("%s: %d are left, want %d", what, len(got), c.kept)
		}
	}
	// Salmon et al. publish Philox4x32-10 of zeros: 6627e8d5 e169c58d ...
	if got, want := uniform(0, 0, 0), float64(0x6627e8d5<<21|0xe169c58d>>11)/(1<<53); got != want {
		t.Errorf("uniform is %v, want %v", got, want)
	}
	counts := make([]int, 4)
	for seed := range uint64(2000) {
		counts[Choose(spread, engine.Output{Temperature: 1, TopP: 1, Seed: seed}, 5)]++
	}
	total := mass([]candidate{{0, 1}, {1, math.Exp(-1)}, {2, math.Exp(-2)}, {3, math.Exp(-3)}})
	for i, n := range counts {
		if want := 2000 * math.Exp(spread[i]) / total; !(math.Abs(float64(n)-want) <= 4*math.Sqrt(want)) {
			t.Errorf("token %d was drawn %d times, want about %.0f", i, n, want)
		}
	}
}

func TestAdjusted(t *testing.T) {
	logits := []float64{2, -2, 1, 1}
	got := Adjusted(logits, engine.Output{Repetition: 2, Frequency: 0.25, Presence: 0.5},
		[]engine.Penalty{{Token: 0, Seen: 1}, {Token: 1, Seen: 3, Generated: 2}, {Token: 2, Generated: 1}}, []engine.Bias{{Token: 0, Value: 4}, {Token: 3, Value: -1}})
	if want := []float64{3, -5, 0.25, 0}; !slices.Equal(got, want) { // biases first; what is below 0 is multiplied
		t.Errorf("%v, want %v", got, want)
	}
	if !slices.Equal(logits, []float64{2, -2, 1, 1}) {
		t.Error("the logits are changed")
	}
}

// A whole program, whose weights are parts of tensors: next to what is asked of it lies what it must not see.
func TestEvaluateAProgram(t *testing.T) {
	b := engine.NewBuilder("small", 2, 4)
	x, rows := b.Value("x", 2), b.OutputValue("rows", 2)
	table, head, bias := b.WeightRows("table", 1, 2, 2), b.WeightRows("table", 0, 2, 2), b.VectorPart("bias", 1, 2)
	b.Add(engine.Embed{Table: table, Scale: 1, Out: x})
	b.Add(engine.Add{A: x, B: x, Out: x})
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: head, Bias: bias, Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	w := Tensors{"table": floatTensor("table", 3, 9, 8, 1, 2, 3, 4), "bias": floatTensor("bias", 1, 70, 0.5, -0.5)}
	e, err := New(p, w, engine.Policy{KV: engine.F32})
	if err != nil {
		t.Fatal(err)
	}
	s := Sequence{Tokens: []int32{1, 0}}
	want := [][]float64{{6*9 + 8*8 + 0.5, 6*1 + 8*2 - 0.5}, {2*9 + 4*8 + 0.5, 2*1 + 4*2 - 0.5}}
	wantRows(t, "logits", e.Evaluate(s).Logits, want)
	all := e.EvaluateInDoubt(s, [kinds]Memory{})
	wantRows(t, "for certain", all[certain].Logits, want)
	off := distance(all[disturbed].Logits[0], want[0])
	if off == 0 || off > 1e-3 {
		t.Errorf("in doubt the logits are off by %g", off)
	}
	if _, err := New(p, Tensors{"table": w["table"]}, engine.Policy{}); fmt.Sprint(err) != "no tensor bias" {
		t.Errorf("%v", err)
	}
}

// What may lie beyond the tie is rounded the other way, and nothing else.
func TestRoundOtherwise(t *testing.T) {
	for _, c := range []struct{ x, off, want float64 }{{1.375, 0.0625, 1}, {1.375, 0.125, 2}, {1.625, 0.125, 1}, {-1.375, 0.125, -2}, {2, 0.25, 2}} {
		if got := roundOtherwise(c.x, c.off); got != c.want {
			t.Errorf("%g, off by %g: %g, want %g", c.x, c.off, got, c.want)
		}
	}
}
