// Package lowering turns a Program into phases: what every backend of this project does alike, before it
// gives each phase a kernel, and how the weights are read. Lower takes no memory and reads no weight, only
// their types, so that a plan can be shown and paid for before anything loads.
//
// Backends share it because where activations are rounded is part of the numeric contract: two backends
// that rounded at different places would not give the same bytes.
package lowering

import (
	"fmt"

	"chimera/engine"
)

// Kind tells what a phase does. The CPU backend's enum phase_kind mirrors it.
type Kind int32

// The kinds of phases.
const (
	RopeTable Kind = iota // sines and cosines of the step's positions
	Embed
	Norm
	Quantise // round a value's rows for the products that follow
	Linears
	Store // norm and turn queries and keys, write K and V to pages
	Attend
	Add
	Rows
	Head
)

// Phase is one lowered phase. Of Op, only what Kind asks for counts.
type Phase struct {
	Kind     Kind
	Name     string
	Op       engine.Op
	In       engine.ValueID // what Quantise rounds
	Quantise bool           // Norm: round the result for the products that follow
	Rope     int            // index into Ropes, or -1
}

// Lowered is a program as phases.
type Lowered struct {
	Program *engine.Program
	Phases  []Phase
	Ropes   []engine.Rope   // the distinct ones
	Tensors []engine.Tensor // of each weight
	Pieces  []Piece         // of all weights, in their order
	ActCols int             // widest quantised input, 0 if none is quantised
}

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
}

// Lower turns the program into phases, or refuses with *engine.UnsupportedError, naming the op.
func Lower(p *engine.Program, w engine.Weights, c Capacity) (*Lowered, error) {
	l := &lowering{Lowered: Lowered{Program: p}, capacity: c, rounded: engine.NoValue}
	if p.HeadDim > c.HeadDim {
		return nil, &engine.UnsupportedError{What: fmt.Sprintf("a head of %d elements", p.HeadDim),
			Reason: fmt.Sprintf("the %s backend takes up to %d", c.Backend, c.HeadDim)}
	}
	if err := l.tensors(w); err != nil {
		return nil, err
	}
	for i, op := range p.Ops {
		if err := l.op(op); err != nil {
			return nil, fmt.Errorf("op %d: %w", i, err)
		}
	}
	l.foldRounding()
	l.ropeTables()
	return &l.Lowered, nil
}

func (l *lowering) op(op engine.Op) error {
	switch o := op.(type) {
	case engine.Embed:
		l.add(Phase{Kind: Embed, Name: l.weight(o.Table), Op: o}, o.Out)
	case engine.Norm:
		l.add(Phase{Kind: Norm, Name: l.weight(o.Gamma), Op: o}, o.Out)
	case engine.Linears:
		return l.linears(o)
	case engine.Attend:
		rope := l.ropeIndex(o.Rope)
		name := fmt.Sprintf("blk.%d.", o.Layer)
		l.add(Phase{Kind: Store, Name: name + "kv_store", Op: o, Rope: rope}, o.Q)
		l.add(Phase{Kind: Attend, Name: name + "attend", Op: o, Rope: rope}, o.Out)
	case engine.Add:
		l.add(Phase{Kind: Add, Name: "add", Op: o}, o.Out)
	case engine.Rows:
		l.add(Phase{Kind: Rows, Name: "output rows", Op: o}, o.Out)
	case engine.Head:
		l.round(o.In, o.Weight)
		l.add(Phase{Kind: Head, Name: l.weight(o.Weight), Op: o}, engine.NoValue)
	default:
		return &engine.UnsupportedError{What: fmt.Sprintf("op %T", op), Reason: "the " + l.capacity.Backend + " backend does not know it"}
	}
	return nil
}

func (l *lowering) linears(o engine.Linears) error {
	if most := l.capacity.Linears; most > 0 && len(o.Outputs) > most {
		return &engine.UnsupportedError{What: fmt.Sprintf("%d products on one input", len(o.Outputs)),
			Reason: fmt.Sprintf("the %s backend takes up to %d", l.capacity.Backend, most)}
	}
	for _, out := range o.Outputs {
		l.round(o.In, out.Weight)
		if out.Gate != engine.NoWeight {
			l.round(o.In, out.Gate)
		}
	}
	l.add(Phase{Kind: Linears, Name: l.weight(o.Outputs[0].Weight), Op: o}, engine.NoValue)
	for _, out := range o.Outputs {
		l.written(out.Out)
	}
	return nil
}

// add appends a phase that writes out.
func (l *lowering) add(p Phase, out engine.ValueID) {
	l.Phases = append(l.Phases, p)
	l.written(out)
}

func (l *lowering) written(v engine.ValueID) {
	if v == l.rounded {
		l.rounded = engine.NoValue
	}
}

// round sees to it that the quantised form of v is at hand if weight w wants one.
func (l *lowering) round(v engine.ValueID, w engine.WeightID) {
	if !Quantised(l.Tensors[w].Type) {
		return
	}
	l.ActCols = max(l.ActCols, l.Program.Values[v].Width)
	if l.rounded == v {
		return
	}
	l.Phases = append(l.Phases, Phase{Kind: Quantise, Name: "quantise " + l.Program.Values[v].Name, In: v})
	l.rounded = v
}

// foldRounding lets a norm round its own rows where a rounding of its output stands right behind it:
// one barrier less, and the row is still in cache.
func (l *lowering) foldRounding() {
	var out []Phase
	for _, p := range l.Phases {
		if n := len(out); p.Kind == Quantise && n > 0 && out[n-1].Kind == Norm {
			if out[n-1].Op.(engine.Norm).Out == p.In {
				out[n-1].Quantise = true
				continue
			}
		}
		out = append(out, p)
	}
	l.Phases = out
}

// ropeTables puts the phases that form sines and cosines first: they depend on positions alone.
func (l *lowering) ropeTables() {
	var tables []Phase
	for i := range l.Ropes {
		tables = append(tables, Phase{Kind: RopeTable, Name: fmt.Sprintf("rope table %d", i), Rope: i})
	}
	l.Phases = append(tables, l.Phases...)
}

// ropeIndex returns the place of r among the distinct ropes.
func (l *lowering) ropeIndex(r *engine.Rope) int {
	if r == nil {
		return -1
	}
	for i, known := range l.Ropes {
		if known == *r {
			return i
		}
	}
	l.Ropes = append(l.Ropes, *r)
	return len(l.Ropes) - 1
}

func (l *lowering) weight(id engine.WeightID) string {
	if id == engine.NoWeight {
		return "norm"
	}
	return l.Program.Weights[id].Name
}

// Quantised tells whether products with weights of type t see int8 activations.
func Quantised(t engine.DType) bool {
	return t != engine.F32 && t != engine.F16 && t != engine.BF16
}

// PlainWeights tells which weights are read as plain floats, row by row: vectors and learned positions. The
// others are matrices of products and tables, be it of one row.
func PlainWeights(p *engine.Program) []bool {
	plain := make([]bool, len(p.Weights))
	for i := range plain {
		plain[i] = true
	}
	matrices := func(ids ...engine.WeightID) {
		for _, id := range ids {
			if id != engine.NoWeight {
				plain[id] = false
			}
		}
	}
	for _, op := range p.Ops {
		switch o := op.(type) {
		case engine.Embed:
			matrices(o.Table)
		case engine.Linears:
			for _, out := range o.Outputs {
				matrices(out.Weight, out.Gate)
			}
		case engine.Head:
			matrices(o.Weight)
		}
	}
	return plain
}

// MACs is how many multiply-accumulates a product with the weight takes per row; 0 for NoWeight.
func (l *Lowered) MACs(id engine.WeightID) int64 {
	if id == engine.NoWeight {
		return 0
	}
	return int64(l.Program.Weights[id].Rows) * int64(l.Program.Weights[id].Cols)
}
