package weights

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// This file owns writing GGUF (version 3).

// OutTensor is a tensor to be written. Its bytes are asked for when their turn comes, so that a file of
// any size needs the memory of one tensor.
type OutTensor struct {
	Name  string
	Type  Type
	Shape []uint64
	Write func(io.Writer) error // writes exactly the tensor's bytes
}

func (t OutTensor) bytes() uint64 { return Tensor{Type: t.Type, Shape: t.Shape}.bytes() }

// writer encodes and counts; the first error sticks.
type writer struct {
	w   *bufio.Writer
	at  uint64
	err error
}

func (w *writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.w.Write(b)
	w.at += uint64(n)
	w.err = err
	return n, err
}

func (w *writer) uint(bytes int, v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	w.Write(b[:bytes])
}

func (w *writer) text(s string) {
	w.uint(8, uint64(len(s)))
	io.WriteString(w, s)
}

func (w *writer) pad(alignment uint64) {
	for w.at%alignment != 0 && w.err == nil {
		w.Write([]byte{0})
	}
}

// WriteFile writes a whole GGUF file to out.
func WriteFile(out io.Writer, m *Metadata, tensors []OutTensor) error {
	w := &writer{w: bufio.NewWriterSize(out, 1<<20)}
	alignment := m.alignment()
	w.head(m, tensors)
	for _, t := range tensors {
		w.pad(alignment)
		before := w.at
		if err := t.Write(w); err != nil {
			return ofTensor(t.Name, err)
		}
		if w.err == nil && w.at-before != t.bytes() {
			return fmt.Errorf("tensor %s: %d bytes were written, %d announced", printable(t.Name), w.at-before, t.bytes())
		}
	}
	w.pad(alignment)
	if w.err != nil {
		return w.err
	}
	return w.w.Flush()
}

// WriteHead writes what stands before the tensors' bytes in a GGUF file, and returns from which byte of the file on each tensor's are to be, for who
// has them in no order. Their Write is not asked.
func WriteHead(out io.Writer, m *Metadata, tensors []OutTensor) (starts []int64, err error) {
	w := &writer{w: bufio.NewWriter(out)}
	w.head(m, tensors)
	alignment := m.alignment()
	w.pad(alignment)
	at := w.at
	for _, t := range tensors {
		starts = append(starts, int64(at))
		at += aligned(t.bytes(), alignment)
	}
	if w.err != nil {
		return nil, w.err
	}
	return starts, w.w.Flush()
}

func (m *Metadata) alignment() uint64 {
	if n, ok, _ := m.Uint("general.alignment"); ok {
		return n
	}
	return defaultAlignment
}

func aligned(bytes, alignment uint64) uint64 { return (bytes + alignment - 1) / alignment * alignment }

// head writes metadata and the table of tensors.
func (w *writer) head(m *Metadata, tensors []OutTensor) {
	io.WriteString(w, "GGUF")
	w.uint(4, 3)
	w.uint(8, uint64(len(tensors)))
	w.uint(8, uint64(len(m.keys)))
	for _, key := range m.keys {
		w.text(key)
		w.value(m.values[key])
	}
	offset, alignment := uint64(0), m.alignment()
	for _, t := range tensors {
		w.text(t.Name)
		w.uint(4, uint64(len(t.Shape)))
		for _, n := range t.Shape {
			w.uint(8, n)
		}
		w.uint(4, uint64(t.Type))
		w.uint(8, offset)
		offset += aligned(t.bytes(), alignment)
	}
}

func (w *writer) value(v Value) {
	w.uint(4, uint64(v.Type))
	if v.Type != Array {
		w.element(v.Type, v.Any)
		return
	}
	w.uint(4, uint64(v.Element))
	switch list := v.Any.(type) {
	case []string:
		elements(w, v.Element, list)
	case []uint64:
		elements(w, v.Element, list)
	case []int64:
		elements(w, v.Element, list)
	case []float64:
		elements(w, v.Element, list)
	case []bool:
		elements(w, v.Element, list)
	}
}

func elements[T any](w *writer, t ValueType, list []T) {
	w.uint(8, uint64(len(list)))
	for _, x := range list {
		w.element(t, x)
	}
}

func (w *writer) element(t ValueType, x any) {
	bytes := int(scalarBytes[t])
	switch v := x.(type) {
	case string:
		w.text(v)
	case uint64:
		w.uint(bytes, v)
	case int64:
		w.uint(bytes, uint64(v))
	case bool:
		if v {
			w.uint(bytes, 1)
		} else {
			w.uint(bytes, 0)
		}
	case float64:
		if t == Float32 {
			w.uint(bytes, uint64(math.Float32bits(float32(v))))
		} else {
			w.uint(bytes, math.Float64bits(v))
		}
	}
}
