package engine

import (
	"math"
	"strings"
	"testing"
)

// This file holds the check of programs to its promise: one sound program, and each way to break it.

// draft is a program of one layer whose parts a test may spoil before they are stated.
type draft struct {
	vocab, context int
	group          Group
	x, h, q, k, v  Value
	a, rows        Value
	weights        map[string][2]int // rows, cols

	embed  Embed
	norm   Norm
	qkv    Linears
	store  Store
	attend Attend
	out    Linears
	gather Rows
	head   Head
	extra  func(d *draft, b *Builder) // stated between out and gather
}

// sound has two query heads of 4 on one KV head whose V is 6 wide, and a width of 8.
func sound() *draft {
	d := &draft{
		vocab: 10, context: 32,
		group: Group{Name: "full", Layers: 1, Mask: Causal, Heads: 1, KeyWidth: 4, ValueWidth: 6},
		x:     Value{"x", 8, PerToken}, h: Value{"h", 8, PerToken}, q: Value{"q", 8, PerToken}, k: Value{"k", 4, PerToken},
		v: Value{"v", 6, PerToken}, a: Value{"a", 12, PerToken}, rows: Value{"rows", 8, PerOutput},
		weights: map[string][2]int{
			"table": {10, 8}, "positions": {32, 8}, "gamma": {1, 8}, "q": {8, 8}, "k": {4, 8}, "v": {6, 8}, "bias": {1, 6},
			"knorm": {1, 4}, "qnorm": {1, 4}, "factors": {1, 2}, "out": {8, 12}, "head": {10, 8}, "head bias": {1, 10},
		},
	}
	const x, h, q, k, v, a, rows = 1, 2, 3, 4, 5, 6, 7
	rope := &Rope{Dim: 4, Base: 10000, Scale: 1, Magnitude: 1}
	d.embed = Embed{Scale: 1, Out: x}
	d.norm = Norm{Kind: RMSNorm, In: x, Out: h}
	d.qkv = Linears{In: h, Outputs: []Linear{{Out: q}, {Out: k}, {Out: v}}}
	d.store = Store{Group: 1, Layer: 1, K: k, V: v, Rope: rope}
	d.attend = Attend{Group: 1, Layer: 1, Q: q, Out: a, Heads: 2, Scale: 0.5, Rope: rope}
	d.out = Linears{In: a, Outputs: []Linear{{Residual: x, Out: x}}}
	d.gather = Rows{In: x, Out: rows}
	d.head = Head{In: rows, Scale: 1}
	return d
}

// weight declares a weight in the shape that the draft gives it.
func (d *draft) weight(b *Builder, name string) WeightID {
	return b.Weight(name, d.weights[name][0], d.weights[name][1])
}

// fill names the weights that a test has not set.
func (d *draft) fill(b *Builder) {
	set := func(id *WeightID, name string) {
		if *id == NoWeight {
			*id = d.weight(b, name)
		}
	}
	set(&d.embed.Table, "table")
	set(&d.embed.Positions, "positions")
	set(&d.norm.Gamma, "gamma")
	for i, name := range []string{"q", "k", "v"}[:min(3, len(d.qkv.Outputs))] {
		set(&d.qkv.Outputs[i].Weight, name)
	}
	if len(d.qkv.Outputs) >= 3 {
		set(&d.qkv.Outputs[2].Bias, "bias")
	}
	set(&d.store.Norm, "knorm")
	set(&d.attend.Norm, "qnorm")
	set(&d.out.Outputs[0].Weight, "out")
	set(&d.head.Weight, "head")
	set(&d.head.Bias, "head bias")
}

func (d *draft) build() (*Program, error) {
	b := NewBuilder("test", d.vocab, d.context)
	for _, v := range []Value{d.x, d.h, d.q, d.k, d.v, d.a, d.rows} {
		b.ValueOf(v.Rows, v.Name, v.Width)
	}
	b.Group(d.group)
	d.fill(b)
	for _, op := range []Op{d.embed, d.norm, d.qkv, d.store, d.attend, d.out} {
		b.Add(op)
	}
	if d.extra != nil {
		d.extra(d, b)
	}
	b.Add(d.gather)
	b.Add(d.head)
	return b.Program()
}

func TestSoundProgram(t *testing.T) {
	p, err := sound().build()
	if err != nil {
		t.Fatal(err)
	}
	if p.Value(1).Name != "x" || p.Weight(1).Name != "table" || p.Group(1).Name != "full" || p.VectorWidth() != 8 {
		t.Errorf("ids from 1 name %s, %s, %s; vectors of %d", p.Value(1).Name, p.Weight(1).Name, p.Group(1).Name, p.VectorWidth())
	}
}

func TestProgramsAreChecked(t *testing.T) {
	const x, h, q, k, v, a, rows = 1, 2, 3, 4, 5, 6, 7
	for what, c := range map[string]struct {
		spoil func(d *draft)
		want  string
	}{
		"no vocabulary":                    {func(d *draft) { d.vocab = 0 }, "vocabulary 0"},
		"no context":                       {func(d *draft) { d.context = 0 }, "context 0"},
		"a value of no width":              {func(d *draft) { d.h.Width = 0 }, "value h"},
		"a value of no domain":             {func(d *draft) { d.h.Rows = 0 }, "value h"},
		"a value of an unknown domain":     {func(d *draft) { d.h.Rows = PerSequence + 1 }, "value h"},
		"a weight without rows":            {func(d *draft) { d.weights["gamma"] = [2]int{0, 8} }, "weight gamma"},
		"a group without layers":           {func(d *draft) { d.group.Layers = 0 }, "group full: 0 layers"},
		"a group without heads":            {func(d *draft) { d.group.Heads = 0 }, "0 KV heads"},
		"a group without a mask":           {func(d *draft) { d.group.Mask = 0 }, "mask 0"},
		"an unknown mask":                  {func(d *draft) { d.group.Mask = Cross + 1 }, "mask 5"},
		"a window of none":                 {func(d *draft) { d.group.Mask = Window }, "a window of 0"},
		"a window of another mask":         {func(d *draft) { d.group.Window = 4 }, "a window of 4"},
		"a negative window":                {func(d *draft) { d.group.Mask, d.group.Window = Window, -4 }, "a window of -4"},
		"heads too large":                  {func(d *draft) { d.group.KeyWidth = 1025 }, "1025"},
		"V larger than latent K":           {func(d *draft) { d.group.Latent = true }, "as a part of K"},
		"a state beside K and V":           {func(d *draft) { d.group.State = 3 }, "a state of 3"},
		"attention to slots":               {func(d *draft) { d.group = Group{Name: "slots", Layers: 1, State: 3} }, "slots, not pages"},
		"an embedding that goes nowhere":   {func(d *draft) { d.embed.Out = NoValue }, "a value that is not given"},
		"an embedding per output":          {func(d *draft) { d.x.Rows = PerOutput }, "op 1 (engine.Embed)"},
		"a table of another vocabulary":    {func(d *draft) { d.weights["table"] = [2]int{11, 8} }, "weight table is 11 x 8"},
		"positions fewer than the context": {func(d *draft) { d.weights["positions"] = [2]int{31, 8} }, "weight positions is 31 x 8"},
		"an embedding times 0":             {func(d *draft) { d.embed.Scale = 0 }, "a scale of 0"},
		"a norm of no kind":                {func(d *draft) { d.norm.Kind = 0 }, "kind 0"},
		"a norm of nothing":                {func(d *draft) { d.norm.In = NoValue }, "differ in shape"},
		"a norm to another width":          {func(d *draft) { d.norm.Out = k }, "k and x differ"},
		"a value that is not there":        {func(d *draft) { d.norm.In = 8 }, "value 8 of 7"},
		"a negative value":                 {func(d *draft) { d.norm.In = -1 }, "value -1"},
		"a weight that is not there":       {func(d *draft) { d.norm.Gamma = 99 }, "weight 99"},
		"a negative weight":                {func(d *draft) { d.norm.Gamma = -1 }, "weight -1"},
		"a value before it is written":     {func(d *draft) { d.norm.In, d.norm.Out = h, h }, "h is read before"},
		"a residual before it is written":  {func(d *draft) { d.norm.Residual = h }, "h is read before"},
		"products of none":                 {func(d *draft) { d.qkv.Outputs = nil }, "no outputs"},
		"a product without a weight":       {func(d *draft) { d.qkv.Outputs = append(d.qkv.Outputs, Linear{Out: a}) }, "weight 0"},
		"a product in place":               {func(d *draft) { d.qkv.Outputs[0].Out = h }, "h is input and output"},
		"two products on one value":        {func(d *draft) { d.qkv.Outputs[0].Out = k; d.weights["q"] = [2]int{4, 8} }, "k is written twice"},
		"a product into another's residual": {func(d *draft) {
			d.qkv.Outputs[0].Residual = q
			d.qkv.Outputs[1].Out = q
			d.qkv.Outputs[0].Out = x
			d.weights["k"] = [2]int{8, 8}
		}, "another's residual"},
		"a product of other rows":           {func(d *draft) { d.q.Rows = PerOutput }, "different rows"},
		"an unknown activation":             {func(d *draft) { d.qkv.Outputs[0].Activation = 4 }, "activation 4"},
		"a gate's bias alone":               {func(d *draft) { d.out.Outputs[0].GateBias = 3 }, "without a gate"},
		"a gate of another shape":           {func(d *draft) { d.out.Outputs[0].Gate = 1 }, "weight table is 10 x 8"},
		"a layer that is not there":         {func(d *draft) { d.store.Layer = 2 }, "layer 2 of full"},
		"layer 0":                           {func(d *draft) { d.store.Layer = 0 }, "layer 0 of full"},
		"group 0":                           {func(d *draft) { d.store.Group = 0 }, "group 0"},
		"a group that is not there":         {func(d *draft) { d.attend.Group = 2 }, "group 2 of 1"},
		"K of another width":                {func(d *draft) { d.store.K = q }, "K is 8 wide"},
		"V of another width":                {func(d *draft) { d.store.V = k }, "V is 4 wide"},
		"no V":                              {func(d *draft) { d.store.V = NoValue }, "a value that is not given"},
		"V in a latent group":               {func(d *draft) { d.group.Latent, d.group.ValueWidth = true, 4 }, "V beside K"},
		"a rope over odd elements":          {func(d *draft) { d.store.Rope = &Rope{Dim: 3, Base: 1, Scale: 1, Magnitude: 1} }, "rope over 3"},
		"a rope over more than a head":      {func(d *draft) { d.attend.Rope = &Rope{Dim: 6, Base: 1, Scale: 1, Magnitude: 1} }, "rope over 6 of 4"},
		"a rope of no base":                 {func(d *draft) { d.attend.Rope = &Rope{Dim: 4, Scale: 1, Magnitude: 1} }, "rope base of 0"},
		"a rope of an unknown style":        {func(d *draft) { d.attend.Rope = &Rope{Dim: 4, Style: 2, Base: 1, Scale: 1, Magnitude: 1} }, "style 2"},
		"factors of another length":         {func(d *draft) { d.store.Rope = &Rope{Dim: 4, Base: 1, Scale: 1, Magnitude: 1, Factors: 1} }, "weight table"},
		"a norm of K of another length":     {func(d *draft) { d.weights["knorm"] = [2]int{1, 6} }, "weight knorm"},
		"a norm of Q of another length":     {func(d *draft) { d.weights["qnorm"] = [2]int{1, 8} }, "weight qnorm"},
		"a layer stored twice":              {func(d *draft) { d.extra = func(d *draft, b *Builder) { b.Add(d.store) } }, "written twice"},
		"a layer read before it is written": {func(d *draft) { d.group.Layers, d.attend.Layer = 2, 2 }, "layer 2 of full is read before it is written"},
		"heads that don't share": {func(d *draft) {
			d.group.Heads, d.k.Width, d.v.Width, d.attend.Heads = 3, 12, 18, 2
			d.weights["k"] = [2]int{12, 8}
			d.weights["v"] = [2]int{18, 8}
			d.weights["bias"] = [2]int{1, 18}
		}, "2 heads do not share 3"},
		"no heads":                   {func(d *draft) { d.attend.Heads = 0 }, "0 heads"},
		"Q of another width":         {func(d *draft) { d.attend.Q = k }, "Q is 4 wide"},
		"an output of another width": {func(d *draft) { d.attend.Out = x }, "Out is 8 wide"},
		"attention in place": {func(d *draft) {
			d.group.ValueWidth, d.v.Width, d.attend.Out, d.out.In = 4, 4, q, q
			d.weights["v"] = [2]int{4, 8}
			d.weights["bias"] = [2]int{1, 4}
			d.weights["out"] = [2]int{8, 8}
		}, "q is input and output"},
		"a norm's beta of another length": {func(d *draft) { d.norm.Beta = 1 }, "weight table"},
		"a norm's residual of another width": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(Norm{Kind: RMSNorm, In: x, Residual: k, Out: x}) }
		}, "k and x differ"},
		"a product's residual of another width": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) {
				b.Add(Linears{In: a, Outputs: []Linear{{Weight: d.weight(b, "out"), Residual: k, Out: x}}})
			}
		}, "k and x differ"},
		"a residual of other rows": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(d.gather); b.Add(Norm{Kind: RMSNorm, In: x, Residual: rows, Out: x}) }
		}, "rows and x differ"},
		"a sum of unlike rows": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(d.gather); b.Add(Add{A: x, B: rows, Out: x}) }
		}, "x and rows differ"},
		"a product's bias of another length": {func(d *draft) { d.weights["bias"] = [2]int{1, 5} }, "weight bias is 1 x 5"},
		"a gate's bias of another length": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) {
				b.Add(Linears{In: a, Outputs: []Linear{{Weight: d.weight(b, "out"), Gate: d.weight(b, "out"), GateBias: d.weight(b, "bias"), Out: h}}})
			}
		}, "weight bias is 1 x 6"},
		"queries of output rows": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(d.gather); d.attend.Q = rows; b.Add(d.attend) }
		}, "rows has the rows of domain 2"},
		"attention to output rows": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { d.attend.Out = b.OutputValue("far", 12); b.Add(d.attend) }
		}, "far has the rows of domain 2"},
		"keys of output rows": {func(d *draft) {
			d.group.Layers = 2
			d.extra = func(d *draft, b *Builder) {
				far := b.OutputValue("far", 4)
				b.Add(d.gather)
				b.Add(Linears{In: rows, Outputs: []Linear{{Weight: d.weight(b, "k"), Out: far}}})
				d.store.Layer, d.store.K = 2, far
				b.Add(d.store)
			}
		}, "far has the rows of domain 2"},
		"values of output rows": {func(d *draft) {
			d.group.Layers = 2
			d.extra = func(d *draft, b *Builder) {
				far := b.OutputValue("far", 6)
				b.Add(d.gather)
				b.Add(Linears{In: rows, Outputs: []Linear{{Weight: d.weight(b, "v"), Out: far}}})
				d.store.Layer, d.store.V = 2, far
				b.Add(d.store)
			}
		}, "far has the rows of domain 2"},
		"heads of V too large": {func(d *draft) { d.group.ValueWidth = 1025 }, "1025"},
		"heads of no V":        {func(d *draft) { d.group.ValueWidth = 0 }, "heads of 4 and 0"},
		"a group of no name":   {func(d *draft) { d.group.Name = "" }, "group 1: it has the name \"\""},
		"two groups of one name": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Group(Group{Name: "full", Layers: 1, State: 3}) }
		}, "group 2: it has the name \"full\""},
		"embeddings of two widths": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(Embed{Table: b.Weight("other", 10, 12), Scale: 1, Out: a}) }
		}, "a is 12 wide, the first Embed's output 8"},
		"a table as positions": {func(d *draft) { d.context = 10; d.embed.Positions = 1 }, "weight table is a matrix to one op"},
		"a matrix as a vector": {oneWeight(func(b *Builder, w WeightID) { b.Add(Norm{Kind: RMSNorm, Gamma: w, In: x, Out: h}) }), "weight w is a matrix to one op"},
		"a matrix as a bias": {oneWeight(func(b *Builder, w WeightID) {
			b.Add(Linears{In: x, Outputs: []Linear{{Weight: b.Weight("s", 8, 8), Bias: w, Out: h}}})
		}), "weight w is a matrix to one op"},
		"a gate as a vector": {oneWeight(func(b *Builder, w WeightID) {
			one := b.Value("one more", 1)
			b.Add(Linears{In: x, Outputs: []Linear{{Weight: w, Gate: w, Out: one}}})
			b.Add(Norm{Kind: RMSNorm, Beta: w, In: x, Out: h})
		}), "weight w is a matrix to one op"},
		"a vector as a matrix": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) {
				b.Add(Linears{In: x, Outputs: []Linear{{Weight: d.weight(b, "gamma"), Out: b.Value("one", 1)}}})
			}
		}, "weight gamma is a matrix to one op"},
		"a negative soft cap":     {func(d *draft) { d.attend.Softcap = -1 }, "soft cap of -1"},
		"a sum of unlike values":  {func(d *draft) { d.extra = func(d *draft, b *Builder) { b.Add(Add{A: x, B: k, Out: x}) } }, "x and k differ"},
		"a sum that goes nowhere": {func(d *draft) { d.extra = func(d *draft, b *Builder) { b.Add(Add{A: x, B: h}) } }, "differ in shape"},
		"rows of output rows": {func(d *draft) {
			d.extra = func(d *draft, b *Builder) { b.Add(Rows{In: x, Out: rows}); b.Add(Rows{In: rows, Out: rows}) }
		}, "domain 2, not 1"},
		"rows of another width":           {func(d *draft) { d.gather.In = k }, "differ in width"},
		"a head on token rows":            {func(d *draft) { d.head.In = x }, "domain 1, not 2"},
		"a head of another vocabulary":    {func(d *draft) { d.weights["head"] = [2]int{9, 8} }, "weight head is 9 x 8"},
		"a head's bias of another length": {func(d *draft) { d.weights["head bias"] = [2]int{1, 9} }, "weight head bias"},
		"logits times 0":                  {func(d *draft) { d.head.Scale = 0 }, "a scale of 0"},
		"two heads":                       {func(d *draft) { d.extra = func(d *draft, b *Builder) { b.Add(d.gather); b.Add(d.head) } }, "it is not the last"},
	} {
		d := sound()
		c.spoil(d)
		_, err := d.build()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "program test: ") {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// oneWeight states a weight of 1 x 8 that is a matrix, and what else it is to be.
func oneWeight(also func(b *Builder, w WeightID)) func(d *draft) {
	return func(d *draft) {
		d.extra = func(d *draft, b *Builder) {
			w := b.Weight("w", 1, 8)
			b.Add(Linears{In: 1, Outputs: []Linear{{Weight: w, Out: b.Value("one", 1)}}})
			also(b, w)
		}
	}
}

// TestNumbersOfPrograms: each factor of an op is refused where it is senseless, above all where nobody filled it in.
func TestNumbersOfPrograms(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	rope := func(change func(r *Rope, x float64)) func(d *draft, x float64) {
		return func(d *draft, x float64) {
			r := &Rope{Dim: 4, Base: 10000, Scale: 1, Magnitude: 1, Extension: 1, Low: 0.25, High: 1}
			change(r, x)
			d.store.Rope, d.attend.Rope = r, r
		}
	}
	factor, part, ratio := []float64{0, nan, inf, -inf}, []float64{-1, nan, inf}, []float64{0, -1, nan, inf}
	for what, c := range map[string]struct {
		set       func(d *draft, x float64)
		good      float64
		senseless []float64
	}{
		"Embed.Scale":    {func(d *draft, x float64) { d.embed.Scale = float32(x) }, -2, factor},
		"Attend.Scale":   {func(d *draft, x float64) { d.attend.Scale = float32(x) }, 0.5, factor},
		"Head.Scale":     {func(d *draft, x float64) { d.head.Scale = float32(x) }, 0.5, factor},
		"Attend.Softcap": {func(d *draft, x float64) { d.attend.Softcap = float32(x) }, 50, part},
		"Head.Softcap":   {func(d *draft, x float64) { d.head.Softcap = float32(x) }, 30, part},
		"Norm.Epsilon":   {func(d *draft, x float64) { d.norm.Epsilon = float32(x) }, 1e-6, part},
		"Store.Epsilon":  {func(d *draft, x float64) { d.store.Epsilon = float32(x) }, 1e-6, part},
		"Attend.Epsilon": {func(d *draft, x float64) { d.attend.Epsilon = float32(x) }, 1e-6, part},
		"Rope.Base":      {rope(func(r *Rope, x float64) { r.Base = x }), 1e6, ratio},
		"Rope.Scale":     {rope(func(r *Rope, x float64) { r.Scale = x }), 0.25, ratio},
		"Rope.Magnitude": {rope(func(r *Rope, x float64) { r.Magnitude = x }), 1.2, ratio},
		"Rope.Extension": {rope(func(r *Rope, x float64) { r.Extension = x }), 0.5, part},
		"Rope.Low":       {rope(func(r *Rope, x float64) { r.Low = x }), 0, []float64{1, 2, nan, -inf}},
		"Rope.High":      {rope(func(r *Rope, x float64) { r.High = x }), 2, []float64{0.25, 0, nan, inf}},
	} {
		d := sound()
		c.set(d, c.good)
		if _, err := d.build(); err != nil {
			t.Errorf("%s of %g: %v", what, c.good, err)
		}
		for _, x := range c.senseless {
			d := sound()
			if c.set(d, x); second(d.build()) == nil {
				t.Errorf("%s of %g was taken", what, x)
			}
		}
	}
	d := sound() // without YaRN there is no ramp
	d.attend.Rope = &Rope{Dim: 4, Base: 10000, Scale: 1, Magnitude: 1}
	if _, err := d.build(); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestProgramsWithoutHead: an encoder stores what another program attends to, all else needs a head.
func TestProgramsWithoutHead(t *testing.T) {
	encoder := func(mask Mask) error {
		b := NewBuilder("encoder", 10, 32)
		x := b.Value("x", 4)
		g := b.Group(Group{Name: "cross", Layers: 1, Mask: mask, Heads: 1, KeyWidth: 4, ValueWidth: 4})
		b.Add(Embed{Table: b.Weight("table", 10, 4), Scale: 1, Out: x})
		b.Add(Store{Group: g, Layer: 1, K: x, V: x})
		_, err := b.Program()
		return err
	}
	if err := encoder(Cross); err != nil {
		t.Error(err)
	}
	for _, err := range []error{encoder(Causal), func() error { _, err := NewBuilder("empty", 1, 1).Program(); return err }()} {
		if err == nil {
			t.Error("a program that ends without a head was taken")
		}
	}
}

// TestCrossReads: what another program wrote may be read without a store.
func TestCrossReads(t *testing.T) {
	d := sound()
	d.group.Mask, d.group.Layers, d.attend.Layer = Cross, 2, 2
	if _, err := d.build(); err != nil {
		t.Error(err)
	}
}

// A window holds the query's own position and those before, as many as it says.
func TestFirstSeen(t *testing.T) {
	for _, c := range []struct {
		g              Group
		position, want int
	}{
		{Group{Mask: Causal}, 30, 0}, {Group{Mask: Cross}, 30, 0}, {Group{Mask: Window, Window: 8}, 30, 23}, {Group{Mask: Window, Window: 8}, 8, 1},
		{Group{Mask: Window, Window: 8}, 7, 0}, {Group{Mask: Window, Window: 1}, 7, 7},
	} {
		limits := GroupLimits{Mask: c.g.Mask, Window: c.g.Window}
		if got := c.g.FirstSeen(c.position); got != c.want || limits.FirstSeen(c.position) != c.want {
			t.Errorf("%+v: position %d sees from %d on, want %d", c.g, c.position, got, c.want)
		}
	}
}

func TestPagesFor(t *testing.T) {
	full, window := Group{Mask: Causal}, Group{Mask: Window, Window: 512}
	for _, c := range []struct {
		g          Group
		positions  int
		step, want int
	}{
		{full, 1, 1, 1}, {full, 16, 1, 1}, {full, 17, 1, 2}, {full, 8192, 512, 512},
		{window, 17, 1, 2}, {window, 8192, 1, 33}, {window, 8192, 512, 65}, {window, 8192, 8192, 512},
		{Group{State: 5}, 8192, 512, 2},
	} {
		if got := c.g.PagesFor(c.positions, c.step); got != c.want {
			t.Errorf("%+v: %d positions in steps of %d take %d pages, want %d", c.g, c.positions, c.step, got, c.want)
		}
	}
	// No window and step needs more than PagesFor says, wherever it lies.
	for first := range 2000 {
		for _, n := range []int{1, 15, 16, 17, 100} {
			pages := (first+n-1)/PageTokens - window.FirstSeen(first)/PageTokens + 1
			if most := window.PagesFor(8192, n); pages > most {
				t.Fatalf("positions %d to %d see %d pages, PagesFor says %d", first, first+n, pages, most)
			}
		}
	}
}
