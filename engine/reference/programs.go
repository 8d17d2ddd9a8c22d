package reference

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"chimera/engine"
)

// This file owns random programs: what is stated at all, and in which order. Every value that is written flows into
// the logits, so that a fault anywhere shows.

// author states one random program.
type author struct {
	*rapid.T
	*engine.Builder
	tensors Tensors
	random  *rand.Rand // of the weights' values
	floats  bool       // nothing is rounded
	width   int        // of the stream
	vocab   int
	context int
	encoder bool
	groups  []openGroup
	values  []*openValue // those that have been written
}

// openGroup is a group and how many of its layers are stored so far.
type openGroup struct {
	engine.Group
	id     engine.GroupID
	stored int
}

// openValue is a value and whether what was last written to it has been read.
type openValue struct {
	id    engine.ValueID
	width int
	rows  engine.Domain
	read  bool
}

// draw is an integer of [low, high], small ones and high more often; it shrinks to low.
func (a *author) draw(what string, low, high int) int {
	return rapid.IntRange(low, high).Draw(a.T, what)
}

// chance is true some percent of the time or somewhat less; it shrinks to false.
func (a *author) chance(what string, percent int) bool { return a.draw(what, 0, 99) >= 100-percent }

// oneOf draws an element; it shrinks to the first.
func oneOf[E any](a *author, what string, from ...E) E { return from[a.draw(what, 0, len(from)-1)] }

// between is a number of [low, high] in hundredths.
func (a *author) between(what string, low, high float64) float64 {
	return low + (high-low)*float64(a.draw(what, 0, 100))/100
}

// size is the width of a row: often odd, often one that quantised weights may have.
func (a *author) size(what string) int {
	if n := oneOf(a, what, 0, 0, 32, 64, 96, 256); n > 0 {
		return n
	}
	return a.draw(what, 1, 80)
}

// ---- values ----

// of lists the written values with such rows and width.
func (a *author) of(rows engine.Domain, width int) (all []*openValue) {
	for _, v := range a.values {
		if v.rows == rows && v.width == width {
			all = append(all, v)
		}
	}
	return all
}

// input is some value of the stream, the newest more often, now read.
func (a *author) input(rows engine.Domain) engine.ValueID {
	all := a.of(rows, a.width)
	v := all[max(len(all)-1-a.draw("input", 0, 2), 0)]
	v.read = true
	return v.id
}

// residual is a value to be added to one of such rows and width, none of the others', or none.
func (a *author) residual(rows engine.Domain, width int, others ...engine.ValueID) engine.ValueID {
	for _, v := range a.of(rows, width) {
		if !slices.Contains(others, v.id) && a.chance("residual", 40) {
			v.read = true
			return v.id
		}
	}
	return engine.NoValue
}

// output is a value to write: one whose content was read already, but for others, or a new one.
func (a *author) output(rows engine.Domain, width int, others ...engine.ValueID) engine.ValueID {
	for _, v := range a.of(rows, width) {
		if v.read && !slices.Contains(others, v.id) && a.chance("written again", 40) {
			return v.id
		}
	}
	return a.ValueOf(rows, fmt.Sprintf("v%d", len(a.values)+1), width)
}

// wrote marks a value as written and not read yet.
func (a *author) wrote(id engine.ValueID, rows engine.Domain, width int) {
	a.values = slices.DeleteFunc(a.values, func(v *openValue) bool { return v.id == id })
	a.values = append(a.values, &openValue{id: id, width: width, rows: rows})
}

func (a *author) find(id engine.ValueID) *openValue {
	return a.values[slices.IndexFunc(a.values, func(v *openValue) bool { return v.id == id })]
}

// ---- weights ----

// newTensor makes a tensor and returns its name.
func (a *author) newTensor(t engine.DType, rows, cols int, mean, deviation float64) string {
	name := fmt.Sprintf("t%d.%v", len(a.tensors)+1, t)
	a.tensors.add(a.random, name, t, rows, cols, mean, deviation)
	return name
}

// matrices are weights with so many columns and each so many rows: tensors of their own, or parts of one.
func (a *author) matrices(cols int, rows ...int) (ids []engine.WeightID) {
	fused, first, total := a.chance("fused", 40), 0, 0
	for _, n := range rows {
		total += n
	}
	name := ""
	if fused {
		first = a.draw("first row", 0, 20)
		name = a.matrixTensor(first+total+a.draw("rows behind", 0, 3), cols)
	}
	for _, n := range rows {
		if !fused {
			name = a.matrixTensor(n, cols)
		}
		ids = append(ids, a.WeightRows(name, first, n, cols))
		if fused {
			first += n
		}
	}
	return ids
}

func (a *author) matrixTensor(rows, cols int) string {
	t := oneOf(a, "type", typesFor(cols, a.floats)...)
	return a.newTensor(t, rows, cols, 0, 1/math.Sqrt(float64(cols)))
}

// vector is n elements around mean, some of them part of a longer tensor.
func (a *author) vector(n int, mean, deviation float64) engine.WeightID {
	first := 0
	if a.chance("part", 30) {
		first = a.draw("first element", 1, 20)
	}
	name := a.newTensor(oneOf(a, "type", engine.F32, engine.F32, engine.F16, engine.BF16), 1, first+n, mean, deviation)
	return a.VectorPart(name, first, n)
}

// perhaps is a vector or none.
func (a *author) perhaps(what string, n int, mean, deviation float64) engine.WeightID {
	if !a.chance(what, 50) {
		return engine.NoWeight
	}
	return a.vector(n, mean, deviation)
}

// ---- ops ----

func (a *author) embed() engine.WeightID {
	first := a.draw("first row", 0, 3)
	table := a.newTensor(oneOf(a, "type", typesFor(a.width, a.floats)...), first+a.vocab, a.width, 0, 1)
	o := engine.Embed{Table: a.WeightRows(table, first, a.vocab, a.width), Scale: float32(a.between("embedding scale", 0.5, 2))}
	if a.chance("positions", 25) {
		name := a.newTensor(oneOf(a, "type", engine.F32, engine.F16), first+a.context, a.width, 0, 1)
		o.Positions = a.WeightRows(name, first, a.context, a.width)
	}
	o.Out = a.output(engine.PerToken, a.width)
	a.Add(o)
	a.wrote(o.Out, engine.PerToken, a.width)
	return o.Table
}

func (a *author) norm(in engine.ValueID) engine.ValueID {
	v := a.find(in)
	v.read = true
	o := engine.Norm{
		Kind: oneOf(a, "norm", engine.RMSNorm, engine.LayerNorm), In: in, Epsilon: float32(math.Pow(10, -float64(a.draw("epsilon", 1, 6)))),
		Gamma: a.perhaps("gamma", v.width, 1, 0.3), Beta: a.perhaps("beta", v.width, 0, 0.3),
		Residual: a.residual(v.rows, v.width), Out: a.output(v.rows, v.width),
	}
	a.Add(o)
	a.wrote(o.Out, v.rows, v.width)
	return o.Out
}

func (a *author) linears(in engine.ValueID, widths ...int) (outs []engine.ValueID) {
	v := a.find(in)
	v.read = true
	var gated []bool
	all := slices.Clone(widths)
	for _, n := range widths {
		gated = append(gated, a.chance("gate", 25))
		if gated[len(gated)-1] {
			all = append(all, n)
		}
	}
	for _, n := range widths {
		outs = append(outs, a.output(v.rows, n, append(outs, in)...))
	}
	ids, o := a.matrices(v.width, all...), engine.Linears{In: in}
	gates := ids[len(widths):]
	for i, n := range widths {
		l := engine.Linear{
			Weight: ids[i], Bias: a.perhaps("bias", n, 0, 0.3), Out: outs[i],
			Activation: oneOf(a, "activation", engine.Identity, engine.Identity, engine.SiLU, engine.GELUTanh, engine.GELU),
		}
		if gated[i] {
			l.Gate, l.GateBias, gates = gates[0], a.perhaps("gate bias", n, 0, 0.5), gates[1:]
		}
		l.Residual = a.residual(v.rows, n, slices.Concat(outs[:i], outs[i+1:])...)
		o.Outputs = append(o.Outputs, l)
	}
	a.Add(o)
	for i, n := range widths {
		a.wrote(outs[i], v.rows, n)
	}
	return outs
}

// perhapsTap taps some value of the stream. That is no use of it: a value that nothing else reads still has to flow into the logits. It is not drawn which,
// so that programs are what they are without taps, of which it is known that their logits tell something.
func (a *author) perhapsTap(rows engine.Domain) {
	all := a.of(rows, a.width)
	if n := len(all); n%4 == 3 {
		a.Add(engine.Tap{Name: "stream", In: all[n/2].id})
	}
}

// sum adds a value to another of the stream.
func (a *author) sum(x, y engine.ValueID) engine.ValueID {
	v := a.find(x)
	v.read, a.find(y).read = true, true
	o := engine.Add{A: x, B: y, Out: a.output(v.rows, v.width)}
	a.Add(o)
	a.wrote(o.Out, v.rows, v.width)
	return o.Out
}
