// Package reference evaluates a Program in float64: plainly, slowly, one sequence at a time. It is what backends
// are held to. It rounds where the Policy says that they round, and nowhere else, and it is written from the
// documentation of package engine and from the papers: it shares no code with a backend or with lowering, and
// knows neither pages nor batches nor phases. Only the file's formats are read by package weights, which the
// formats' own reference implementations vouch for.
//
// Check runs random programs on backends and holds them to it.
//
// This file owns the evaluation: which op does what to which value.
package reference

import (
	"fmt"

	"chimera/engine"
)

// Evaluator evaluates one program with one set of weights.
type Evaluator struct {
	program *engine.Program
	policy  engine.Policy
	weights []tensor // in the order of Program.Weights
}

// Sequence is a sequence from its first token on.
type Sequence struct {
	Tokens  []int32     // ids, or engine.VectorRow(i) for row i of Vectors
	Vectors [][]float32 // (vectors, width of the embedding)
	Memory  Memory      // what another program stored for groups of mask Cross
}

// Memory is what a program has stored of a sequence: of each group, by its name, the layers in order.
type Memory map[string][]Layer

// Layer is a sequence's keys and values in one KV layer, as the policy rounds them. In a latent group the
// values are a part of the keys.
type Layer struct {
	Keys   [][]float64 // (positions, Heads x KeyWidth)
	Values [][]float64 // (positions, Heads x ValueWidth)
}

// New reads the program's weights. It refuses what it has no arithmetic for.
func New(p *engine.Program, w engine.Weights, policy engine.Policy) (*Evaluator, error) {
	e := &Evaluator{program: p, policy: policy}
	for _, weight := range p.Weights {
		t, err := readWeight(w, weight)
		if err != nil {
			return nil, err
		}
		e.weights = append(e.weights, t)
	}
	for i, op := range p.Ops {
		switch op.(type) {
		case engine.Embed, engine.Norm, engine.Linears, engine.Store, engine.Attend, engine.Add, engine.Rows, engine.Tap, engine.Head:
		default:
			return nil, &engine.UnsupportedError{What: fmt.Sprintf("op %d (%T)", i+1, op), Reason: "the reference does not know it"}
		}
	}
	return e, nil
}

// Evaluation is what became of a sequence.
type Evaluation struct {
	Logits [][]float64 // (tokens, Vocab) behind every token; none if the program has no head
	Taps   [][]float64 // (tokens, width of all taps)
	Stored Memory
}

// run is one evaluation under way. Every value has a row for each token: what stands behind engine.Rows is
// evaluated for all of them, so that any row may be asked for.
type run struct {
	*Evaluator
	*doubt
	Sequence
	values map[engine.ValueID][][]float64
	Evaluation
}

// Evaluate computes a sequence.
func (e *Evaluator) Evaluate(s Sequence) Evaluation { return e.evaluate(s, &doubt{}) }

// EvaluateInDoubt computes it first for certain, then in doubt, with the memories of the same kinds.
func (e *Evaluator) EvaluateInDoubt(s Sequence, memories [kinds]Memory) (all [kinds]Evaluation) {
	d := &doubt{}
	for kind := range all {
		d.begin(kind)
		s.Memory = memories[kind]
		all[kind] = e.evaluate(s, d)
	}
	return all
}

func (e *Evaluator) evaluate(s Sequence, d *doubt) Evaluation {
	r := &run{Evaluator: e, doubt: d, Sequence: s, values: map[engine.ValueID][][]float64{}, Evaluation: Evaluation{Stored: Memory{}}}
	for _, g := range e.program.Groups {
		r.Stored[g.Name] = make([]Layer, g.Layers)
	}
	for _, op := range e.program.Ops {
		switch o := op.(type) {
		case engine.Embed:
			r.embed(o)
		case engine.Norm:
			r.norm(o)
		case engine.Linears:
			r.linears(o)
		case engine.Store:
			r.store(o)
		case engine.Attend:
			r.attend(o)
		case engine.Add:
			r.add(o)
		case engine.Rows:
			r.values[o.Out] = r.values[o.In]
		case engine.Tap:
			r.tap(o)
		case engine.Head:
			r.head(o)
		}
	}
	return r.Evaluation
}

// tap notes the rows of a value as they are now.
func (r *run) tap(o engine.Tap) {
	if r.Taps == nil {
		r.Taps = make([][]float64, len(r.Tokens))
	}
	for t, row := range r.values[o.In] {
		r.Taps[t] = append(r.Taps[t], row...)
	}
}

// each makes a matrix with one row per token.
func (r *run) each(row func(token int) []float64) [][]float64 {
	m := make([][]float64, len(r.Tokens))
	for t := range m {
		m[t] = row(t)
	}
	return m
}
