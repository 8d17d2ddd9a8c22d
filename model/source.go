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

// Tensor returns the named tensor.
func (s Source) Tensor(name string) (engine.Tensor, error) {
	t, err := s.find(name)
	if err != nil {
		return engine.Tensor{}, err
	}
	return engine.Tensor{
		Name: name, Type: engine.DType(t.Type), Rows: int(t.Rows()), Cols: int(t.Shape[0]), RowBytes: int(t.RowBytes()),
	}, nil
}

func (s Source) find(name string) (weights.Tensor, error) {
	t, ok := s.file.Tensor(name)
	if !ok {
		return t, fail(s.file, "tensor %s is missing", name)
	}
	return t, nil
}

// Has tells whether the file has the tensor.
func (s Source) Has(name string) bool {
	_, ok := s.file.Tensor(name)
	return ok
}

// Read fills dst with whole rows from firstRow on, which are finite.
func (s Source) Read(name string, firstRow int, dst []byte) error {
	t, err := s.find(name)
	if err != nil {
		return err
	}
	if err := s.file.ReadFinite(t, uint64(firstRow), dst); err != nil { // a negative row lies beyond all
		return fmt.Errorf("%w: %w", err, engine.ErrModelFile)
	}
	return nil
}

// Ahead hints that the rows are read soon.
func (s Source) Ahead(name string, firstRow, rows int) {
	if t, ok := s.file.Tensor(name); ok {
		s.file.Ahead(t, uint64(firstRow), uint64(rows))
	}
}
