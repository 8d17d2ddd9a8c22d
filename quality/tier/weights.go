// Package tier makes a model's quantisation tiers out of its own weights, while they are loaded.
package tier

import (
	"fmt"
	"slices"
	"sync"

	"chimera/engine"
	"chimera/weights"
)

// This file owns a tier as weights: a backend reads it as it would a file of that tier, and gets the same bytes.

// Weights are a source's weights as a recipe has them: a tensor is quantised row by row as it is read, so a tier needs neither
// a file nor memory for one, and any goroutine may read any rows. Bytes depend on the row alone. They, and so the
// digest of what is loaded, are those of a file that weights.Convert writes by the same recipe: a tensor whose values its type
// can't hold is an *UnfitError, and Wider says what Convert makes of it.
//
// A tensor never gets more bits than it has, unless it is one of those: tiers are a way down.
type Weights struct {
	source engine.Weights
	recipe weights.Recipe
	search weights.Search
	pace   Pace
	rows   sync.Pool // of *rows, one for each reader at a time
	watch  watch
}

// rows is what one read needs beside its result.
type rows struct {
	raw    []byte
	values []float32
}

// New makes a tier of source; search is asked for the types that need one, pace is its.
func New(source engine.Weights, recipe weights.Recipe, search weights.Search, pace Pace) *Weights {
	return &Weights{source: source, recipe: recipe, search: search, pace: pace, rows: sync.Pool{New: func() any { return new(rows) }}}
}

var _ engine.Weights = (*Weights)(nil)

// Tensor returns the named tensor with the type that it has in this tier.
func (w *Weights) Tensor(name string) (engine.Tensor, error) {
	t, err := w.source.Tensor(name)
	if err != nil {
		return t, err
	}
	return w.served(t), nil
}

// typeOf is the type that this tier gives a source's tensor.
func (w *Weights) typeOf(t engine.Tensor) weights.Type {
	shape := []uint64{uint64(t.Cols), uint64(t.Rows)}
	if t.Rows == 1 {
		shape = shape[:1]
	}
	from := weights.Type(t.Type)
	to, _ := w.recipe.Type(t.Name, from, shape)
	if _, wide := w.recipe.Wide[t.Name]; !wide && len(shape) > 1 && !to.Smaller(from) {
		return from
	}
	return to
}

// served is a source's tensor as this tier has it.
func (w *Weights) served(t engine.Tensor) engine.Tensor {
	from, to := weights.Type(t.Type), w.typeOf(t)
	if to == from {
		return t
	}
	values, bytes := to.Block()
	t.Type, t.RowBytes = engine.DType(to), t.Cols/int(values)*int(bytes)
	t.PartRows = max(w.pace(from, to)/t.Cols, 1)
	return t
}

// Has tells whether the source has the tensor.
func (w *Weights) Has(name string) bool { return w.source.Has(name) }

// Ahead passes the hint on: rows of the source are as many.
func (w *Weights) Ahead(name string, firstRow, rows int) { w.source.Ahead(name, firstRow, rows) }

// Read fills dst with whole rows of the tier from firstRow on.
func (w *Weights) Read(name string, firstRow int, dst []byte) error {
	source, err := w.source.Tensor(name)
	if err != nil {
		return err
	}
	t := w.served(source)
	if t.Type == source.Type {
		return w.source.Read(name, firstRow, dst)
	}
	r := w.rows.Get().(*rows)
	defer w.rows.Put(r)
	n := len(dst) / t.RowBytes
	r.raw = slices.Grow(r.raw[:0], n*source.RowBytes)[:n*source.RowBytes]
	r.values = slices.Grow(r.values[:0], n*t.Cols)[:n*t.Cols]
	if err := w.source.Read(name, firstRow, r.raw); err != nil {
		return err
	}
	err = weights.Dequantize(weights.Type(source.Type), r.raw, r.values)
	if err == nil {
		err = w.watch.check(t, firstRow, r.values)
	}
	if err == nil {
		err = w.search.Quantize(dst[:n*t.RowBytes], weights.Type(t.Type), r.values, t.Cols)
	}
	if err != nil {
		return fmt.Errorf("tensor %s, rows from %d on: %w: %w", name, firstRow, err, engine.ErrModelFile)
	}
	return nil
}
