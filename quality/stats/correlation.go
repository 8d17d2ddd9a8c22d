// Package stats says what differences between scores are worth: correlations, intervals by resampling, and tests. It knows nothing of
// models or texts.
//
// This file owns Pearson's and Spearman's correlations, and the intervals of all three.
package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// errConstant is of data in which nothing varies, so that no correlation is defined.
var errConstant = errors.New("one of the two is constant: their correlation is not defined")

// errTooLarge is of data whose squares are no numbers.
var errTooLarge = errors.New("the values are too large: their correlation is no number")

// Pearson is the correlation coefficient of x and y, between -1 and 1. It takes two pairs of finite numbers at least.
func Pearson(x, y []float64) (float64, error) { return coefficient(x, y, (*pairs).pearson) }

// Spearman is Pearson's correlation of ranks, in which equal values share the mean of the ranks they take.
func Spearman(x, y []float64) (float64, error) { return coefficient(x, y, (*pairs).spearman) }

// Kendall is tau-b, between -1 and 1: pairs of pairs that x and y order alike less those that they order otherwise, over the geometric mean of
// the pairs that each of them orders. So ties count for neither side, and two rankings with the same ties reach 1, as they would not with tau-a.
// It takes n log n steps.
func Kendall(x, y []float64) (float64, error) { return coefficient(x, y, (*pairs).kendall) }

func coefficient(x, y []float64, of func(*pairs) float64) (float64, error) {
	p, err := newPairs(x, y)
	if err != nil {
		return 0, err
	}
	r := of(p)
	if !finite(r) {
		return 0, errTooLarge
	}
	return r, nil
}

// Correlations are the three coefficients of the same pairs, each with its interval.
type Correlations struct{ Pearson, Spearman, Kendall Interval }

// Correlate has each coefficient's percentile interval by a bootstrap that draws requests anew, each with all its pairs; pair i belongs to request[i]. A
// replicate in which one of the two is constant shows no connection, and counts as 0: left out, it would make an interval the narrower the less varies.
func Correlate[K comparable](x, y []float64, request []K, r Resampling) (c Correlations, err error) {
	p, err := newPairs(x, y)
	if err != nil {
		return c, err
	}
	of, requests, err := p.by(groupsOf(request))
	if err != nil {
		return c, err
	}
	for _, k := range []struct {
		to *Interval
		of func(*pairs) float64
	}{{&c.Pearson, (*pairs).pearson}, {&c.Spearman, (*pairs).spearman}, {&c.Kendall, (*pairs).kendall}} {
		figure := func(times []int) float64 {
			for i := range p.times {
				p.times[i] = float64(times[of[i]])
			}
			return k.of(p)
		}
		drawn, err := replicates([]int{requests}, r, figure)
		if err != nil {
			return c, err
		}
		k.to.Estimate = figure(slices.Repeat([]int{1}, requests))
		k.to.Low, k.to.High = ends(drawn)
		if !finite(k.to.Estimate) || !finite(k.to.Low) || !finite(k.to.High) {
			return c, errTooLarge
		}
	}
	return c, nil
}

// groupsOf numbers requests in the order of first appearance.
func groupsOf[K comparable](request []K) (of []int, n int) {
	place := map[K]int{}
	for _, r := range request {
		at, known := place[r]
		if !known {
			at = len(place)
			place[r] = at
		}
		of = append(of, at)
	}
	return of, len(place)
}

// by refuses groups that pairs can't be drawn by.
func (p *pairs) by(of []int, n int) ([]int, int, error) {
	if len(of) != len(p.x) {
		return nil, 0, fmt.Errorf("%d pairs are of %d requests: each must have one", len(p.x), len(of))
	}
	if n < 2 {
		return nil, 0, fmt.Errorf("%d requests show no variation: it takes two at least", n)
	}
	return of, n, nil
}

// pairs are what correlations are computed of, each as often as it is said, so that a replicate of a bootstrap sorts nothing again. It is for one goroutine.
type pairs struct {
	x, y   []float64
	times  []float64 // how often each counts: whole numbers
	rx, ry ranking
	meanX  []float64 // scratch: mean ranks by pair
	meanY  []float64
	below  []float64 // scratch: see kendall
}

// newPairs are pairs that count once each. x and y stay the caller's.
func newPairs(x, y []float64) (*pairs, error) {
	if len(x) != len(y) || len(x) < 2 {
		return nil, fmt.Errorf("%d and %d values: there must be as many, two at least", len(x), len(y))
	}
	for i := range x {
		if !finite(x[i]) || !finite(y[i]) {
			return nil, fmt.Errorf("pair %d, %v and %v, is not finite", i, x[i], y[i])
		}
	}
	p := &pairs{x: x, y: y, times: slices.Repeat([]float64{1}, len(x)), rx: newRanking(x), ry: newRanking(y), meanX: make([]float64, len(x)), meanY: make([]float64, len(x))}
	if p.rx.levels() < 2 || p.ry.levels() < 2 {
		return nil, errConstant
	}
	p.below = make([]float64, p.ry.levels()+1)
	return p, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// varies counts the pairs by value, which ranks and ties stand on, and tells whether both have two values at least.
func (p *pairs) varies() bool { return p.rx.count(p.times) > 1 && p.ry.count(p.times) > 1 }

func (p *pairs) pearson() float64 {
	if !p.varies() {
		return 0
	}
	return inRange(stat.Correlation(p.x, p.y, p.times))
}

func (p *pairs) spearman() float64 {
	if !p.varies() {
		return 0
	}
	p.rx.means(p.meanX)
	p.ry.means(p.meanY)
	return inRange(stat.Correlation(p.meanX, p.meanY, p.times))
}

// inRange takes away what rounding leaves beyond the ends.
func inRange(r float64) float64 { return max(-1, min(1, r)) }
