package reference

import (
	"math"

	"chimera/engine"
)

// This file owns the ops that look at one row at a time.

func (r *run) embed(o engine.Embed) {
	table := r.matrix(o.Table).rows
	r.values[o.Out] = r.each(func(t int) []float64 {
		var row []float64
		if id := r.Tokens[t]; id >= 0 {
			row = scaled(table[id], float64(o.Scale))
		} else {
			row = widen(r.Vectors[id-engine.VectorRow(0)])
		}
		if o.Positions != engine.NoWeight {
			row = r.sum(row, r.matrix(o.Positions).rows[t])
		}
		return row
	})
}

func scaled(x []float64, scale float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * scale
	}
	return out
}

// sum is x + y; a y that is not there is zero.
func (r *run) sum(x, y []float64) []float64 {
	if y == nil {
		return x
	}
	out := make([]float64, len(x))
	for i := range x {
		out[i] = r.near(x[i]+y[i], math.Abs(x[i])+math.Abs(y[i]))
	}
	return out
}

// rowOf is a row of a value, or nil if there is none.
func (r *run) rowOf(v engine.ValueID, token int) []float64 {
	if v == engine.NoValue {
		return nil
	}
	return r.values[v][token]
}

func (r *run) add(o engine.Add) {
	r.values[o.Out] = r.each(func(t int) []float64 { return r.sum(r.values[o.A][t], r.values[o.B][t]) })
}

func (r *run) norm(o engine.Norm) {
	r.values[o.Out] = r.each(func(t int) []float64 {
		row := r.values[o.In][t]
		if o.Kind == engine.LayerNorm {
			row = r.centred(row)
		}
		row = r.sum(r.rms(row, r.vector(o.Gamma), o.Epsilon), r.vector(o.Beta))
		return r.sum(row, r.rowOf(o.Residual, t))
	})
}

// centred is x minus its mean: a layer norm is that and what an RMS norm does.
func (r *run) centred(x []float64) []float64 {
	mean := 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = r.near(v-mean, math.Abs(v)+math.Abs(mean))
	}
	return out
}

// rms is x / sqrt(mean(x^2) + epsilon) * gamma; no gamma is all ones.
func (r *run) rms(x, gamma []float64, epsilon float32) []float64 {
	square := 0.0
	for _, v := range x {
		square += v * v / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v / math.Sqrt(square+float64(epsilon))
		if gamma != nil {
			out[i] *= gamma[i]
		}
		out[i] = r.near(out[i], math.Abs(out[i]))
	}
	return out
}

func (r *run) linears(o engine.Linears) {
	outs := make([][][]float64, len(o.Outputs))
	for i, l := range o.Outputs {
		outs[i] = r.each(func(t int) []float64 { return r.sum(r.linear(l, r.values[o.In][t]), r.rowOf(l.Residual, t)) })
	}
	for i, l := range o.Outputs {
		r.values[l.Out] = outs[i]
	}
}

// linear is one product with its epilogue, but for the residual.
func (r *run) linear(l engine.Linear, x []float64) []float64 {
	y := r.product(l.Weight, l.Bias, x)
	if l.Gate == engine.NoWeight {
		return r.activated(l.Activation, y)
	}
	gate := r.activated(l.Activation, r.product(l.Gate, l.GateBias, x))
	for i := range y {
		y[i] = r.near(y[i]*gate[i], math.Abs(y[i]*gate[i]))
	}
	return y
}

// product is the weight's rows times x, plus a bias if there is one.
func (r *run) product(id, bias engine.WeightID, x []float64) []float64 {
	w := r.matrix(id)
	if w.rounded {
		x = r.activations(x)
	}
	out := make([]float64, len(w.rows))
	for i, row := range w.rows {
		out[i] = r.dot(row, x)
	}
	return r.sum(out, r.vector(bias))
}

func (r *run) dot(x, y []float64) float64 {
	sum, magnitude := 0.0, 0.0
	for i := range x {
		sum += x[i] * y[i]
		magnitude += math.Abs(x[i] * y[i])
	}
	return r.near(sum, magnitude)
}

func (r *run) activated(a engine.Activation, x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = r.near(activate(a, v), math.Abs(v))
	}
	return out
}

func activate(a engine.Activation, x float64) float64 {
	switch a {
	case engine.SiLU:
		return x / (1 + math.Exp(-x))
	case engine.GELUTanh: // Hendrycks and Gimpel 2016, the approximation
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case engine.GELU:
		return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
	}
	return x
}

func (r *run) head(o engine.Head) {
	r.Logits = r.each(func(t int) []float64 {
		row := scaled(r.product(o.Weight, o.Bias, r.values[o.In][t]), float64(o.Scale))
		for i := range row {
			row[i] = r.capped(row[i], o.Softcap)
		}
		return row
	})
}

// capped is c * tanh(x / c); a cap of 0 is none.
func (r *run) capped(x float64, c float32) float64 {
	if c == 0 {
		return x
	}
	y := float64(c) * math.Tanh(x/float64(c))
	return r.near(y, math.Abs(y))
}
