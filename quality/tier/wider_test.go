package tier

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/weights"
)

// This file owns tests of tensors that a tier's types can't hold.

// valued is a source of one matrix of two rows whose largest values are these.
func valued(first, second float32) enginetest.Tensors {
	x := make([]float32, 2*cols)
	x[3], x[cols+7] = first, -second
	w := enginetest.Tensors{}
	w.Put("m", engine.F32, 2, cols, weights.Quantize(weights.F32, x, nil))
	return w
}

// Too large is any one value, too small are all of them: what a row alone can't tell.
func TestUnfit(t *testing.T) {
	least, most := weights.Q4_K.Bounds()
	for _, c := range []struct {
		target        weights.Type
		first, second float32
		fails         [2]bool // when the first row is read, and then the second
		says          string
	}{
		{weights.Q4_K, 1, 1, [2]bool{}, ""},
		{weights.Q4_K, 0, 0, [2]bool{}, ""},
		{weights.Q4_K, most, 1, [2]bool{}, ""},
		{weights.Q4_K, 2 * most, 1, [2]bool{true, false}, "tensor m can't be Q4_K: its largest value is"},
		{weights.Q4_K, 1, 2 * most, [2]bool{false, true}, "the blocks of Q4_K reach"},
		{weights.F16, 70000, 1, [2]bool{true, false}, "the values of F16 reach 65504"},
		{weights.Q4_K, least / 2, least, [2]bool{}, ""},
		{weights.Q4_K, 0, least / 2, [2]bool{false, true}, "the blocks of Q4_K lose their precision"},
		{weights.Q4_K, least / 4, least / 2, [2]bool{false, true}, "lose their precision"},
		{weights.F32, 1e38, 1e38, [2]bool{}, ""},
	} {
		w := New(valued(c.first, c.second), recipe(c.target), marked, slow)
		tensor, err := w.Tensor("m")
		if err != nil {
			t.Fatal(err)
		}
		for row, fails := range c.fails {
			for range 2 { // a row that is read again is no other
				err := w.Read("m", row, make([]byte, tensor.RowBytes))
				var unfit *UnfitError
				if errors.As(err, &unfit) != fails || (err != nil) != fails || fails && !(errors.Is(err, engine.ErrModelFile) && strings.Contains(err.Error(), c.says)) {
					t.Errorf("%s, %g and %g, row %d: %v", c.target, c.first, c.second, row, err)
				}
			}
		}
	}
}

// A tensor that has got a wider type is made in that, whatever it has been.
func TestWideTypes(t *testing.T) {
	s := source()
	r := recipe(weights.Q4_K)
	r.Wide = map[string]weights.Type{"matrix": weights.F16, "small": weights.F32, "half": weights.F16}
	w := New(s, r, marked, slow)
	for name, want := range map[string]engine.DType{"matrix": engine.F16, "small": engine.F32, "half": engine.F16, "eight": engine.Q4_K} {
		got, err := w.Tensor(name)
		if err != nil || got.Type != want {
			t.Errorf("%s is %s, %v, want %s", name, got.Type, err, want)
		}
	}
	x, got := make([]float32, cols), make([]byte, 2*cols)
	for i := range x {
		x[i] = 5
	}
	if err := w.Read("matrix", 5, got); err != nil || !bytes.Equal(got, weights.Quantize(weights.F16, x, nil)) {
		t.Errorf("%v, or other values", err)
	}
}
