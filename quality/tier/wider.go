package tier

import (
	"fmt"
	"sync"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tensors whose values the tier's type can't hold: how that shows while a tier is made, and what they get instead.
//
// Rejected: to look at all values before a tier is made, so that its types are known. That reads the model a second time, for minutes where the disk is slow, to find
// nothing in nearly every model.

// UnfitError is a tensor whose values the tier's type can't hold. With the types of Wider the tier can be made.
type UnfitError struct {
	Tensor string
	Type   weights.Type
	Reason string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("tensor %s can't be %s: %s", e.Tensor, e.Type, e.Reason)
}

// Unwrap says whose fault it is where nobody makes the tier wider.
func (e *UnfitError) Unwrap() error { return engine.ErrModelFile }

// watch is what was seen of the values of a tier's tensors. Too large is any one of them, too small are all together.
type watch struct {
	mu      sync.Mutex
	tensors map[string]*seen
}

// seen is a tensor of which values are made.
type seen struct {
	most float32 // of all rows that were read
	read []bool  // by row
	left int
}

// add notes the largest of some rows, and returns that of the tensor when all of it was seen.
func (w *watch) add(t engine.Tensor, firstRow, rows int, largest float32) (most float32, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tensors == nil {
		w.tensors = map[string]*seen{}
	}
	s := w.tensors[t.Name]
	if s == nil {
		s = &seen{read: make([]bool, t.Rows), left: t.Rows}
		w.tensors[t.Name] = s
	}
	s.most = max(s.most, largest)
	for row := firstRow; row < firstRow+rows; row++ {
		if !s.read[row] {
			s.read[row] = true
			s.left--
		}
	}
	return s.most, s.left == 0
}

// check refuses rows whose values the tensor's type can't hold.
func (w *watch) check(t engine.Tensor, firstRow int, values []float32) error {
	to, largest := weights.Type(t.Type), weights.Magnitude(values)
	least, most := to.Bounds()
	if largest > most {
		return &UnfitError{t.Name, to, to.Unfit(largest)}
	}
	if all, whole := w.add(t, firstRow, len(values)/t.Cols, largest); whole && all > 0 && all < least {
		return &UnfitError{t.Name, to, to.Unfit(all)}
	}
	return nil
}

// Wider are the tensors of a file that a tier of it can't have in its own types, and what holds them: weights.Convert chooses the same. It reads
// the file; notice is told why.
func Wider(f *weights.File, source engine.Weights, recipe weights.Recipe, notice func(tensor string, to weights.Type, reason string)) (map[string]weights.Type, error) {
	recipe.Wide = nil
	narrow, wide := &Weights{source: source, recipe: recipe}, map[string]weights.Type{}
	for _, t := range f.Tensors() {
		is, err := source.Tensor(t.Name)
		if err != nil {
			return nil, err
		}
		to, reason, err := f.Holding(t, narrow.typeOf(is))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, engine.ErrModelFile)
		}
		if reason != "" {
			wide[t.Name] = to
			notice(t.Name, to, reason)
		}
	}
	return wide, nil
}
