// Package lowering turns a Program into phases: what every backend of this project does alike, before it
// gives each phase a kernel, and how the weights are read. Lower takes no memory and reads no weight, only
// their types, so that a plan can be shown and paid for before anything loads.
//
// Backends share it because where activations are rounded is part of the numeric contract: two backends
// that rounded at different places would not give the same bytes.
//
// An op's file here has the same name as its file in engine: how it becomes phases, and which weights it
// reads as matrices.
package lowering

import (
	"fmt"

	"chimera/engine"
)

// Kind tells what a phase does. The CPU backend's enum phase_kind mirrors it.
type Kind int32

// The kinds of phases.
const (
	RopeTable Kind = iota + 1 // sines and cosines of the step's positions
	Embed
	Norm
	Quantise // round a value's rows for the products that follow
	Linears
	Store  // norm and turn keys, write K and V to pages
	Attend // norm and turn queries, attend to pages
	Add
	Rows
	Tap // copy rows of a value for the outputs that ask
	Head
)

// Phase is one lowered phase. Of Op, only what Kind asks for counts.
type Phase struct {
	Kind     Kind
	Name     string
	Op       engine.Op
	In       engine.ValueID // what Quantise rounds
	Quantise bool           // Norm: round the result for the products that follow
	Rope     int            // RopeTable, Store, Attend: index into Ropes, or NoRope
	First    int            // Tap: where its elements begin in a row of all taps
}

// NoRope stands for the absence of a rope.
const NoRope = -1

// Lowered is a program as phases, for weights of given types.
type Lowered struct {
	Program *engine.Program
	Phases  []Phase
	Ropes   []engine.Rope   // the distinct ones
	Tensors []engine.Tensor // of each weight, in the order of Program.Weights
	Pieces  []Piece         // of all weights, in their order
	ActCols int             // widest input of a product: what its quantised form must hold, whatever the weights' types
}

// Tensor is what a weight is read from.
func (l *Lowered) Tensor(id engine.WeightID) engine.Tensor { return l.Tensors[id-1] }

// Type is the storage type of a weight.
func (l *Lowered) Type(id engine.WeightID) engine.DType { return l.Tensor(id).Type }

// Capacity is what a backend's kernels can take.
type Capacity struct {
	Backend string // its name, for refusals
	HeadDim int    // largest head
	Linears int    // most products on one input; 0: any
}

// lowering carries what is known between ops.
type lowering struct {
	Lowered
	capacity Capacity
	rounded  engine.ValueID // the value whose quantised form is at hand, or NoValue
	tapped   int            // elements of the taps so far
}

// Lower turns the program into phases, or refuses with *engine.UnsupportedError, naming the op.
func Lower(p *engine.Program, w engine.Weights, c Capacity) (*Lowered, error) {
	l := &lowering{Lowered: Lowered{Program: p}, capacity: c}
	if err := l.groups(); err != nil {
		return nil, err
	}
	if err := l.tensors(w); err != nil {
		return nil, err
	}
	for i, op := range p.Ops {
		if err := l.op(op); err != nil {
			return nil, fmt.Errorf("op %d: %w", i+1, err)
		}
	}
	l.foldRounding()
	l.ropeTables()
	return &l.Lowered, nil
}

func (l *lowering) groups() error {
	for _, g := range l.Program.Groups {
		if n := max(g.KeyWidth, g.ValueWidth); n > l.capacity.HeadDim {
			return l.refuse(fmt.Sprintf("a head of %d elements", n), "takes up to %d", l.capacity.HeadDim)
		}
	}
	return nil
}

// refuse says what the backend can't do.
func (l *lowering) refuse(what, format string, args ...any) error {
	return &engine.UnsupportedError{What: what, Reason: "the " + l.capacity.Backend + " backend " + fmt.Sprintf(format, args...)}
}

func (l *lowering) op(op engine.Op) error {
	switch o := op.(type) {
	case engine.Embed:
		l.embed(o)
	case engine.Norm:
		l.norm(o)
	case engine.Linears:
		return l.linears(o)
	case engine.Store:
		l.store(o)
	case engine.Attend:
		l.attend(o)
	case engine.Add:
		l.sum(o)
	case engine.Rows:
		l.rows(o)
	case engine.Tap:
		l.tap(o)
	case engine.Head:
		l.head(o)
	default:
		return l.refuse(fmt.Sprintf("op %T", op), "does not know it")
	}
	return nil
}

// add appends a phase that writes out.
func (l *lowering) add(p Phase, out engine.ValueID) {
	l.Phases = append(l.Phases, p)
	l.written(out)
}

// written forgets the quantised form of a value that changes.
func (l *lowering) written(v engine.ValueID) {
	if v == l.rounded {
		l.rounded = engine.NoValue
	}
}

// weight names a weight in the plan.
func (l *lowering) weight(id engine.WeightID) string { return l.Program.Weight(id).Name }

// PlainWeights tells which weights are read as plain floats, row by row: vectors and learned positions. The
// others are matrices of products and tables, be it of one row.
func PlainWeights(p *engine.Program) []bool {
	plain := make([]bool, len(p.Weights))
	for i := range plain {
		plain[i] = true
	}
	for _, op := range p.Ops {
		for _, id := range matrices(op) {
			if id != engine.NoWeight {
				plain[id-1] = false
			}
		}
	}
	return plain
}

// matrices are the weights that an op reads in packed form.
func matrices(op engine.Op) []engine.WeightID {
	switch o := op.(type) {
	case engine.Embed:
		return embedMatrices(o)
	case engine.Linears:
		return linearsMatrices(o)
	case engine.Head:
		return headMatrices(o)
	}
	return nil
}

// MACs is how many multiply-accumulates a product with the weight takes per row; 0 for NoWeight.
func (l *Lowered) MACs(id engine.WeightID) int64 {
	if id == engine.NoWeight {
		return 0
	}
	w := l.Program.Weight(id)
	return int64(w.Rows) * int64(w.Cols)
}
