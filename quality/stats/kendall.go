package stats

import (
	"cmp"
	"math"
	"slices"
)

// This file owns Kendall's correlation.

// Kendall is tau-b, between -1 and 1: pairs of pairs that x and y order alike less those that they order otherwise, over the geometric mean of
// the pairs that each of them orders. So ties count for neither side, and two rankings with the same ties reach 1, as they would not with tau-a.
// It takes n log n steps (Knight 1966, "A computer method for calculating Kendall's tau with ungrouped data").
func Kendall(x, y []float64) (float64, error) {
	if err := paired(x, y); err != nil {
		return 0, err
	}
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(y[a], y[b])) })
	sorted := make([]float64, len(y)) // y in the order of x
	for to, from := range order {
		sorted[to] = y[from]
	}
	all := pairsOf(len(x))
	tiedX := ties(len(x), func(i, j int) bool { return x[order[i]] == x[order[j]] })
	tiedBoth := ties(len(x), func(i, j int) bool { return x[order[i]] == x[order[j]] && sorted[i] == sorted[j] })
	discordant := exchanges(sorted) // which sorts them, so that equal ones meet
	tiedY := ties(len(y), func(i, j int) bool { return sorted[i] == sorted[j] })
	concordant := all - tiedX - tiedY + tiedBoth - discordant
	return max(-1, min(1, (concordant-discordant)/math.Sqrt(all-tiedX)/math.Sqrt(all-tiedY))), nil
}

func pairsOf(n int) float64 { return float64(n) * float64(n-1) / 2 }

// ties counts the pairs within runs of equal neighbours.
func ties(n int, equal func(i, j int) bool) (pairs float64) {
	for first, i := 0, 1; i <= n; i++ {
		if i == n || !equal(first, i) {
			pairs += pairsOf(i - first)
			first = i
		}
	}
	return pairs
}

// exchanges sorts values and counts the pairs that stood in the wrong order.
func exchanges(values []float64) (n float64) {
	if len(values) < 2 {
		return 0
	}
	middle := len(values) / 2
	left, right := slices.Clone(values[:middle]), values[middle:]
	n = exchanges(left) + exchanges(right)
	for i, j, to := 0, 0, 0; i < len(left); to++ {
		if j < len(right) && right[j] < left[i] {
			values[to] = right[j]
			j++
			n += float64(len(left) - i)
		} else {
			values[to] = left[i]
			i++
		}
	}
	return n
}
