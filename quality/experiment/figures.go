package experiment

import (
	"math"
	"slices"
	"time"
)

// This file owns what a turn's answers come to. The first of them are cut off: then caches are cold, and places empty.

// warmUp is one part of how many answers of a turn are cut off at its beginning.
const warmUp = 5

// Rate is how many answers ended a second, by when each did since the turn's beginning; NaN where there are too few.
func Rate(ends []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(ends))
	cut := max(1, len(sorted)/warmUp)
	if len(sorted) <= cut {
		return math.NaN()
	}
	took := sorted[len(sorted)-1] - sorted[cut-1]
	if took <= 0 {
		return math.NaN()
	}
	return float64(len(sorted)-cut) / took.Seconds()
}

// Wait is the mean time to the first token in milliseconds, by request in the order in which they came; NaN where there are too few.
func Wait(first []time.Duration) float64 {
	cut := len(first) / warmUp
	if len(first) <= cut {
		return math.NaN()
	}
	var sum time.Duration
	for _, x := range first[cut:] {
		sum += x
	}
	return float64(sum) / float64(len(first)-cut) / 1e6
}
