//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"fmt"

	"chimera/engine"
)

// This file owns the plan that people read: the same launches and sizes that Load uses.

func planOf(l *lowered, o engine.LoadOptions, d *device) *engine.Plan {
	weights, acts, kv := &arena{}, &arena{}, &arena{}
	g := carveGeneration(weights, l, o)
	carveBuffers(acts, l, o)
	groups := carveGroups(kv, l.Program, o)
	if o.Share != nil {
		kv.at = 0 // another's
	}
	plan := &engine.Plan{
		Backend: "cuda", ISA: fmt.Sprintf("sm_%d%d", d.info.Major, d.info.Minor), Threads: 1,
		WeightBytes: weights.at, BatchBytes: batchBytes(l.Program, o), StagingBytes: stagerBytes(l.longest()),
		Groups: planGroups(groups), KVBytes: kv.at,
	}
	plan.ActBytes = acts.at - plan.BatchBytes // the mirror is carved with the activations
	plan.HostBytes = depth*plan.BatchBytes + plan.StagingBytes + bounceBytes(plan)
	show := &showing{l, g.weights}
	for _, ph := range l.Phases {
		row := engine.Phase{Name: ph.Name, Backend: plan.Backend, Chunks: "1 row"}
		phaseKinds[ph.Kind].show(show, ph, &row)
		plan.Phases = append(plan.Phases, row)
	}
	return plan
}

// showing is what the plan's rows are written from.
type showing struct {
	*lowered
	weights []weight
}

var formNames [C.PACK_FORMS]string = [...]string{"f32", "f16", "bf16", "u4", "i8", "i8+min", "i8/16", "i8/16+min"}

func (s *showing) form(id engine.WeightID) string { return formNames[s.weights[id-1].matrix.form] }

// bytes is what weights take; NoWeight takes nothing.
func (s *showing) bytes(ids ...engine.WeightID) (n int64) {
	for _, id := range ids {
		if id != engine.NoWeight {
			n += s.weights[id-1].bytes
		}
	}
	return n
}
