//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"fmt"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns the plan that people read: the same launches and sizes that Load uses.

func planOf(l *lowered, o engine.LoadOptions, d *device) *engine.Plan {
	weightsArena, acts := &arena{}, &arena{}
	weights := carveWeights(weightsArena, l)
	carveBuffers(acts, l, o)
	layout := kvLayout(l.Program, o.Policy.KV)
	plan := &engine.Plan{
		Backend: "cuda", ISA: fmt.Sprintf("sm_%d%d", d.info.Major, d.info.Minor), Threads: 1,
		WeightBytes: weightsArena.at, BatchBytes: batchBytes(l.Program, o), StagingBytes: stagerBytes(l.longest()),
		PageBytes: int64(layout.page_bytes), KVBytes: int64(layout.page_bytes) * int64(o.Pages),
	}
	plan.ActBytes = acts.at - plan.BatchBytes // the mirror is carved with the activations
	plan.HostBytes = depth*plan.BatchBytes + plan.StagingBytes + bounceBytes(plan)
	for _, ph := range l.Phases {
		plan.Phases = append(plan.Phases, l.describe(ph, weights))
	}
	return plan
}

var formNames = []string{"f32", "f16", "bf16", "u4", "i8", "i8+min", "i8/16", "i8/16+min"}

// describe is the plan's row of a phase.
func (l *lowered) describe(ph lowering.Phase, weights []weight) engine.Phase {
	row := engine.Phase{Name: ph.Name, Chunks: "1 row"}
	bytes := func(ids ...engine.WeightID) (n int64) {
		for _, id := range ids {
			if id != engine.NoWeight {
				n += weights[id].bytes
			}
		}
		return n
	}
	form := func(id engine.WeightID) string { return formNames[weights[id].matrix.form] }
	switch o := ph.Op.(type) {
	case engine.Embed:
		row.Kernel, row.ReadBytes = "embed "+form(o.Table), int64(weights[o.Table].matrix.group_bytes)/group
	case engine.Norm:
		row.Kernel, row.ReadBytes = "norm", bytes(o.Gamma, o.Beta)
		if ph.Quantise {
			row.Kernel = "norm+quantise"
		}
	case engine.Linears:
		row.Kernel, row.Chunks = "product "+form(o.Outputs[0].Weight), productChunks
		for _, out := range o.Outputs {
			row.ReadBytes += bytes(out.Weight, out.Gate, out.Bias)
			if out.Gate != engine.NoWeight {
				row.ReadBytes += bytes(out.GateBias)
			}
			row.MACs += l.MACs(out.Weight) + l.MACs(out.Gate)
		}
	case engine.Attend:
		row.Kernel = "store"
		if ph.Kind == lowering.Attend {
			row.Kernel, row.Chunks = "attend", fmt.Sprintf("1 head x %d positions", C.SPLIT_TOKENS)
			row.MACs = 2 * int64(o.Heads) * int64(l.Program.HeadDim)
		}
	case engine.Head:
		row.Kernel, row.Chunks = "head+sample "+form(o.Weight), productChunks
		row.ReadBytes, row.MACs = bytes(o.Weight), l.MACs(o.Weight)
	case engine.Add:
		row.Kernel = "add"
	case engine.Rows:
		row.Kernel = "gather"
	default:
		row.Kernel = "quantise"
		if ph.Kind == lowering.RopeTable {
			row.Kernel = "rope table"
		}
	}
	return row
}

var productChunks = fmt.Sprintf("%d weight rows x up to %d rows", group, rowTokens)
