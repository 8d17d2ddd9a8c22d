package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// This file owns parsing the header of one GGUF file. Everything in it is a claim until checked:
// counts are bounded by the bytes that are left, sizes are multiplied with overflow checks, and nothing
// is allocated for what the file merely says it holds.

// limits of a header. Real files stay far below; they bound what a hostile one can cost.
const (
	maxNameBytes   = 1 << 10
	maxTensors     = 1 << 16
	maxKeys        = 1 << 16
	maxArrayValues = 1 << 24
	maxRowValues   = 1 << 22  // readers work row by row and hold a row as float32
	headerMemory   = 48 << 20 // bytes that the header may take: its values and the file's pages that they were read from
	keyMemory      = 200      // bytes of a map entry, a list entry and a value
)

// parser walks the header. The first error sticks; after it every read gives zero.
type parser struct {
	file  string
	data  []byte
	at    uint64
	spent uint64 // of headerMemory, which the shards of a model share
	err   error
}

func (p *parser) fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = &FormatError{File: p.file, Offset: p.at, Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrMalformed}
	}
}

// refuse fails with what the format allows and this build does not read.
func (p *parser) refuse(field, format string, args ...any) {
	if p.err == nil {
		p.err = &FormatError{File: p.file, Offset: p.at, Field: field, Reason: fmt.Sprintf(format, args...), Kind: ErrUnsupported}
	}
}

func (p *parser) left() uint64 { return uint64(len(p.data)) - p.at }

// take returns the next n bytes.
func (p *parser) take(n uint64, field string) []byte {
	if p.err != nil {
		return nil
	}
	if n > p.left() {
		p.fail(field, "needs %d bytes, the file has %d left: it is truncated or its length is wrong", n, p.left())
		return nil
	}
	b := p.data[p.at : p.at+n]
	p.at += n
	return b
}

// spend counts memory taken for parsed values.
func (p *parser) spend(n uint64, field string) {
	p.spent += n
	if p.spent > headerMemory {
		p.fail(field, "the header takes more than %d MiB of memory", headerMemory>>20)
	}
}

func (p *parser) uint(bytes uint64, field string) uint64 {
	b := p.take(bytes, field)
	if b == nil {
		return 0
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:])
}

func (p *parser) text(limit uint64, field string) string {
	n := p.uint(8, field)
	if n > limit {
		p.fail(field, "a string of %d bytes, at most %d are allowed", n, limit)
		return ""
	}
	b := p.take(n, field)
	p.spend(8+2*n, field)
	if p.err != nil {
		return ""
	}
	return string(b)
}

var scalarBytes = map[ValueType]uint64{
	Uint8: 1, Int8: 1, Bool: 1, Uint16: 2, Int16: 2, Uint32: 4, Int32: 4, Float32: 4, Uint64: 8, Int64: 8, Float64: 8,
}

// scalar widens a value of type t.
func (p *parser) scalar(t ValueType, field string) any {
	bytes, ok := scalarBytes[t]
	if !ok {
		p.fail(field, "unknown value type %d", uint32(t))
		return nil
	}
	u := p.uint(bytes, field)
	switch t {
	case Int8:
		return int64(int8(u))
	case Int16:
		return int64(int16(u))
	case Int32:
		return int64(int32(u))
	case Int64:
		return int64(u)
	case Float32:
		return float64(math.Float32frombits(uint32(u)))
	case Float64:
		return math.Float64frombits(u)
	case Bool:
		if u > 1 {
			p.fail(field, "a bool of %d, it must be 0 or 1", u)
		}
		return u == 1
	}
	return u
}

func (p *parser) value(field string) Value {
	t := ValueType(p.uint(4, field))
	switch t {
	case Text:
		return Value{Type: t, Any: p.text(p.left(), field)}
	case Array:
		return p.array(field)
	}
	return Value{Type: t, Any: p.scalar(t, field)}
}

func (p *parser) array(field string) Value {
	element := ValueType(p.uint(4, field))
	n := p.uint(8, field)
	smallest := scalarBytes[element]
	if element == Text {
		smallest = 8
	}
	switch {
	case p.err != nil:
	case element == Array:
		p.refuse(field, "arrays of arrays are not read")
	case smallest == 0:
		p.fail(field, "an array of unknown value type %d", uint32(element))
	case n > maxArrayValues || n > p.left()/smallest:
		p.fail(field, "an array of %d values, the file has %d bytes left", n, p.left())
	}
	if p.err != nil {
		return Value{}
	}
	v := Value{Type: Array, Element: element}
	switch element {
	case Text:
		v.Any = list(p, n, 16, field, func() string { return p.text(p.left(), field) })
	case Int8, Int16, Int32, Int64:
		v.Any = list(p, n, 8+smallest, field, func() int64 { x, _ := p.scalar(element, field).(int64); return x })
	case Float32, Float64:
		v.Any = list(p, n, 8+smallest, field, func() float64 { x, _ := p.scalar(element, field).(float64); return x })
	case Bool:
		v.Any = list(p, n, 2, field, func() bool { x, _ := p.scalar(element, field).(bool); return x })
	default:
		v.Any = list(p, n, 8+smallest, field, func() uint64 { x, _ := p.scalar(element, field).(uint64); return x })
	}
	return v
}

// list reads n values; memory is counted before it is taken.
func list[T any](p *parser, n, bytes uint64, field string, next func() T) []T {
	p.spend(n*bytes, field)
	if p.err != nil {
		return nil
	}
	out := make([]T, 0, n)
	for uint64(len(out)) < n && p.err == nil {
		out = append(out, next())
	}
	return out
}

// header is one parsed file.
type header struct {
	metadata  *Metadata
	tensors   []Tensor
	dataStart uint64
	spent     uint64 // of headerMemory, earlier shards included
}

// parseHeader reads one file. spent is what earlier shards took of headerMemory.
func parseHeader(file string, data []byte, spent uint64) (*header, error) {
	p := &parser{file: file, data: data, spent: spent}
	if magic := p.take(4, "magic"); p.err == nil && string(magic) != "GGUF" {
		p.at = 0
		p.fail("magic", "the file begins with %q, not with \"GGUF\": it is no GGUF file", magic)
	}
	p.version()
	h := &header{metadata: &Metadata{file: file, values: map[string]Value{}}}
	tensors, keys := p.uint(8, "tensor_count"), p.uint(8, "metadata_kv_count")
	if tensors > maxTensors || tensors > p.left()/24 {
		p.fail("tensor_count", "%d tensors in a file of %d bytes", tensors, len(data))
	}
	if keys > maxKeys || keys > p.left()/12 {
		p.fail("metadata_kv_count", "%d keys in a file of %d bytes", keys, len(data))
	}
	p.metadata(h.metadata, keys)
	p.tensorTable(h, tensors)
	h.spent = p.spent
	return h, p.err
}

func (p *parser) version() {
	v := uint32(p.uint(4, "version"))
	switch {
	case p.err != nil || v == 2 || v == 3:
	case v&0xffff == 0:
		p.refuse("version", "a big-endian file (version %d): only little-endian ones are read", bits.ReverseBytes32(v))
	default:
		p.refuse("version", "version %d: versions 2 and 3 are read", v)
	}
}

func (p *parser) metadata(m *Metadata, n uint64) {
	for i := uint64(0); i < n && p.err == nil; i++ {
		key := p.text(maxNameBytes, fmt.Sprintf("key %d", i))
		p.spend(keyMemory, "metadata_kv_count")
		v := p.value("key " + key)
		if _, twice := m.values[key]; twice {
			p.fail("key "+key, "it stands twice")
		}
		if p.err == nil {
			m.Set(key, v)
		}
	}
}
