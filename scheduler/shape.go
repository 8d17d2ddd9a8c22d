package scheduler

import "chimera/engine"

// This file owns Shape: what of a step its time depends on.

// Shape is a step as the cost model sees it. Its zero value is an empty step.
type Shape struct {
	Decode  int // rows of sequences that have one row in the step: the next token of an answer, most of the time
	Prefill int // rows of sequences that have several
	Outputs int // rows whose logits are made
	// Attention is K/V tokens: the sum over rows of the positions that each sees, the mean of the groups by their bytes.
	// Of recurrent groups, where a row reads one slot however far it is, nothing counts.
	Attention float64
}

// ShapeOf is the shape of a batch.
func ShapeOf(b *engine.Batch) Shape {
	s, groups := Shape{Outputs: b.LogitRows()}, b.Limits().Groups
	for _, q := range b.Sequences {
		s.Add(groups, int(b.Positions[q.FirstToken]), int(q.TokenCount))
	}
	return s
}

// Add adds the rows of one sequence, the first of which is at a position.
func (s *Shape) Add(groups []engine.GroupLimits, position, rows int) {
	if rows == 1 {
		s.Decode++
	} else {
		s.Prefill += rows
	}
	seen, bytes := 0.0, 0.0
	for i := range groups {
		if g := &groups[i]; !g.Slots {
			weight := float64(max(g.PageBytes, 1))
			seen += weight * float64(seenBy(g, position, rows))
			bytes += weight
		}
	}
	if bytes > 0 {
		s.Attention += seen / bytes
	}
}

// seenBy is the sum of the positions that rows from a position on see in a group: 1 + position of the first, one more each,
// but no more than a window.
func seenBy(g *engine.GroupLimits, position, rows int) int {
	growing := rows
	if g.Mask == engine.Window {
		growing = min(rows, max(0, g.Window-position))
	}
	return growing*(2*position+growing+1)/2 + (rows-growing)*g.Window
}
