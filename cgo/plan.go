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
func (b *Backend) Plan(p *engine.Program, w engine.Weights, o engine.LoadOptions) (*engine.Plan, error) {
	l, s, err := b.prepare(p, w, o)
	if err != nil {
		return nil, err
	}
	return planOf(l, s, b.isa()), nil
}

func planOf(l *lowered, s sizes, isa string) *engine.Plan {
	weights, acts, kv := &hostmem.Carver{}, &hostmem.Carver{}, &hostmem.Carver{}
	batch, staging := &hostmem.Carver{}, &hostmem.Carver{}
	packed := carveWeights(weights, l)
	carveBuffers(acts, l, s)
	if s.Share == nil {
		carveGroups(kv, l.Program, s.LoadOptions)
	}
	lowering.CarveBatch(batch, l.Program, s.LoadOptions)
	carveStaging(staging, l, s.threads)
	plan := &engine.Plan{
		Backend: "cpu", ISA: isa, Threads: s.threads, WeightBytes: weights.Need(), ActBytes: acts.Need(),
		BatchBytes: batch.Need(), KVBytes: kv.Need(), StagingBytes: staging.Need(), Groups: planGroups(l.Program, s.LoadOptions),
	}
	show := &showing{l, packed, isa}
	for _, ph := range l.Phases {
		row := engine.Phase{Name: ph.Name, Backend: plan.Backend, Chunks: fmt.Sprintf("%d rows", C.ROW_CHUNK)}
		phaseKinds[ph.Kind].show(show, ph, &row)
		plan.Phases = append(plan.Phases, row)
	}
	return plan
}

// showing is what the plan's rows are written from. Bytes of what is not resident yet count by form.
type showing struct {
	*lowered
	packed []packedWeight
	isa    string
}

// formNames go by C's enum form_id; a form without a name does not compile.
var formNames [C.FORM_COUNT]string = [...]string{
	"f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs", "mxfp4",
}

func (s *showing) form(id engine.WeightID) string { return formNames[s.packed[id-1].matrix.form] }

// bytes is what a weight takes; 0 for NoWeight.
func (s *showing) bytes(id engine.WeightID) int64 {
	if id == engine.NoWeight {
		return 0
	}
	if w := s.Program.Weight(id); s.packed[id-1].matrix.groups == 0 {
		return int64(w.Rows) * int64(w.Cols) * 4
	}
	return s.packed[id-1].bytes()
}
