//go:build cuda

package cuda

// #include "layout.h"
import "C"

import (
	"unsafe"

	"chimera/engine"
	"chimera/engine/lowering"
)

// This file owns writing launches down for the kernels: each gets a struct phase, all of them off the Go
// heap, since they are full of device addresses. An op's file writes its own part.

// filler knows where everything of an instance lies.
type filler struct {
	*lowered
	options     engine.LoadOptions
	buffers     *buffers
	weights     []weight
	frequencies []Pointer // per rope
	groups      []groupCache
}

// opOf is the launch's structure of its own kind.
func opOf[T any](c *C.struct_phase) *T { return (*T)(unsafe.Pointer(&c.op)) }

func (f *filler) acts() (a C.struct_device_acts) {
	b := f.buffers
	point(&a.q, b.q)
	point(&a.d, b.d)
	point(&a.sum, b.sum)
	point(&a.half_sum, b.halfSum)
	a.blocks = C.int32_t(f.blocks())
	return a
}

// value describes an activation; NoValue gives one without data.
func (f *filler) value(id engine.ValueID) (v C.struct_device_value) {
	if id == engine.NoValue {
		return v
	}
	point(&v.data, f.buffers.values[id-1])
	v.width, v.domain = C.int32_t(f.Program.Value(id).Width), C.int32_t(f.Program.Value(id).Rows)
	return v
}

// matrix is a packed weight by id; without data for NoWeight.
func (f *filler) matrix(id engine.WeightID) (none C.struct_packed) {
	if id == engine.NoWeight {
		return none
	}
	return f.weights[id-1].matrix
}

// plain points at a vector, or at nothing for NoWeight.
func (f *filler) plain(field **C.float, id engine.WeightID) {
	if id != engine.NoWeight {
		point(field, f.weights[id-1].plain)
	}
}

// turn is what is done to each head of a value.
func (f *filler) turn(norm engine.WeightID, epsilon float32, rope int) (t C.struct_device_turn) {
	f.plain(&t.gamma, norm)
	t.epsilon = C.float(epsilon)
	if rope != lowering.NoRope {
		t.rope = f.rope(rope)
	}
	return t
}

// group is a group's pages as kernels see them.
func (f *filler) group(id engine.GroupID) (g C.struct_device_group) {
	own := f.groups[id-1]
	g.kv, g.index, g.groups = own.layout, C.int32_t(id-1), C.int32_t(len(f.groups))
	g.mask, g.window = C.int32_t(own.Mask), C.int32_t(own.Window)
	point(&g.pages, own.at)
	return g
}
