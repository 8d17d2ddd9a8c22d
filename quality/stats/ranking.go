package stats

import (
	"cmp"
	"slices"
)

// This file owns ranks of values that count several times.

// ranking is the order of values.
type ranking struct {
	order []int     // places of the values, ascending
	level []int     // by value: equal ones have the same, from 0, without gaps
	held  []float64 // by level: how many values count there
}

func newRanking(x []float64) ranking {
	r := ranking{order: make([]int, len(x)), level: make([]int, len(x))}
	for i := range r.order {
		r.order[i] = i
	}
	slices.SortFunc(r.order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	levels := 0
	for i, at := range r.order {
		if i > 0 && x[at] != x[r.order[i-1]] {
			levels++
		}
		r.level[at] = levels
	}
	r.held = make([]float64, levels+1)
	return r
}

func (r *ranking) levels() int { return len(r.held) }

// count counts the values by level, each as often as it is said, and tells how many levels have any.
func (r *ranking) count(times []float64) (some int) {
	clear(r.held)
	for i, n := range times {
		r.held[r.level[i]] += n
	}
	for _, n := range r.held {
		if n > 0 {
			some++
		}
	}
	return some
}

// means writes for each value the mean of the ranks that those of its level take, from 1, as they were counted.
func (r *ranking) means(to []float64) {
	before := 0.0
	for i, at := range r.order {
		if i > 0 && r.level[at] != r.level[r.order[i-1]] {
			before += r.held[r.level[r.order[i-1]]]
		}
		to[at] = before + (r.held[r.level[at]]+1)/2
	}
}

// tied is the pairs of values that are equal.
func (r *ranking) tied() (pairs float64) {
	for _, n := range r.held {
		pairs += pairsOf(n)
	}
	return pairs
}

func pairsOf(n float64) float64 { return n * (n - 1) / 2 }
