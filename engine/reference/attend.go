package reference

import (
	"math"

	"chimera/engine"
)

// This file owns the ops that look across rows.

// heads cuts a row into heads of some width.
func heads(row []float64, width int) (all [][]float64) {
	for first := 0; first < len(row); first += width {
		all = append(all, row[first:first+width])
	}
	return all
}

// prepared is a head of K or Q as scores are made of it.
func (r *run) prepared(head []float64, norm engine.WeightID, epsilon float32, rope *engine.Rope, position int) []float64 {
	if norm != engine.NoWeight {
		head = r.rms(head, r.vector(norm), epsilon)
	}
	return r.turned(rope, head, position)
}

func (r *run) store(o engine.Store) {
	g := r.program.Group(o.Group)
	layer := &r.Stored[g.Name][o.Layer-1]
	layer.Keys = r.each(func(t int) (row []float64) {
		for _, head := range heads(r.values[o.K][t], g.KeyWidth) {
			row = append(row, r.remembered(r.prepared(head, o.Norm, o.Epsilon, o.Rope, t))...)
		}
		return row
	})
	layer.Values = r.each(func(t int) (row []float64) {
		if g.Latent {
			for _, head := range heads(layer.Keys[t], g.KeyWidth) {
				row = append(row, head[g.KeyWidth-g.ValueWidth:]...)
			}
			return row
		}
		for _, head := range heads(r.values[o.V][t], g.ValueWidth) {
			row = append(row, r.remembered(head)...)
		}
		return row
	})
}

func (r *run) attend(o engine.Attend) {
	g := r.program.Group(o.Group)
	memory := r.Stored
	if g.Mask == engine.Cross && len(r.Stored[g.Name][o.Layer-1].Keys) == 0 {
		memory = r.Memory
	}
	layer := memory[g.Name][o.Layer-1]
	r.values[o.Out] = r.each(func(t int) (row []float64) {
		from, to := visible(g, t, len(layer.Keys))
		for h, q := range heads(r.values[o.Q][t], g.KeyWidth) {
			kv := h / (o.Heads / g.Heads)
			q = r.prepared(q, o.Norm, o.Epsilon, o.Rope, t)
			row = append(row, r.attention(o, q, columns(layer.Keys[from:to], kv, g.KeyWidth), columns(layer.Values[from:to], kv, g.ValueWidth))...)
		}
		return row
	})
}

// visible is which positions, of so many, a query at a position sees.
func visible(g engine.Group, position, length int) (from, to int) {
	switch g.Mask {
	case engine.Causal:
		return 0, position + 1
	case engine.Window:
		return max(0, position+1-g.Window), position + 1
	}
	return 0, length
}

// columns is head i of each row.
func columns(rows [][]float64, i, width int) [][]float64 {
	out := make([][]float64, len(rows))
	for j, row := range rows {
		out[j] = row[i*width:][:width]
	}
	return out
}

// attention is softmax(scale q.K) V of one head (Vaswani et al. 2017).
func (r *run) attention(o engine.Attend, q []float64, keys, values [][]float64) []float64 {
	scores, peak := make([]float64, len(keys)), math.Inf(-1)
	for i, k := range keys {
		scores[i] = r.capped(r.dot(q, k)*float64(o.Scale), o.Softcap)
		peak = max(peak, scores[i])
	}
	total := 0.0
	for i, s := range scores {
		scores[i] = math.Exp(s - peak)
		total += scores[i]
	}
	out := make([]float64, len(values[0]))
	for d := range out {
		sum, magnitude := 0.0, 0.0
		for i, v := range values {
			sum += scores[i] / total * v[d]
			magnitude += scores[i] / total * math.Abs(v[d])
		}
		out[d] = r.near(sum, magnitude)
	}
	return out
}
