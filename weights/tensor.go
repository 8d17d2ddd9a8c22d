package weights

import (
	"fmt"
	"math/bits"
	"sort"
)

// This file owns the tensor table: shapes, types and where the data lies.

// Tensor is one tensor of a file; File.Read gives its bytes, row after row.
type Tensor struct {
	Name  string
	Type  Type
	Shape []uint64 // ne0 first: the row length, then the numbers of rows

	offset uint64 // from the start of the file's data
	start  uint64 // from the file's first byte
	shard  int    // which file of a sharded model holds it
}

// Rows is the number of rows: the product of all dimensions but the first.
func (t Tensor) Rows() uint64 {
	rows := uint64(1)
	for _, n := range t.Shape[1:] {
		rows *= n
	}
	return rows
}

// Values is the number of values.
func (t Tensor) Values() uint64 { return t.Shape[0] * t.Rows() }

// RowBytes is the size of one row.
func (t Tensor) RowBytes() uint64 {
	values, bytes := t.Type.Block()
	return t.Shape[0] / values * bytes
}

// bytes is the size of all rows.
func (t Tensor) bytes() uint64 { return t.RowBytes() * t.Rows() }

const defaultAlignment = 32

// tensorMemory is what a tensor takes beside its name: the table's entry twice, its shape, two map
// entries, and its description in the file.
const tensorMemory = 400

func (p *parser) tensorTable(h *header, n uint64) {
	alignment := p.alignment(h.metadata)
	names := map[string]bool{}
	p.spend(n*tensorMemory, "tensor_count")
	if p.err == nil {
		h.tensors = make([]Tensor, 0, n)
	}
	for i := uint64(0); i < n && p.err == nil; i++ {
		t := p.tensor(i)
		if p.err == nil && names[t.Name] {
			p.fail("tensor "+t.Name, "it stands twice")
		}
		if p.err == nil && t.offset%alignment != 0 {
			p.fail("tensor "+t.Name, "offset %d is no multiple of the alignment %d", t.offset, alignment)
		}
		names[t.Name] = true
		h.tensors = append(h.tensors, t)
	}
	h.dataStart = (p.at + alignment - 1) / alignment * alignment
	p.place(h)
}

func (p *parser) alignment(m *Metadata) uint64 {
	n, ok, err := m.Uint("general.alignment")
	if err != nil && p.err == nil {
		p.err = err
	}
	if !ok {
		return defaultAlignment
	}
	if n < 8 || n > 1<<20 || n&(n-1) != 0 {
		p.fail("key general.alignment", "%d, it must be a power of two from 8 to 1048576", n)
		return defaultAlignment
	}
	return n
}

func (p *parser) tensor(i uint64) Tensor {
	field := fmt.Sprintf("tensor %d", i)
	t := Tensor{Name: p.text(maxNameBytes, field)}
	field = "tensor " + t.Name
	dims := p.uint(4, field)
	if p.err == nil && (dims < 1 || dims > 4) {
		p.fail(field, "%d dimensions, it must have 1 to 4", dims)
	}
	if p.err == nil {
		t.Shape = make([]uint64, 0, dims)
	}
	for d := uint64(0); d < dims && p.err == nil; d++ {
		t.Shape = append(t.Shape, p.uint(8, field))
	}
	t.Type = Type(p.uint(4, field))
	t.offset = p.uint(8, field)
	if p.err == nil {
		p.checkShape(t, field)
	}
	return t
}

// checkShape refuses what later arithmetic could not hold.
func (p *parser) checkShape(t Tensor, field string) {
	values, bytes := t.Type.Block()
	if values == 0 {
		p.fail(field, "unknown tensor type %d", uint32(t.Type))
		return
	}
	total := uint64(1)
	for _, n := range t.Shape {
		high, low := bits.Mul64(total, n)
		if n == 0 || high != 0 || low > 1<<48 {
			p.fail(field, "dimensions %d: their product must lie between 1 and 2^48", t.Shape)
			return
		}
		total = low
	}
	if t.Shape[0] > maxRowValues {
		p.refuse(field, "rows of %d values, at most %d are supported", t.Shape[0], maxRowValues)
		return
	}
	if t.Shape[0]%values != 0 {
		p.fail(field, "rows of %d values, %s has blocks of %d", t.Shape[0], t.Type, values)
		return
	}
	if size := total / values * bytes; size > uint64(len(p.data)) {
		p.fail(field, "dimensions %d of %s need %d bytes, the file has %d", t.Shape, t.Type, size, len(p.data))
	}
}

// place finds every tensor's bytes: inside the file, and none of them another's.
func (p *parser) place(h *header) {
	if p.err != nil {
		return
	}
	order := make([]int, len(h.tensors))
	for i := range h.tensors {
		order[i] = i
		t := &h.tensors[i]
		start, carry := bits.Add64(h.dataStart, t.offset, 0)
		if carry != 0 || start > uint64(len(p.data)) || t.bytes() > uint64(len(p.data))-start {
			p.at = 0
			p.fail("tensor "+t.Name, "its %d bytes at data offset %d lie beyond the file's end: it is truncated or the offset is wrong", t.bytes(), t.offset)
			return
		}
		t.start = start
	}
	sort.Slice(order, func(a, b int) bool { return h.tensors[order[a]].offset < h.tensors[order[b]].offset })
	for i := 1; i < len(order); i++ {
		before, t := h.tensors[order[i-1]], h.tensors[order[i]]
		if before.offset+before.bytes() > t.offset {
			p.at = 0
			p.fail("tensor "+t.Name, "its bytes overlap those of %s", before.Name)
		}
	}
}
