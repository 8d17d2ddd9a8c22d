package stats

import "fmt"

// This file owns what is resampled: requests, not segments.

// Score makes a score of the sums of its sufficient statistics, such as BLEU of n-gram counts, or a mean of a sum and a number. It must
// not keep or change them.
type Score func(sum []float64) float64

// clusters are the sums of segments' statistics by the request they come from, in the order of first appearance.
//
// Segments of a request share its prompt, its length and its subject; they vary less than segments of as many requests.
// Whatever drew them one by one would take them for more evidence than they are, and give intervals that are too narrow.
type clusters [][]float64

// newClusters wants rows of one length, of which row i comes from request[i].
func newClusters[K comparable](rows [][]float64, request []K) (clusters, error) {
	if len(rows) != len(request) {
		return nil, fmt.Errorf("%d rows of statistics are of %d requests: each must have one", len(rows), len(request))
	}
	var c clusters
	place := map[K]int{}
	for i, row := range rows {
		if len(row) != len(rows[0]) {
			return nil, fmt.Errorf("row %d has %d statistics, row 0 has %d", i, len(row), len(rows[0]))
		}
		at, known := place[request[i]]
		if !known {
			at, place[request[i]] = len(c), len(c)
			c = append(c, make([]float64, len(row)))
		}
		add(c[at], row)
	}
	if len(c) < 2 {
		return nil, fmt.Errorf("%d requests show no variation: it takes two at least", len(c))
	}
	return c, nil
}

// newPair are the clusters of two systems that answered the same requests.
func newPair[K comparable](a, b [][]float64, request []K) (ca, cb clusters, err error) {
	if ca, err = newClusters(a, request); err != nil {
		return nil, nil, fmt.Errorf("of the first system: %w", err)
	}
	if cb, err = newClusters(b, request); err != nil {
		return nil, nil, fmt.Errorf("of the second system: %w", err)
	}
	if len(ca[0]) != len(cb[0]) {
		return nil, nil, fmt.Errorf("the first system has %d statistics, the second %d", len(ca[0]), len(cb[0]))
	}
	return ca, cb, nil
}

// Sum adds up rows of one length, of which there is one at least: the statistics of all requests together.
func Sum(rows [][]float64) []float64 {
	total := make([]float64, len(rows[0]))
	for _, row := range rows {
		add(total, row)
	}
	return total
}

func add(to, row []float64) {
	for i, x := range row {
		to[i] += x
	}
}

// sum adds each cluster up as often as it is said.
func (c clusters) sum(times []int) []float64 {
	total := make([]float64, len(c[0]))
	for i, n := range times {
		for j, x := range c[i] {
			total[j] += float64(n) * x
		}
	}
	return total
}

// once is each cluster as it is.
func (c clusters) once() []int {
	times := make([]int, len(c))
	for i := range times {
		times[i] = 1
	}
	return times
}
