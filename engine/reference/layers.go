package reference

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pgregory.net/rapid"

	"chimera/engine"
)

// This file owns what random programs are made of: groups, layers of attention and of products, and how all ends.

// Model is a random program with its weights.
type Model struct {
	Program *engine.Program
	Tensors Tensors
	floats  bool // nothing is rounded: floats alone are in weights and KV pages, so that the logits are known well
}

// long is a context for which attention comes in parts; most programs have a shorter one, which costs less.
const short, long = 64, 320

// randomModels draws a decoder, and before it, if a group is of mask Cross, the encoder that stores for it. Both
// have the same groups, since they share pages.
func randomModels(t *rapid.T) []Model {
	a := &author{T: t, context: short}
	a.random = rand.New(rand.NewPCG(uint64(a.draw("seed", 0, math.MaxInt32)), 0))
	a.floats = a.chance("nothing rounded", 70)
	if a.chance("long", 10) {
		a.context = long
	}
	groups := a.ownGroups()
	if !a.chance("cross", 20) {
		return []Model{a.model(false, groups)}
	}
	cross := a.group("cross")
	cross.Mask = engine.Cross
	groups = append(groups, cross)
	return []Model{a.model(true, groups), a.model(false, groups)}
}

// model states one program over the groups.
func (a *author) model(encoder bool, groups []engine.Group) Model {
	a.width, a.vocab, a.encoder = a.size("width"), a.draw("vocabulary", 2, oneOf(a, "many tokens", 70, 70, 70, 700)), encoder
	a.Builder, a.tensors, a.values, a.groups = engine.NewBuilder("random", a.vocab, a.context), Tensors{}, nil, nil
	for _, g := range groups {
		a.groups = append(a.groups, openGroup{Group: g, id: a.Group(g)})
	}
	table := a.embed()
	for range a.draw("layers", 1, 4) {
		a.layer(engine.PerToken)
	}
	if encoder {
		a.remember()
	} else {
		a.answer(table)
	}
	p, err := a.Program()
	if err != nil {
		a.Fatalf("a random program is refused: %v", err)
	}
	return Model{Program: p, Tensors: a.tensors, floats: a.floats}
}

// ---- groups ----

// ownGroups are those that a program stores to for itself.
func (a *author) ownGroups() (all []engine.Group) {
	for i := range a.draw("groups", 1, 3) {
		g := a.group(fmt.Sprintf("own%d", i))
		if a.chance("window", 40) {
			g.Mask, g.Window = engine.Window, a.draw("window", 1, 40)
		}
		all = append(all, g)
	}
	if a.chance("bidirectional", 10) {
		g := a.group("whole")
		g.Mask = engine.Bidirectional
		all = append(all, g)
	}
	return all
}

func (a *author) group(name string) engine.Group {
	g := engine.Group{Name: name, Layers: a.draw("layers of the group", 1, 2), Mask: engine.Causal, Heads: a.draw("KV heads", 1, 3), KeyWidth: a.head(), Latent: a.chance("latent", 15)}
	if g.ValueWidth = g.KeyWidth; a.chance("values of another width", 40) {
		g.ValueWidth = a.head()
	}
	if g.Latent {
		g.ValueWidth = min(g.ValueWidth, g.KeyWidth)
	}
	return g
}

// head is the width of a head: some are larger than any model's but the latest.
func (a *author) head() int {
	if a.chance("wide head", 5) {
		return a.draw("head", 81, 300)
	}
	return a.draw("head", 1, 80)
}

// ---- layers ----

// layer is one or two ops around the stream.
func (a *author) layer(rows engine.Domain) {
	a.perhapsTap(rows)
	in := a.input(rows)
	if a.chance("normalised", 70) {
		in = a.norm(in)
	}
	switch kind := a.draw("layer", 0, 5); {
	case kind <= 2 && rows == engine.PerToken && len(a.attendable()) > 0:
		a.attention(in)
	case kind == 3:
		a.sum(in, a.input(rows))
	default:
		a.linears(a.linears(in, a.size("inner"))[0], a.width)
	}
}

// attendable are the groups that a layer may attend to.
func (a *author) attendable() (all []*openGroup) {
	for i, g := range a.groups {
		if g.Mask != engine.Cross || !a.encoder {
			all = append(all, &a.groups[i])
		}
	}
	return all
}

// attention stores to the next layer of some group, or attends to one that was stored before.
func (a *author) attention(in engine.ValueID) {
	g := oneOf(a, "group", a.attendable()...)
	heads := g.Heads * a.draw("heads that share", 1, oneOf(a, "many heads", 4, 4, 4, 20))
	queries := heads * g.KeyWidth
	var layer int
	var q engine.ValueID
	if g.Mask == engine.Cross {
		q, layer = a.linears(in, queries)[0], a.draw("layer", 1, g.Layers)
	} else if g.stored == g.Layers || g.stored > 0 && a.chance("stored before", 20) {
		q, layer = a.linears(in, queries)[0], a.draw("layer", 1, g.stored)
	} else {
		q, layer = a.store(g, in, queries), g.stored
	}
	o := engine.Attend{
		Group: g.id, Layer: layer, Q: q, Out: a.output(engine.PerToken, heads*g.ValueWidth, q), Heads: heads,
		Scale: float32(a.between("scale", 0.5, 2) / math.Sqrt(float64(g.KeyWidth))), Softcap: a.softcap(),
		Norm: a.perhaps("Q norm", g.KeyWidth, 1, 0.3), Epsilon: 1e-3, Rope: a.rope(g.KeyWidth),
	}
	a.find(q).read = true
	a.Add(o)
	a.wrote(o.Out, engine.PerToken, heads*g.ValueWidth)
	a.linears(o.Out, a.width)
}

// store writes the group's next layer, and returns the queries, if any, that were made beside it.
func (a *author) store(g *openGroup, in engine.ValueID, queries int) (q engine.ValueID) {
	keys, values := g.Heads*g.KeyWidth, g.Heads*g.ValueWidth
	widths := []int{keys}
	one := !g.Latent && keys == values && a.chance("V is K", 15)
	if !g.Latent && !one {
		widths = append(widths, values)
	}
	if queries > 0 {
		widths = append(widths, queries)
	}
	g.stored++
	ids := a.linears(in, widths...)
	o := engine.Store{Group: g.id, Layer: g.stored, K: ids[0], Norm: a.perhaps("K norm", g.KeyWidth, 1, 0.3), Epsilon: 1e-3, Rope: a.rope(g.KeyWidth)}
	if one {
		o.V = o.K
	} else if !g.Latent {
		o.V = ids[1]
		a.find(o.V).read = true
	}
	a.find(o.K).read = true
	a.Add(o)
	if q = ids[len(ids)-1]; queries == keys && a.chance("Q is K", 15) {
		return o.K
	}
	return q
}

func (a *author) softcap() float32 {
	if !a.chance("soft cap", 30) {
		return 0
	}
	return float32(a.between("soft cap", 1, 10))
}

// rope turns heads of width elements, or is nil.
func (a *author) rope(width int) *engine.Rope {
	if width < 2 || !a.chance("rope", 70) {
		return nil
	}
	o := &engine.Rope{
		Style: oneOf(a, "style", engine.RopeHalves, engine.RopeAdjacent), Dim: 2 * a.draw("pairs", 1, width/2),
		Base: oneOf(a, "base", 10000.0, 10, 1e6), Scale: oneOf(a, "rope scale", 1.0, 0.25, 0.37), Magnitude: oneOf(a, "magnitude", 1.0, 1.2, 0.8),
	}
	if a.chance("factors", 25) {
		o.Factors = a.vector(o.Dim/2, 2, 0.3)
	}
	if a.chance("YaRN", 40) {
		o.Extension, o.Low = oneOf(a, "extension", 1.0, 0.6), float64(a.draw("low", 0, o.Dim/2-1))
		o.High = o.Low + oneOf(a, "ramp", 0.001, 1, 3, float64(o.Dim/2))
	}
	return o
}

// ---- the end ----

// fold joins all values that nobody has read into one of the stream.
func (a *author) fold(rows engine.Domain) engine.ValueID {
	for {
		var unread []*openValue
		for _, v := range a.values {
			if v.rows == rows && !v.read {
				unread = append(unread, v)
			}
		}
		switch {
		case len(unread) == 0:
			return a.input(rows)
		case unread[0].width != a.width:
			a.linears(unread[0].id, a.width)
		case len(unread) == 1:
			return unread[0].id
		case unread[1].width != a.width:
			a.linears(unread[1].id, a.width)
		default:
			a.sum(unread[0].id, unread[1].id)
		}
	}
}

// remember ends an encoder: it stores all layers of the groups that a decoder attends to.
func (a *author) remember() {
	in := a.fold(engine.PerToken)
	for i := range a.groups {
		for g := &a.groups[i]; g.stored < g.Layers; {
			a.store(g, in, 0)
		}
	}
}

// answer ends a decoder: the output rows, what is computed for them alone, and the head.
func (a *author) answer(table engine.WeightID) {
	a.gather(a.fold(engine.PerToken))
	if a.chance("another value's rows", 20) {
		a.gather(a.input(engine.PerToken))
	}
	for range a.draw("output layers", 0, 2) {
		a.layer(engine.PerOutput)
	}
	in := a.fold(engine.PerOutput)
	if a.chance("normalised", 70) {
		in = a.norm(in)
	}
	a.perhapsTap(engine.PerOutput)
	o := engine.Head{In: in, Weight: table, Bias: a.perhaps("bias", a.vocab, 0, 1), Scale: float32(a.between("head scale", 0.3, 2)), Softcap: 3 * a.softcap()}
	if !a.chance("tied", 30) {
		o.Weight = a.matrices(a.width, a.vocab)[0]
	}
	a.Add(o)
}

func (a *author) gather(in engine.ValueID) {
	a.find(in).read = true
	o := engine.Rows{In: in, Out: a.output(engine.PerOutput, a.width)}
	a.Add(o)
	a.wrote(o.Out, engine.PerOutput, a.width)
}
