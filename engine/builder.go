package engine

import "fmt"

// This file owns Builder: how a model states a Program.

// Builder collects a Program. Its methods append; Program checks the whole.
type Builder struct {
	p   Program
	ids map[Weight]WeightID
	// While checking: which values and KV layers have been written so far, and how weights are read.
	written map[ValueID]bool
	stored  map[layerAt]bool
	readAs  map[WeightID]layout
}

// layerAt names a layer of a group.
type layerAt struct {
	group GroupID
	layer int
}

// NewBuilder starts a program for an architecture, with its sizes.
func NewBuilder(architecture string, vocab, context int) *Builder {
	return &Builder{p: Program{Architecture: architecture, Vocab: vocab, Context: context}, ids: map[Weight]WeightID{}}
}

// Value declares an activation with one row per token.
func (b *Builder) Value(name string, width int) ValueID { return b.ValueOf(PerToken, name, width) }

// OutputValue declares an activation with one row per output row.
func (b *Builder) OutputValue(name string, width int) ValueID {
	return b.ValueOf(PerOutput, name, width)
}

// ValueOf declares an activation with the rows of a domain.
func (b *Builder) ValueOf(rows Domain, name string, width int) ValueID {
	b.p.Values = append(b.p.Values, Value{Name: name, Width: width, Rows: rows})
	return ValueID(len(b.p.Values))
}

// Group declares a group of layers.
func (b *Builder) Group(g Group) GroupID {
	b.p.Groups = append(b.p.Groups, g)
	return GroupID(len(b.p.Groups))
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
	id := WeightID(len(b.p.Weights))
	b.ids[w] = id
	return id
}

// Add appends an op.
func (b *Builder) Add(op Op) { b.p.Ops = append(b.p.Ops, op) }

// Program checks what was stated and returns it.
func (b *Builder) Program() (*Program, error) {
	if err := b.check(); err != nil {
		return nil, fmt.Errorf("program %s: %w", b.p.Architecture, err)
	}
	return &b.p, nil
}
