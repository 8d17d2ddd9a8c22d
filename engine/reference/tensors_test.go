package reference

import (
	"math"
	"math/rand/v2"
	"testing"

	"chimera/engine"
)

// Random tensors must be what the programs count on: as large as asked, around zero, and all different.
func TestRandomTensors(t *testing.T) {
	for _, dtype := range typesFor(256, false) {
		w := Tensors{}
		w.add(rand.New(rand.NewPCG(1, 2)), "x", dtype, 40, 256, 0, 0.25)
		rows, err := readRows(w, w["x"].Tensor)
		if err != nil {
			t.Fatal(err)
		}
		sum, square, seen := 0.0, 0.0, map[float64]bool{}
		for _, row := range rows {
			for _, v := range row {
				sum, square, seen[v] = sum+v, square+v*v, true
			}
		}
		n := float64(40 * 256)
		if mean, rms := sum/n, math.Sqrt(square/n); math.Abs(mean) > 0.05 || rms < 0.15 || rms > 0.4 || len(seen) < 15 {
			t.Errorf("%v: mean %g, deviation %g, %d different values", dtype, mean, rms, len(seen))
		}
	}
	if got := len(typesFor(256, false)); got != 16 {
		t.Errorf("%d types: engine.DType has 16", got)
	}
	if got := typesFor(33, false); len(got) != 3 || got[0] != engine.F32 {
		t.Errorf("rows of 33 as %v", got)
	}
}
