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
	return percentiles([]int{len(c)}, r, func(times []int) float64 { return score(c.sum(times)) })
}

// PairedBootstrap is the interval of score(a) - score(b), of two systems' answers to the same segments: the same requests are drawn for both
// (Koehn 2004, https://aclanthology.org/W04-3250), since what makes a request hard does so for both and is no difference between them.
func PairedBootstrap[K comparable](a, b [][]float64, request []K, score Score, r Resampling) (Interval, error) {
	ca, cb, err := newPair(a, b, request)
	if err != nil {
		return Interval{}, err
	}
	return percentiles([]int{len(ca)}, r, func(times []int) float64 { return score(ca.sum(times)) - score(cb.sum(times)) })
}

// PairedGap is the interval of a difference of differences: score(a) - score(b) on the requests of tuning, less the same on those of sealed. A and b are two
// systems that answered both. The halves are drawn each for itself, in pairs within each, since they have no request in common.
func PairedGap[K comparable](tuningA, tuningB, sealedA, sealedB [][]float64, tuning, sealed []K, score Score, r Resampling) (Interval, error) {
	ta, tb, err := newPair(tuningA, tuningB, tuning)
	if err != nil {
		return Interval{}, fmt.Errorf("tuning half: %w", err)
	}
	sa, sb, err := newPair(sealedA, sealedB, sealed)
	if err != nil {
		return Interval{}, fmt.Errorf("sealed half: %w", err)
	}
	difference := func(a, b clusters, times []int) float64 { return score(a.sum(times)) - score(b.sum(times)) }
	return percentiles([]int{len(ta), len(sa)}, r, func(times []int) float64 {
		return difference(ta, tb, times[:len(ta)]) - difference(sa, sb, times[len(ta):])
	})
}

// percentiles draws for each replicate n clusters out of n, with replacement, of each stratum of n.
func percentiles(strata []int, r Resampling, figure func(times []int) float64) (Interval, error) {
	count, err := r.count()
	if err != nil {
		return Interval{}, err
	}
	all := 0
	for _, n := range strata {
		all += n
	}
	replicates := make([]float64, count)
	times := make([]int, all)
	for i := range replicates {
		clear(times)
		draw, from := newDraws(r.Seed, i), 0
		for _, n := range strata {
			for range n {
				times[from+draw.below(n)]++
			}
			from += n
		}
		replicates[i] = figure(times)
	}
	slices.Sort(replicates)
	for i := range times {
		times[i] = 1
	}
	const tail = (1 - confidence) / 2
	return Interval{Estimate: figure(times), Low: quantile(replicates, tail), High: quantile(replicates, 1-tail)}, nil
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
