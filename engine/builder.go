package engine

import "fmt"

// This file owns Builder: how a model states a Program, and the check that backends rely on.

// Builder collects a Program. Its methods append; Program checks the whole.
type Builder struct {
	p    Program
	ids  map[Weight]WeightID
	head bool
}

// NewBuilder starts a program. The geometry of p (all but Values, Weights and Ops) is taken over.
func NewBuilder(p Program) *Builder {
	p.Values, p.Weights, p.Ops = nil, nil, nil
	return &Builder{p: p, ids: map[Weight]WeightID{}}
}

// Value declares an activation with one row per token.
func (b *Builder) Value(name string, width int) ValueID {
	b.p.Values = append(b.p.Values, Value{Name: name, Width: width})
	return ValueID(len(b.p.Values) - 1)
}

// OutputValue declares an activation with one row per output row.
func (b *Builder) OutputValue(name string, width int) ValueID {
	id := b.Value(name, width)
	b.p.Values[id].Output = true
	return id
}

// Weight declares a whole tensor of rows x cols; asking twice gives the same id.
func (b *Builder) Weight(name string, rows, cols int) WeightID {
	return b.WeightRows(name, 0, rows, cols)
}

// Vector declares a tensor of n values.
func (b *Builder) Vector(name string, n int) WeightID { return b.WeightRows(name, 0, 1, n) }

// VectorPart declares n elements of a vector from first on.
func (b *Builder) VectorPart(name string, first, n int) WeightID {
	return b.WeightRows(name, first, 1, n)
}

// WeightRows declares some rows of a tensor, so that fused projections can be stated as their parts.
func (b *Builder) WeightRows(name string, first, rows, cols int) WeightID {
	w := Weight{Name: name, FirstRow: first, Rows: rows, Cols: cols}
	if id, ok := b.ids[w]; ok {
		return id
	}
	b.p.Weights = append(b.p.Weights, w)
	id := WeightID(len(b.p.Weights) - 1)
	b.ids[w] = id
	return id
}

// Add appends an op.
func (b *Builder) Add(op Op) { b.p.Ops = append(b.p.Ops, op) }

// Program checks what was stated and returns it.
func (b *Builder) Program() (*Program, error) {
	if b.p.Vocab <= 0 || b.p.Context <= 0 || b.p.Layers <= 0 || b.p.KVHeads <= 0 || b.p.HeadDim <= 0 {
		return nil, fmt.Errorf("program %s: vocabulary, context, layers, KV heads and head size must be positive", b.p.Architecture)
	}
	for i, op := range b.p.Ops {
		if err := b.check(op); err != nil {
			return nil, fmt.Errorf("program %s: op %d (%T): %w", b.p.Architecture, i, op, err)
		}
	}
	if !b.head {
		return nil, fmt.Errorf("program %s has no head", b.p.Architecture)
	}
	return &b.p, nil
}

func (b *Builder) check(op Op) error {
	switch o := op.(type) {
	case Embed:
		w := b.width(o.Out)
		return b.all(b.shape(o.Table, b.p.Vocab, w), b.optional(o.Positions, b.p.Context, w))
	case Norm:
		w := b.width(o.In)
		return b.all(b.same(o.Out, o.In), b.optional(o.Gamma, 1, w), b.optional(o.Beta, 1, w), b.residual(o.Residual, o.Out))
	case Linears:
		for _, l := range o.Outputs {
			if err := b.linear(o.In, l); err != nil {
				return err
			}
		}
		return nil
	case Attend:
		return b.attend(o)
	case Add:
		return b.all(b.same(o.A, o.B), b.same(o.A, o.Out))
	case Rows:
		if !b.p.Values[o.Out].Output || b.p.Values[o.In].Output || b.width(o.In) != b.width(o.Out) {
			return fmt.Errorf("rows need a token value, an output value and equal widths")
		}
		return nil
	case Head:
		b.head = true
		return b.all(b.shape(o.Weight, b.p.Vocab, b.width(o.In)), b.optional(o.Bias, 1, b.p.Vocab))
	}
	return fmt.Errorf("unknown op")
}

func (b *Builder) linear(in ValueID, l Linear) error {
	rows, cols := b.width(l.Out), b.width(in)
	if l.Gate != NoWeight {
		if err := b.all(b.shape(l.Gate, rows, cols), b.optional(l.GateBias, 1, rows)); err != nil {
			return err
		}
	}
	return b.all(b.shape(l.Weight, rows, cols), b.optional(l.Bias, 1, rows), b.residual(l.Residual, l.Out))
}

func (b *Builder) attend(o Attend) error {
	d := b.p.HeadDim
	switch {
	case o.Heads <= 0 || o.Heads%b.p.KVHeads != 0:
		return fmt.Errorf("%d heads do not share %d KV heads evenly", o.Heads, b.p.KVHeads)
	case b.width(o.Q) != o.Heads*d || b.width(o.Out) != o.Heads*d:
		return fmt.Errorf("values Q and Out must be %d wide", o.Heads*d)
	case b.width(o.K) != b.p.KVHeads*d || b.width(o.V) != b.p.KVHeads*d:
		return fmt.Errorf("values K and V must be %d wide", b.p.KVHeads*d)
	case o.Layer < 0 || o.Layer >= b.p.Layers:
		return fmt.Errorf("layer %d of %d", o.Layer, b.p.Layers)
	case o.Rope != nil && (o.Rope.Dim <= 0 || o.Rope.Dim%2 != 0 || o.Rope.Dim > d):
		return fmt.Errorf("rope over %d of %d elements", o.Rope.Dim, d)
	}
	factors := NoWeight
	if o.Rope != nil {
		factors = o.Rope.Factors
		d = o.Rope.Dim / 2
	}
	return b.all(b.optional(o.QNorm, 1, b.p.HeadDim), b.optional(o.KNorm, 1, b.p.HeadDim), b.optional(factors, 1, d))
}

func (b *Builder) width(v ValueID) int { return b.p.Values[v].Width }

func (b *Builder) same(x, y ValueID) error {
	if b.p.Values[x].Width != b.p.Values[y].Width || b.p.Values[x].Output != b.p.Values[y].Output {
		return fmt.Errorf("%s and %s differ in shape", b.p.Values[x].Name, b.p.Values[y].Name)
	}
	return nil
}

func (b *Builder) residual(v, out ValueID) error {
	if v == NoValue {
		return nil
	}
	return b.same(v, out)
}

func (b *Builder) optional(id WeightID, rows, cols int) error {
	if id == NoWeight {
		return nil
	}
	return b.shape(id, rows, cols)
}

func (b *Builder) shape(id WeightID, rows, cols int) error {
	if w := b.p.Weights[id]; w.Rows != rows || w.Cols != cols {
		return fmt.Errorf("weight %s is %d x %d, the op wants %d x %d", w.Name, w.Rows, w.Cols, rows, cols)
	}
	return nil
}

func (b *Builder) all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
