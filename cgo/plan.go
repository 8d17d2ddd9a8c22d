package cgo

// #include "step.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
	"chimera/hostmem"
)

// This file owns the plan that people read: the same phases and sizes that Load uses.

// lowered is a lowered program with what this backend knows of it.
type lowered struct{ *lowering.Lowered }

var capacity = lowering.Capacity{Backend: "CPU", HeadDim: maxHeadDim, Linears: maxLinears}

func lower(p *engine.Program, w engine.Weights) (*lowered, error) {
	l, err := lowering.Lower(p, w, capacity)
	return &lowered{l}, err
}

// Plan lowers the program and adds up its memory.
func (Backend) Plan(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*engine.Plan, error) {
	l, err := lower(p, w)
	if err != nil {
		return nil, err
	}
	if err := o.Check(p); err != nil {
		return nil, err
	}
	k, err := kernelsFor(o.ISA)
	if err != nil {
		return nil, err
	}
	return planOf(l, sizesOf(o), C.GoString(k.isa)), nil
}

func kvLayout(p *engine.Program, kv engine.DType) C.struct_kv_layout {
	kind := map[engine.DType]C.int{engine.F32: C.KV_F32, engine.F16: C.KV_F16, engine.Q8_0: C.KV_Q8_0}[kv]
	var layout C.struct_kv_layout
	C.kv_layout_init(&layout, kind, C.int(p.Layers), C.int(p.KVHeads), C.int(p.HeadDim))
	return layout
}

func planOf(l *lowered, s sizes, isa string) *engine.Plan {
	weights, acts, batch, staging := &hostmem.Carver{}, &hostmem.Carver{}, &hostmem.Carver{}, &hostmem.Carver{}
	packed := carveWeights(weights, l)
	carveBuffers(acts, l, s)
	lowering.CarveBatch(batch, l.Program, s.LoadOptions)
	carveStaging(staging, l, s.Threads)
	layout := kvLayout(l.Program, s.Policy.KV)
	plan := &engine.Plan{
		Backend: "cpu", ISA: isa, Threads: s.Threads, WeightBytes: weights.Need(), ActBytes: acts.Need(),
		BatchBytes: batch.Need(), PageBytes: int64(layout.page_bytes),
		KVBytes: int64(layout.page_bytes) * int64(s.Pages), StagingBytes: staging.Need(),
	}
	for _, ph := range l.Phases {
		plan.Phases = append(plan.Phases, l.describe(ph, packed, isa))
	}
	return plan
}

var formNames = []string{"f32", "f16", "bf16", "u4", "i8", "i8+min", "i8/16", "i8/16+min"}

// describe is the plan's row of a phase. Bytes of what is not resident yet count by form.
func (l *lowered) describe(ph lowering.Phase, packed []packedWeight, isa string) engine.Phase {
	row := engine.Phase{Name: ph.Name, Chunks: fmt.Sprintf("%d rows", C.ROW_CHUNK)}
	values := l.Program.Values
	switch o := ph.Op.(type) {
	case engine.Embed:
		row.Kernel = "embed " + l.form(packed, o.Table)
		row.ReadBytes = int64(packed[o.Table].matrix.group_bytes) / group
	case engine.Norm:
		row.Kernel = "norm " + isa
		if ph.Quantise {
			row.Kernel = "norm+quantise " + isa
		}
		row.ReadBytes = l.bytes(packed, o.Gamma) + l.bytes(packed, o.Beta)
	case engine.Linears:
		row.Kernel = "product " + l.form(packed, o.Outputs[0].Weight) + " " + isa
		row.Chunks = fmt.Sprintf("%d tokens x up to %d rows", tileTokens, tileGroups*group)
		for _, out := range o.Outputs {
			row.ReadBytes += l.bytes(packed, out.Weight) + l.bytes(packed, out.Gate) + l.bytes(packed, out.Bias) + l.bytes(packed, out.GateBias)
			row.MACs += l.MACs(out.Weight) + l.MACs(out.Gate)
		}
	case engine.Attend:
		row.Kernel = "kv store " + isa
		if ph.Kind == lowering.Attend {
			row.Kernel = "attend " + isa
			row.Chunks = fmt.Sprintf("%d tokens x 1 kv head", queryTokens)
			row.MACs = 2 * int64(o.Heads) * int64(l.Program.HeadDim)
		}
	case engine.Add:
		row.Kernel = "add " + isa
	case engine.Rows:
		row.Kernel = "gather"
	case engine.Head:
		row.Kernel = "product " + l.form(packed, o.Weight) + "+sample " + isa
		row.Chunks = fmt.Sprintf("%d rows of %d weights", logitRows, tileGroups*group)
		row.ReadBytes, row.MACs = l.bytes(packed, o.Weight), l.MACs(o.Weight)
	default:
		row.Kernel = "quantise " + isa
		if ph.Kind == lowering.RopeTable {
			row.Kernel = "rope table"
		} else if values[ph.In].Output {
			row.Chunks = fmt.Sprintf("%d output rows", C.ROW_CHUNK)
		}
	}
	return row
}

func (l *lowered) form(packed []packedWeight, id engine.WeightID) string {
	return formNames[packed[id].matrix.form]
}

func (l *lowered) bytes(packed []packedWeight, id engine.WeightID) int64 {
	if id == engine.NoWeight {
		return 0
	}
	if w := l.Program.Weights[id]; packed[id].matrix.groups == 0 {
		return int64(w.Rows) * int64(w.Cols) * 4
	}
	return packed[id].bytes()
}
