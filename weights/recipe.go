package weights

import (
	"fmt"
	"slices"
)

// This file owns recipes: which type each tensor of a model gets when its matrices are quantised, by names, shapes and the
// types that they have. Values have no say in it, so that a tier which is made while it is loaded has the tensors of one
// that was written to a file.

// Recipe is a tier of a model: Target for its matrices, and what differs from it.
type Recipe struct {
	Target Type
	Keeps  func(name string) bool // tensors whose role keeps them as they are; nil: none. But F32, where nothing is lost, is for all
	Floor  func(name string) Type // what a tensor's role must have at least; nil: nothing
	Mix    map[string]Type        // instead of Target, by name: measured sensitivities, say
	Wide   map[string]Type        // instead of all else, by name: where values have a say after all
}

// Tiers are the types of a ladder from a model's own precision down, the finest first.
func Tiers() []Type { return []Type{F16, Q8_0, Q6_K, Q5_K, Q4_K, Q3_K, Q2_K} }

// shortRows are what stands in for types of 256 values where rows are no multiple of that: blocks of 32 with no fewer bits,
// the ones that files of these types have elsewhere too.
var shortRows = map[Type]Type{Q2_K: Q4_0, Q3_K: Q4_0, Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0}

// Type is what a tensor of that name, type and shape becomes, and why that is not what was asked for, "" if it is.
func (r *Recipe) Type(name string, from Type, shape []uint64) (to Type, reason string) {
	_, readable := blockReaders[from]
	switch {
	case !readable:
		return from, "" // integers and the like are copied
	case len(shape) < 2 || r.Target == F32:
		return F32, ""
	case r.Keeps != nil && r.Keeps(name):
		return from, ""
	}
	if wide, ok := r.Wide[name]; ok {
		return wide, ""
	}
	to = r.wanted(name)
	to, reason = forRows(to, shape[0])
	if values, _ := to.Block(); values > 1 && !to.Smaller(from) {
		return from, "it is " + from.String() + ", which has no more bits: nothing finer can be made of it"
	}
	return to, reason
}

// wanted is what the tensor's name asks for.
func (r *Recipe) wanted(name string) Type {
	if t, ok := r.Mix[name]; ok {
		return t
	}
	if r.Floor != nil {
		if floor := r.Floor(name); r.Target.Smaller(floor) {
			return floor
		}
	}
	return r.Target
}

// forRows is a type, or what stands in for it, of rows of so many values.
func forRows(t Type, row uint64) (to Type, reason string) {
	for to = t; row%blockValues(to) != 0; reason = fmt.Sprintf("rows of %d values are no multiple of %d", row, blockValues(t)) {
		next, ok := shortRows[to]
		if !ok {
			next = F16
		}
		to = next
	}
	return to, reason
}

func blockValues(t Type) uint64 {
	values, _ := t.Block()
	return values
}

// Smaller tells whether t has fewer bits a value than u.
func (t Type) Smaller(u Type) bool {
	n, size := t.Block()
	m, other := u.Block()
	return size*m < other*n
}

// Search quantises rows of so many columns to types whose scales are looked for: what is written to dst, of the right size,
// is the blocks of src. An error of values in a column costs in proportion to its importance, alike where that is nil.
type Search func(dst []byte, t Type, src []float32, columns int, importance []float32) error

// rounded are the types of which rounding is all there is to do.
var rounded = []Type{F32, F16, Q8_0}

// Searched tells whether t takes a search: all other types that are written are as quick to make as to read.
func (t Type) Searched() bool { return !slices.Contains(rounded, t) }

// Quantize writes src, rows of so many columns, as t to dst, which has the right size.
func (s Search) Quantize(dst []byte, t Type, src []float32, columns int) error {
	if !t.Searched() {
		Quantize(t, src, dst[:0])
		return nil
	}
	return s(dst, t, src, columns, nil)
}
