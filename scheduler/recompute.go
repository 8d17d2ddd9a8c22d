package scheduler

import (
	"time"

	"chimera/engine"
)

// This file owns what computing a page again would take, as it was measured.

// recompute is a line through what steps took by row: what a row takes at the start of a prefix, and what each position
// that it sees adds. Steps are weighed by their rows; those of long ago count less.
type recompute struct {
	rows, depths, times, depths2, products float64 // sums over steps: of 1, x, y, xx, xy with x positions seen and y ms, by row
}

// recomputeForgets is by how much a row's weight falls with each row that follows: the last 50,000 count, a few minutes of prefill on a
// slow machine.
const recomputeForgets = 1.0 / 50000

// leastPrefill is how many rows a step has at least to be counted: the time of smaller ones is that of reading weights.
const leastPrefill = engine.PageTokens

// enoughRows is how many rows must have been seen before depth is believed to matter: the first steps are slow for reasons of their own.
const enoughRows = 1000

// observe notes a step: how many rows it had, how many positions they saw together, and how long it took.
func (r *recompute) observe(rows, seen int, took time.Duration) {
	if rows < leastPrefill || took <= 0 {
		return
	}
	n := float64(rows)
	x, y, keep := float64(seen)/n, took.Seconds()*1000/n, max(0, 1-n*recomputeForgets)
	r.rows, r.depths, r.times = keep*r.rows+n, keep*r.depths+n*x, keep*r.times+n*y
	r.depths2, r.products = keep*r.depths2+n*x*x, keep*r.products+n*x*y
}

// line is what a row takes at the start, and what each position before it adds, in milliseconds; neither is negative.
func (r *recompute) line() (row, position float64) {
	if r.rows == 0 {
		return 0, 0
	}
	x, y := r.depths/r.rows, r.times/r.rows
	spread := r.depths2/r.rows - x*x
	if spread > 1 && r.rows > enoughRows { // else depths were all alike, and tell nothing of others
		position = max(0, (r.products/r.rows-x*y)/spread)
	}
	if row = y - position*x; row <= 0 {
		return y / 2, y / 2 / max(1, x)
	}
	return row, position
}

// page is how many milliseconds the page at that place of a prefix would take.
func (r *recompute) page(position int) float64 {
	row, each := r.line()
	return engine.PageTokens * (row + each*engine.PageTokens*(float64(position)+0.5))
}

// relative is how much longer the page takes than one at the start of a prefix.
func (r *recompute) relative(position int) float64 {
	row, each := r.line()
	if row == 0 {
		return 1
	}
	return 1 + each/row*engine.PageTokens*float64(position)
}
