package engine

import (
	"fmt"
	"math"
)

// This file owns the check of a program, on which backends rely, and the rules that ops' checks are made of.

func (b *Builder) check() error {
	if err := b.checkDeclared(); err != nil {
		return err
	}
	b.written, b.stored, b.readAs = map[ValueID]bool{}, map[layerAt]bool{}, map[WeightID]layout{}
	for i, op := range b.p.Ops {
		if err := b.checkOp(op); err != nil {
			return fmt.Errorf("op %d (%T): %w", i+1, op, err)
		}
	}
	return b.checkEnd()
}

// checkEnd wants a head at the end and nowhere else; an encoder ends with what it stores for others.
func (b *Builder) checkEnd() error {
	last := len(b.p.Ops) - 1
	if last < 0 {
		return fmt.Errorf("no ops")
	}
	for i, op := range b.p.Ops {
		if _, head := op.(Head); head && i < last {
			return fmt.Errorf("op %d (%T): it is not the last", i+1, op)
		}
	}
	switch o := b.p.Ops[last].(type) {
	case Head:
		return nil
	case Store:
		return holds(b.p.Group(o.Group).Mask == Cross, "it ends without a head")
	}
	return fmt.Errorf("it ends without a head")
}

// checkDeclared checks sizes, values, weights and groups by themselves.
func (b *Builder) checkDeclared() error {
	if b.p.Vocab <= 0 || b.p.Context <= 0 {
		return fmt.Errorf("vocabulary %d, context %d: both must be positive", b.p.Vocab, b.p.Context)
	}
	for _, v := range b.p.Values {
		if v.Width <= 0 || v.Rows < PerToken || v.Rows > PerSequence {
			return fmt.Errorf("value %s: width %d, domain %d", v.Name, v.Width, v.Rows)
		}
	}
	for _, w := range b.p.Weights {
		if w.Rows <= 0 || w.Cols <= 0 || w.FirstRow < 0 {
			return fmt.Errorf("weight %s: %d x %d from %d", w.Name, w.Rows, w.Cols, w.FirstRow)
		}
	}
	return b.checkGroups()
}

// checkGroups also wants names that tell groups apart: an instance that shares pages finds its groups by them.
func (b *Builder) checkGroups() error {
	names := map[string]bool{}
	for i, g := range b.p.Groups {
		if err := g.check(); err != nil {
			return fmt.Errorf("group %s: %w", g.Name, err)
		}
		if g.Name == "" || names[g.Name] {
			return fmt.Errorf("group %d: it has the name %q, each needs one of its own", i+1, g.Name)
		}
		names[g.Name] = true
	}
	return nil
}

// checkOp checks that the op's values are there and written before it reads them, then what it says itself.
func (b *Builder) checkOp(op Op) error {
	for _, v := range append(op.reads(), op.writes()...) {
		if v < 0 || int(v) > len(b.p.Values) {
			return fmt.Errorf("value %d of %d", v, len(b.p.Values))
		}
	}
	if err := op.check(b); err != nil {
		return err
	}
	for _, v := range op.reads() {
		if v != NoValue && !b.written[v] {
			return fmt.Errorf("%s is read before it is written", b.name(v))
		}
	}
	for _, v := range op.writes() {
		b.written[v] = true
	}
	return nil
}

// ---- what ops' checks are made of; NoValue has width 0 and no domain, and so fits nowhere ----

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// holds is nil, or the error that the format tells.
func holds(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return errorf(format, args...)
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func (b *Builder) value(v ValueID) Value {
	if v <= NoValue || int(v) > len(b.p.Values) {
		return Value{Name: "a value that is not given"}
	}
	return b.p.Values[v-1]
}

func (b *Builder) width(v ValueID) int { return b.value(v).Width }

// vectorWidth is Program.VectorWidth of a program that is not checked yet.
func (b *Builder) vectorWidth() int {
	for _, op := range b.p.Ops {
		if e, ok := op.(Embed); ok {
			return b.width(e.Out)
		}
	}
	return 0
}

func (b *Builder) domain(v ValueID) Domain { return b.value(v).Rows }

func (b *Builder) name(v ValueID) string { return b.value(v).Name }

// rows wants v to be given, with the rows of a domain.
func (b *Builder) rows(d Domain, v ValueID) error {
	return holds(b.domain(v) == d, "%s has the rows of domain %d, not %d", b.name(v), b.domain(v), d)
}

// same wants two values that are given and alike.
func (b *Builder) same(x, y ValueID) error {
	vx, vy := b.value(x), b.value(y)
	return holds(vx.Width > 0 && vx.Width == vy.Width && vx.Rows == vy.Rows, "%s and %s differ in shape", vx.Name, vy.Name)
}

func (b *Builder) residual(v, out ValueID) error {
	if v == NoValue {
		return nil
	}
	return b.same(v, out)
}

// layout is how a backend lays a weight out, as its ops read it.
type layout uint8

const (
	asMatrix layout = iota + 1 // of a product or a table, packed
	asRows                     // plain floats: vectors, learned positions
)

// matrix wants a weight that is given, of rows x cols, for products or as a table.
func (b *Builder) matrix(id WeightID, rows, cols int) error {
	return b.weight(id, rows, cols, asMatrix)
}

func (b *Builder) optionalMatrix(id WeightID, rows, cols int) error {
	if id == NoWeight {
		return nil
	}
	return b.matrix(id, rows, cols)
}

// optional wants rows x cols of plain floats, or NoWeight.
func (b *Builder) optional(id WeightID, rows, cols int) error {
	if id == NoWeight {
		return nil
	}
	return b.weight(id, rows, cols, asRows)
}

func (b *Builder) weight(id WeightID, rows, cols int, as layout) error {
	if id <= NoWeight || int(id) > len(b.p.Weights) {
		return fmt.Errorf("weight %d of %d", id, len(b.p.Weights))
	}
	w := b.p.Weights[id-1]
	if b.readAs[id] == 0 {
		b.readAs[id] = as
	}
	return first(
		holds(w.Rows == rows && w.Cols == cols, "weight %s is %d x %d, the op wants %d x %d", w.Name, w.Rows, w.Cols, rows, cols),
		holds(b.readAs[id] == as, "weight %s is a matrix to one op and plain rows to another: it is laid out for one use, so the other needs a tensor of its own", w.Name),
	)
}

// ---- numbers; NaN is in no range ----

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

func positive(what string, x float64) error {
	return holds(x > 0 && finite(x), "a %s of %g: it must be positive and finite", what, x)
}

func notNegative(what string, x float64) error {
	return holds(x >= 0 && finite(x), "a %s of %g: it must be 0 or positive, and finite", what, x)
}

// checkScale wants a factor that was given: 0 is a field that nobody filled in.
func checkScale(x float32) error {
	return holds(x != 0 && finite(float64(x)), "a scale of %g: it must be finite, and not 0", x)
}

// layer is the group of a KV layer that is there.
func (b *Builder) layer(id GroupID, layer int) (Group, error) {
	if id <= 0 || int(id) > len(b.p.Groups) {
		return Group{}, fmt.Errorf("group %d of %d", id, len(b.p.Groups))
	}
	g := b.p.Groups[id-1]
	return g, first(
		holds(g.State == 0, "group %s has slots, not pages", g.Name),
		holds(layer >= 1 && layer <= g.Layers, "layer %d of %s, which has %d", layer, g.Name, g.Layers),
	)
}
