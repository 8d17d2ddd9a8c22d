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
	drawn, err := replicates([]int{len(c)}, r, func(times []int) float64 { return score(c.sum(times)) })
	if err != nil {
		return Interval{}, err
	}
	low, high := ends(drawn)
	return Interval{Estimate: score(c.sum(c.once())), Low: low, High: high}, nil
}

// replicates are a figure, the least first, each of n clusters out of n, with replacement, of each stratum of n.
func replicates(strata []int, r Resampling, figure func(times []int) float64) ([]float64, error) {
	count, err := r.count()
	if err != nil {
		return nil, err
	}
	all := 0
	for _, n := range strata {
		all += n
	}
	drawn := make([]float64, count)
	times := make([]int, all)
	for i := range drawn {
		clear(times)
		draw, from := newDraws(r.Seed, i), 0
		for _, n := range strata {
			for range n {
				times[from+draw.below(n)]++
			}
			from += n
		}
		drawn[i] = figure(times)
	}
	slices.Sort(drawn)
	return drawn, nil
}

// ends are those of the middle 95 % of replicates.
func ends(drawn []float64) (low, high float64) {
	const tail = (1 - confidence) / 2
	return quantile(drawn, tail), quantile(drawn, 1-tail)
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
