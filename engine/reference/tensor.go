package reference

import (
	"fmt"

	"chimera/engine"
	"chimera/weights"
)

// This file owns reading weights.

// tensor is a weight as numbers.
type tensor struct {
	rows    [][]float64 // (Rows, Cols)
	rounded bool        // products with it see rounded activations
}

// vector is the weight's one row, or nil for NoWeight.
func (e *Evaluator) vector(id engine.WeightID) []float64 {
	if id == engine.NoWeight {
		return nil
	}
	return e.weights[id-1].rows[0]
}

func (e *Evaluator) matrix(id engine.WeightID) tensor { return e.weights[id-1] }

// readWeight reads a weight's part of its tensor: of a vector some elements, of a matrix some rows.
func readWeight(w engine.Weights, weight engine.Weight) (tensor, error) {
	t, err := w.Tensor(weight.Name)
	if err != nil {
		return tensor{}, err
	}
	rows, err := readRows(w, t)
	if err != nil {
		return tensor{}, err
	}
	first, n := weight.FirstRow, weight.Rows
	if t.Rows == 1 {
		rows[0] = rows[0][first:][:weight.Cols]
		first, n = 0, 1
	}
	rows = rows[first:][:n]
	if len(rows[0]) != weight.Cols {
		return tensor{}, fmt.Errorf("tensor %s has %d columns, the program wants %d", weight.Name, len(rows[0]), weight.Cols)
	}
	return tensor{rows: rows, rounded: t.Type != engine.F32 && t.Type != engine.F16 && t.Type != engine.BF16}, nil
}

func readRows(w engine.Weights, t engine.Tensor) ([][]float64, error) {
	bytes, values, rows := make([]byte, t.RowBytes), make([]float32, t.Cols), make([][]float64, t.Rows)
	for i := range rows {
		if err := w.Read(t.Name, i, bytes); err != nil {
			return nil, err
		}
		if err := weights.Dequantize(weights.Type(t.Type), bytes, values); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		rows[i] = widen(values)
	}
	return rows, nil
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
