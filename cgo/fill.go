package cgo

// #include <stdlib.h>
// #include "step.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns writing the plan down for C: values, ropes, phases. All of it is allocated once, by
// C, and freed with the generation or the instance. What is written of a phase stands in its op's file.

// phaseKind is what Go knows of a kind of phase: how to write it down for C, and how to show it.
type phaseKind struct {
	fill func(*filling, *C.struct_phase, lowering.Phase)
	show func(*showing, lowering.Phase, *engine.Phase)
}

// phaseKinds is in the order of lowering's kinds; step.c has the same table.
var phaseKinds = [...]phaseKind{
	lowering.RopeTable: {fillRope, showRope},
	lowering.Embed:     {fillEmbed, showEmbed},
	lowering.Norm:      {fillNorm, showNorm},
	lowering.Quantise:  {fillQuantise, showQuantise},
	lowering.Linears:   {fillLinears, showLinears},
	lowering.Store:     {fillStore, showStore},
	lowering.Attend:    {fillAttend, showAttend},
	lowering.Add:       {fillAdd, showAdd},
	lowering.Rows:      {fillRows, showRows},
	lowering.Tap:       {fillTap, showTap},
	lowering.Head:      {fillHead, showHead},
}

// callocs are C structures that live as long as their owner.
type callocs struct{ blocks []unsafe.Pointer }

// calloc returns n zeroed C structures that live until the memory is freed.
func calloc[T any](m *callocs, n int) []T {
	var zero T
	p := C.calloc(C.size_t(max(n, 1)), C.size_t(unsafe.Sizeof(zero)))
	m.blocks = append(m.blocks, p)
	return unsafe.Slice((*T)(p), n)
}

func (m *callocs) free() {
	for _, p := range m.blocks {
		C.free(p)
	}
	m.blocks = nil
}

// filling is what phases are written from.
type filling struct {
	memory *callocs
	values []C.struct_value
	packed []packedWeight
	ropes  []C.struct_rope
}

// fillPlan writes the phases down for weights that are packed.
func fillPlan(m *callocs, l *lowered, values []C.struct_value, angles [][2][]float32, packed []packedWeight) *C.struct_plan {
	f := &filling{memory: m, values: values, packed: packed}
	f.fillRopes(l.Ropes, angles)
	phases := calloc[C.struct_phase](m, len(l.Phases))
	for i, ph := range l.Phases {
		phases[i].kind = C.int32_t(ph.Kind)
		phaseKinds[ph.Kind].fill(f, &phases[i], ph)
	}
	plan := &calloc[C.struct_plan](m, 1)[0]
	*plan = C.struct_plan{phases: unsafe.SliceData(phases), count: C.int32_t(len(phases))}
	return plan
}

// opOf is the phase's structure of its own kind.
func opOf[T any](c *C.struct_phase) *T { return (*T)(unsafe.Pointer(&c.op)) }

// value is a value by id, or nil for NoValue.
func (f *filling) value(id engine.ValueID) *C.struct_value {
	if id == engine.NoValue {
		return nil
	}
	return &f.values[id-1]
}

// matrix is a packed weight by id; without data for NoWeight.
func (f *filling) matrix(id engine.WeightID) (none C.struct_packed) {
	if id == engine.NoWeight {
		return none
	}
	return f.packed[id-1].matrix
}

// plain is a vector by id, or nil for NoWeight.
func (f *filling) plain(id engine.WeightID) *C.float {
	if id == engine.NoWeight {
		return nil
	}
	return floats(f.packed[id-1].plain)
}

// fillInstance writes down what steps write to.
func (in *instance) fillInstance() {
	in.c, in.cBatch = &calloc[C.struct_instance](&in.memory, 1)[0], &calloc[C.struct_batch](&in.memory, 1)[0]
	in.values = calloc[C.struct_value](&in.memory, len(in.Program.Values))
	for i, v := range in.Program.Values {
		in.values[i] = C.struct_value{data: floats(in.buffers.values[i]), width: C.int32_t(v.Width), domain: C.int32_t(v.Rows)}
	}
	b, c := in.buffers, in.c
	c.kernels, c.pool = in.backend.kernels, in.backend.pool
	c.groups, c.group_count = in.fillGroups(), C.int32_t(len(in.groups))
	c.vocab = C.int32_t(in.Program.Vocab)
	c.acts = C.struct_acts{
		q: (*C.int8_t)(unsafe.Pointer(unsafe.SliceData(b.q))), d: floats(b.d), sum: floats(b.sum),
		half_sum: floats(b.halfSum), total: ints(b.total), half_total: ints(b.halfTotal), start: ints(b.start), half_start: ints(b.halfStart),
		blocks: C.int32_t(in.blocks()),
	}
	c.logits = floats(b.logits)
	c.scratch, c.scratch_bytes = (*C.uint8_t)(b.scratch), C.int64_t(scratchBytes(in.Program.Vocab))
	c.query_tiles = unsafe.SliceData(b.tilesList)
	c.whole_row = ints(b.wholeRow)
}

func (in *instance) fillGroups() *C.struct_group_cache {
	groups := calloc[C.struct_group_cache](&in.memory, len(in.groups))
	for i, g := range in.groups {
		groups[i] = C.struct_group_cache{
			kv: g.layout, pages: (*C.uint8_t)(unsafe.SliceData(g.bytes)),
			mask: C.int32_t(in.Program.Groups[i].Mask), window: C.int32_t(in.Program.Groups[i].Window), // not of who shares the pages
		}
	}
	return unsafe.SliceData(groups)
}

// flag is a truth for C.
func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

func floats(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

func ints(s []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(s))) }
