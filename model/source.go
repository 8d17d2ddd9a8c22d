package model

import (
	"fmt"

	"chimera/engine"
	"chimera/weights"
)

// Source shows a model file's tensors to a backend.
type Source struct{ file *weights.File }

// NewSource wraps f, which must stay open as long as the source is used.
func NewSource(f *weights.File) Source { return Source{f} }

var _ engine.Weights = Source{}

// Tensor returns the named tensor, if the file still holds its bytes: a backend's C code reads them.
func (s Source) Tensor(name string) (engine.Tensor, error) {
	t, ok := s.file.Tensor(name)
	if !ok {
		return engine.Tensor{}, fail(s.file, "tensor %s is missing", name)
	}
	if err := s.file.Intact(t); err != nil {
		return engine.Tensor{}, fmt.Errorf("%w: %w", err, engine.ErrModelFile)
	}
	return engine.Tensor{
		Name: name, Type: engine.DType(t.Type), Rows: int(t.Rows()), Cols: int(t.Shape[0]), Data: t.Data,
	}, nil
}

// Has tells whether the file has the tensor.
func (s Source) Has(name string) bool {
	_, ok := s.file.Tensor(name)
	return ok
}

// Release gives the tensor's pages back to the system.
func (s Source) Release(name string) {
	if t, ok := s.file.Tensor(name); ok {
		s.file.Release(t)
	}
}

// Dequantize writes rows [first, first+rows) as float32.
func (s Source) Dequantize(name string, first, rows int, dst []float32) error {
	t, ok := s.file.Tensor(name)
	if !ok {
		return fail(s.file, "tensor %s is missing", name)
	}
	bytes := t.RowBytes()
	if first < 0 || rows < 0 || uint64(first)+uint64(rows) > t.Rows() {
		return fail(s.file, "tensor %s has no rows %d to %d", name, first, first+rows)
	}
	if err := weights.Dequantize(t.Type, t.Data[uint64(first)*bytes:uint64(first+rows)*bytes], dst); err != nil {
		return fail(s.file, "tensor %s: %w", name, err)
	}
	return nil
}
