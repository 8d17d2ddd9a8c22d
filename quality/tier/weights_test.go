package tier

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/weights"
)

// This file owns tests of tiers as weights. The search is a stand-in that is easily told from others: what the real one does
// is tested where it is.

// marked writes each row's first value to all of its bytes.
func marked(dst []byte, t weights.Type, src []float32, columns int, _ []float32) error {
	rowBytes := len(dst) * columns / len(src)
	for i := range dst {
		dst[i] = byte(src[i/rowBytes*columns])
	}
	return nil
}

// slow makes five rows in a millisecond.
func slow(weights.Type, weights.Type) int { return 5*cols + 3 }

const rowsOf, cols = 40, 256

// source has a matrix, a vector, a kept matrix, and one that is small already.
func source() enginetest.Tensors {
	w := enginetest.Tensors{}
	x := make([]float32, rowsOf*cols)
	for i := range x {
		x[i] = float32(i / cols)
	}
	w.Put("matrix", engine.F32, rowsOf, cols, weights.Quantize(weights.F32, x, nil))
	w.Put("half", engine.F16, rowsOf, cols, weights.Quantize(weights.F16, x, nil))
	w.Put("vector", engine.F16, 1, cols, weights.Quantize(weights.F16, x[:cols], nil))
	w.Put("kept", engine.F16, rowsOf, cols, weights.Quantize(weights.F16, x, nil))
	w.Put("small", engine.Q4_0, rowsOf, cols, make([]byte, rowsOf*cols/32*18))
	w.Put("eight", engine.Q8_0, rowsOf, cols, weights.Quantize(weights.Q8_0, x, nil))
	return w
}

func recipe(target weights.Type) weights.Recipe {
	return weights.Recipe{Target: target, Keeps: func(name string) bool { return name == "kept" }}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		target weights.Type
		name   string
		want   engine.DType
	}{
		{weights.Q4_K, "matrix", engine.Q4_K}, {weights.Q4_K, "vector", engine.F32}, {weights.Q4_K, "kept", engine.F16},
		{weights.Q4_K, "small", engine.Q4_0}, {weights.Q4_K, "eight", engine.Q4_K}, {weights.Q3_K, "small", engine.Q3_K},
		{weights.F16, "matrix", engine.F16}, {weights.F16, "half", engine.F16}, {weights.F16, "eight", engine.Q8_0}, {weights.F16, "small", engine.Q4_0},
		{weights.Q8_0, "eight", engine.Q8_0},
	} {
		s := source()
		w := New(s, recipe(c.target), marked, slow)
		got, err := w.Tensor(c.name)
		if err != nil {
			t.Fatal(err)
		}
		values, size := weights.Type(c.want).Block()
		if got.Type != c.want || got.RowBytes != cols/int(values)*int(size) || got.Cols != cols || got.Rows != s[c.name].Rows || got.Name != c.name {
			t.Errorf("%s: %s is %+v", c.target, c.name, got)
		}
		if made := c.want != s[c.name].Type; made && got.PartRows != 5 || !made && got.PartRows != 0 {
			t.Errorf("%s: %s is read in parts of %d rows", c.target, c.name, got.PartRows)
		}
		if !w.Has(c.name) || w.Has("nobody") {
			t.Error("a tier has other tensors than its source")
		}
	}
	if _, err := New(source(), recipe(weights.Q4_K), marked, slow).Tensor("nobody"); err == nil {
		t.Error("a tensor that the source has not")
	}
}

// Any rows, read in any order by anybody, are the same bytes.
func TestReadsByRows(t *testing.T) {
	w := New(source(), recipe(weights.Q6_K), marked, slow)
	tensor, err := w.Tensor("matrix")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for seed := range uint64(4) {
		group.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 100 {
				first := r.IntN(rowsOf)
				n := 1 + r.IntN(rowsOf-first)
				dst := make([]byte, n*tensor.RowBytes)
				if err := w.Read("matrix", first, dst); err != nil {
					t.Error(err)
				}
				for i, b := range dst {
					if int(b) != first+i/tensor.RowBytes {
						t.Errorf("rows from %d: byte %d is of row %d", first, i, b)
						return
					}
				}
			}
		})
	}
	group.Wait()
}

// A read that begins while another is under way leaves that one's rows alone.
func TestReadsBesideReads(t *testing.T) {
	var w *Weights
	within := false
	search := func(dst []byte, to weights.Type, src []float32, columns int, importance []float32) error {
		if !within {
			within = true
			if err := w.Read("matrix", 30, make([]byte, len(dst))); err != nil {
				return err
			}
		}
		return marked(dst, to, src, columns, importance)
	}
	w = New(source(), recipe(weights.Q4_K), search, slow)
	dst := make([]byte, 144)
	if err := w.Read("matrix", 3, dst); err != nil || dst[0] != 3 {
		t.Errorf("row 3 is row %d, %v", dst[0], err)
	}
}

func TestReadsWhatStays(t *testing.T) {
	s := source()
	w := New(s, recipe(weights.Q4_K), marked, slow)
	for _, name := range []string{"kept", "small"} {
		dst := make([]byte, len(s[name].Data))
		if err := w.Read(name, 0, dst); err != nil || !bytes.Equal(dst, s[name].Data) {
			t.Errorf("%s: %v, or other bytes", name, err)
		}
	}
	dst := make([]byte, cols*4)
	want := weights.Quantize(weights.F32, make([]float32, cols), nil)
	if err := w.Read("vector", 0, dst); err != nil || !bytes.Equal(dst, want) {
		t.Errorf("the vector: %v, or other values", err)
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("blocks reach 1")
	failing := func([]byte, weights.Type, []float32, int, []float32) error { return broken }
	err := New(source(), recipe(weights.Q4_K), failing, slow).Read("matrix", 3, make([]byte, 144))
	if !errors.Is(err, broken) || !errors.Is(err, engine.ErrModelFile) || !strings.Contains(err.Error(), "tensor matrix, rows from 3 on") {
		t.Error(err)
	}
	w := New(source(), recipe(weights.Q4_K), marked, slow)
	for name, first := range map[string]int{"nobody": 0, "matrix": rowsOf} {
		if err := w.Read(name, first, make([]byte, 144)); err == nil {
			t.Errorf("%s from row %d was read", name, first)
		}
	}
}
