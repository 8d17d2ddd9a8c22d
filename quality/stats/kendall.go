package stats

import "math"

// This file owns Kendall's correlation.

// kendall goes through the pairs in the order of x, and counts for each how many of those with a smaller x have a smaller y, and how many a larger one.
func (p *pairs) kendall() float64 {
	if !p.varies() {
		return 0
	}
	clear(p.below)
	score, seen := 0.0, 0.0 // concordant pairs less discordant ones; pairs with a smaller x
	for from := 0; from < len(p.x); {
		to := from + 1
		for to < len(p.x) && p.rx.level[p.rx.order[to]] == p.rx.level[p.rx.order[from]] {
			to++
		}
		level := p.rx.order[from:to] // of one x, which are neither
		for _, i := range level {
			y := p.ry.level[i]
			score += p.times[i] * (p.upTo(y) - (seen - p.upTo(y+1)))
		}
		for _, i := range level {
			p.note(p.ry.level[i], p.times[i])
			seen += p.times[i]
		}
		from = to
	}
	all, tiedX, tiedY := pairsOf(seen), p.rx.tied(), p.ry.tied()
	return inRange(score / math.Sqrt(all-tiedX) / math.Sqrt(all-tiedY))
}

// note counts pairs at a level of y. Counts stand in a binary indexed tree (Fenwick 1994, https://doi.org/10.1002/spe.4380240306), in which each place
// holds those of a run of levels that ends there.
func (p *pairs) note(level int, times float64) {
	for i := level + 1; i < len(p.below); i += i & -i {
		p.below[i] += times
	}
}

// upTo is how many pairs were counted at levels below this one.
func (p *pairs) upTo(level int) (n float64) {
	for i := level; i > 0; i -= i & -i {
		n += p.below[i]
	}
	return n
}
