package lowering_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/engine/lowering"
)

// Divisors of frequencies are above zero, or the tensor is named.
func TestFactors(t *testing.T) {
	p := &engine.Program{Weights: []engine.Weight{{Name: "rope_freqs.weight", Rows: 1, Cols: 2}}}
	l := &lowering.Lowered{Program: p, Ropes: []engine.Rope{{Dim: 4}, {Dim: 4, Factors: 1}}}
	for _, c := range []struct {
		factors []float32
		want    string // in the error; none if empty
	}{
		{[]float32{1, 32}, ""},
		{[]float32{1, 0}, "value 1 is 0"},
		{[]float32{-2, 1}, "value 0 is -2"},
		{[]float32{1, float32(math.NaN())}, "value 1 is NaN"},
	} {
		err := l.CheckFactors(func(id engine.WeightID) []float32 { return c.factors })
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.factors, err)
		case c.want != "" && (!errors.Is(err, engine.ErrModelFile) || !strings.Contains(err.Error(), "tensor rope_freqs.weight: "+c.want)):
			t.Errorf("%v: %v, want %s", c.factors, err, c.want)
		}
	}
}
