package enginetest

import (
	"fmt"

	"chimera/engine"
)

// This file owns weights in memory, for tests of what loads them.

// Tensor is a tensor with its bytes.
type Tensor struct {
	engine.Tensor
	Data []byte // (Rows, RowBytes)
}

// Tensors are weights in memory, by name.
type Tensors map[string]Tensor

var _ engine.Weights = Tensors{}

// Put adds a tensor of whole rows.
func (w Tensors) Put(name string, t engine.DType, rows, cols int, data []byte) {
	w[name] = Tensor{engine.Tensor{Name: name, Type: t, Rows: rows, Cols: cols, RowBytes: len(data) / rows}, data}
}

// Tensor returns the named tensor.
func (w Tensors) Tensor(name string) (engine.Tensor, error) {
	t, ok := w[name]
	if !ok {
		return t.Tensor, fmt.Errorf("no tensor %s: %w", name, engine.ErrModelFile)
	}
	return t.Tensor, nil
}

// Has tells whether the tensor exists.
func (w Tensors) Has(name string) bool { _, ok := w[name]; return ok }

// Read copies rows, and refuses those that the tensor does not have.
func (w Tensors) Read(name string, firstRow int, dst []byte) error {
	t, ok := w[name]
	if from := firstRow * t.RowBytes; !ok || firstRow < 0 || len(dst)%t.RowBytes != 0 || from+len(dst) > len(t.Data) {
		return fmt.Errorf("tensor %s: %d bytes from row %d on: %w", name, len(dst), firstRow, engine.ErrModelFile)
	}
	copy(dst, t.Data[firstRow*t.RowBytes:])
	return nil
}

// Ahead does nothing: all is here.
func (w Tensors) Ahead(string, int, int) {}
