//go:build cgo

package cgo

import (
	"fmt"

	"chimera/engine"
)

// This file owns lowering: from a Program's ops to the phases that C walks. It takes no memory and
// reads no weight, only their types, so that a plan can be shown and paid for before anything loads.

// phaseKind mirrors enum phase_kind of step.h.
type phaseKind int32

const (
	phaseRopeTable phaseKind = iota
	phaseEmbed
	phaseNorm
	phaseQuantise
	phaseLinears
	phaseStore
	phaseAttend
	phaseAdd
	phaseRows
	phaseHead
)

// phase is one lowered phase. Of op, only what kind asks for counts.
type phase struct {
	kind     phaseKind
	name     string
	op       engine.Op
	in       engine.ValueID // what phaseQuantise rounds
	quantise bool           // phaseNorm: round the result for the products that follow
	rope     int            // index into lowered.ropes, or -1
}

// lowered is a program as phases.
type lowered struct {
	program *engine.Program
	phases  []phase
	ropes   []engine.Rope
	types   []engine.DType // of each weight
	actCols int            // widest quantised input, 0 if none is quantised
}

// lowering carries what is known between ops.
type lowering struct {
	lowered
	rounded engine.ValueID // the value whose quantised form is at hand, or NoValue
}

// lower turns the program into phases, or refuses, naming the op.
func lower(p *engine.Program, w engine.Weights) (*lowered, error) {
	l := &lowering{lowered: lowered{program: p}, rounded: engine.NoValue}
	if p.HeadDim > maxHeadDim {
		return nil, &engine.UnsupportedError{What: fmt.Sprintf("a head of %d elements", p.HeadDim),
			Reason: fmt.Sprintf("the CPU backend takes up to %d", maxHeadDim)}
	}
	for _, weight := range p.Weights {
		t, err := w.Tensor(weight.Name)
		if err != nil {
			return nil, err
		}
		l.types = append(l.types, t.Type)
	}
	for i, op := range p.Ops {
		if err := l.op(op); err != nil {
			return nil, fmt.Errorf("op %d: %w", i, err)
		}
	}
	l.foldRounding()
	l.ropeTables()
	return &l.lowered, nil
}

func (l *lowering) op(op engine.Op) error {
	switch o := op.(type) {
	case engine.Embed:
		l.add(phase{kind: phaseEmbed, name: l.weight(o.Table), op: o}, o.Out)
	case engine.Norm:
		l.add(phase{kind: phaseNorm, name: l.weight(o.Gamma), op: o}, o.Out)
	case engine.Linears:
		return l.linears(o)
	case engine.Attend:
		rope := l.ropeIndex(o.Rope)
		name := fmt.Sprintf("blk.%d.", o.Layer)
		l.add(phase{kind: phaseStore, name: name + "kv_store", op: o, rope: rope}, o.Q)
		l.add(phase{kind: phaseAttend, name: name + "attend", op: o, rope: rope}, o.Out)
	case engine.Add:
		l.add(phase{kind: phaseAdd, name: "add", op: o}, o.Out)
	case engine.Rows:
		l.add(phase{kind: phaseRows, name: "output rows", op: o}, o.Out)
	case engine.Head:
		l.round(o.In, o.Weight)
		l.add(phase{kind: phaseHead, name: l.weight(o.Weight), op: o}, engine.NoValue)
	default:
		return &engine.UnsupportedError{What: fmt.Sprintf("op %T", op), Reason: "the CPU backend does not know it"}
	}
	return nil
}

func (l *lowering) linears(o engine.Linears) error {
	if len(o.Outputs) > maxLinears {
		return &engine.UnsupportedError{What: fmt.Sprintf("%d products on one input", len(o.Outputs)),
			Reason: fmt.Sprintf("the CPU backend takes up to %d", maxLinears)}
	}
	for _, out := range o.Outputs {
		l.round(o.In, out.Weight)
		if out.Gate != engine.NoWeight {
			l.round(o.In, out.Gate)
		}
	}
	l.add(phase{kind: phaseLinears, name: l.weight(o.Outputs[0].Weight), op: o}, engine.NoValue)
	for _, out := range o.Outputs {
		l.written(out.Out)
	}
	return nil
}

// add appends a phase that writes out.
func (l *lowering) add(p phase, out engine.ValueID) {
	l.phases = append(l.phases, p)
	l.written(out)
}

func (l *lowering) written(v engine.ValueID) {
	if v == l.rounded {
		l.rounded = engine.NoValue
	}
}

// round sees to it that the quantised form of v is at hand if weight w wants one.
func (l *lowering) round(v engine.ValueID, w engine.WeightID) {
	if !quantised(l.types[w]) {
		return
	}
	l.actCols = max(l.actCols, l.program.Values[v].Width)
	if l.rounded == v {
		return
	}
	l.phases = append(l.phases, phase{kind: phaseQuantise, name: "quantise " + l.program.Values[v].Name, in: v})
	l.rounded = v
}

// foldRounding lets a norm round its own rows where a rounding of its output stands right behind it:
// one barrier less, and the row is still in cache.
func (l *lowering) foldRounding() {
	var out []phase
	for _, p := range l.phases {
		if n := len(out); p.kind == phaseQuantise && n > 0 && out[n-1].kind == phaseNorm {
			if out[n-1].op.(engine.Norm).Out == p.in {
				out[n-1].quantise = true
				continue
			}
		}
		out = append(out, p)
	}
	l.phases = out
}

// ropeTables puts the phases that form sines and cosines first: they depend on positions alone.
func (l *lowering) ropeTables() {
	var tables []phase
	for i := range l.ropes {
		tables = append(tables, phase{kind: phaseRopeTable, name: fmt.Sprintf("rope table %d", i), rope: i})
	}
	l.phases = append(tables, l.phases...)
}

// ropeIndex returns the place of r among the distinct ropes.
func (l *lowering) ropeIndex(r *engine.Rope) int {
	if r == nil {
		return -1
	}
	for i, known := range l.ropes {
		if known == *r {
			return i
		}
	}
	l.ropes = append(l.ropes, *r)
	return len(l.ropes) - 1
}

func (l *lowered) weight(id engine.WeightID) string {
	if id == engine.NoWeight {
		return "norm"
	}
	return l.program.Weights[id].Name
}

// quantised tells whether products with weights of type t see int8 activations.
func quantised(t engine.DType) bool {
	return t != engine.F32 && t != engine.F16 && t != engine.BF16
}
