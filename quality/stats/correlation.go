// Package stats says what differences between scores are worth: correlations, intervals by resampling, and tests. It knows nothing of
// models or texts.
//
// This file owns Pearson's and Spearman's correlations.
package stats

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// errConstant is of data in which nothing varies, so that no correlation is defined.
var errConstant = errors.New("one of the two is constant: their correlation is not defined")

// Pearson is the correlation coefficient of x and y, between -1 and 1. It takes two pairs of finite numbers at least.
func Pearson(x, y []float64) (float64, error) {
	if err := paired(x, y); err != nil {
		return 0, err
	}
	return max(-1, min(1, stat.Correlation(x, y, nil))), nil
}

// Spearman is Pearson's correlation of ranks, in which equal values share the mean of the ranks they take.
func Spearman(x, y []float64) (float64, error) {
	if err := paired(x, y); err != nil {
		return 0, err
	}
	return Pearson(ranks(x), ranks(y))
}

func paired(x, y []float64) error {
	if len(x) != len(y) || len(x) < 2 {
		return fmt.Errorf("%d and %d values: there must be as many, two at least", len(x), len(y))
	}
	for i := range x {
		if !finite(x[i]) || !finite(y[i]) {
			return fmt.Errorf("pair %d, %v and %v, is not finite", i, x[i], y[i])
		}
	}
	if slices.Min(x) == slices.Max(x) || slices.Min(y) == slices.Max(y) {
		return errConstant
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// ranks are from 1.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	r := make([]float64, len(x))
	for first := 0; first < len(x); {
		next := first + 1
		for next < len(x) && x[order[next]] == x[order[first]] {
			next++
		}
		for _, i := range order[first:next] {
			r[i] = float64(first+1+next) / 2
		}
		first = next
	}
	return r
}
