package stats

import (
	"fmt"
	"slices"
)

// This file owns intervals by the bootstrap.

// Interval is a figure and its 95 % interval, in the figure's unit.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// confidence is of all intervals, as in the field.
const confidence = 0.95

// Bootstrap is a score's percentile interval (Efron and Tibshirani 1993, ch. 13), for which requests are drawn anew, each with all its segments.
// Row i holds segment i's sufficient statistics and belongs to request[i]; sums are resampled, so that no text is scored again.
func Bootstrap[K comparable](rows [][]float64, request []K, score Score, r Resampling) (Interval, error) {
	c, err := newClusters(rows, request)
	if err != nil {
		return Interval{}, err
	}
	return percentiles(len(c), r, c.once(), func(times []int) float64 { return score(c.sum(times)) })
}

// PairedBootstrap is the interval of score(a) - score(b), of two systems' answers to the same segments: the same requests are drawn for both
// (Koehn 2004, https://aclanthology.org/W04-3250), since what makes a request hard does so for both and is no difference between them.
func PairedBootstrap[K comparable](a, b [][]float64, request []K, score Score, r Resampling) (Interval, error) {
	ca, cb, err := newPair(a, b, request)
	if err != nil {
		return Interval{}, err
	}
	return percentiles(len(ca), r, ca.once(), func(times []int) float64 { return score(ca.sum(times)) - score(cb.sum(times)) })
}

// percentiles draws n clusters out of n, with replacement, for each replicate.
func percentiles(n int, r Resampling, once []int, figure func(times []int) float64) (Interval, error) {
	count, err := r.count()
	if err != nil {
		return Interval{}, err
	}
	replicates := make([]float64, count)
	times := make([]int, n)
	for i := range replicates {
		clear(times)
		for d, j := newDraws(r.Seed, i), 0; j < n; j++ {
			times[d.below(n)]++
		}
		replicates[i] = figure(times)
	}
	slices.Sort(replicates)
	const tail = (1 - confidence) / 2
	return Interval{Estimate: figure(once), Low: quantile(replicates, tail), High: quantile(replicates, 1-tail)}, nil
}

func (r Resampling) count() (int, error) {
	if r.Count == 0 {
		return defaultReplicates, nil
	}
	if r.Count < leastReplicates || r.Count > mostReplicates {
		return 0, fmt.Errorf("%d replicates: use %d to %d", r.Count, leastReplicates, mostReplicates)
	}
	return r.Count, nil
}

// quantile lies between the two sorted values about it, by distance: type 7 of Hyndman and Fan (1996), as NumPy has it.
func quantile(sorted []float64, q float64) float64 {
	place := q * float64(len(sorted)-1)
	low := int(place)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (place-float64(low))*(sorted[high]-sorted[low])
}
