package coverage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// This file owns what is compared: parts of the requests beside the same parts of suites' items.

// Dimensions by which requests are divided.
const (
	Language = "language"
	Length   = "length"
	Topic    = "topic"
)

// Part is a part of the requests.
type Part struct {
	Dimension string
	Value     string  // such as french
	Share     float64 // of the requests, with its 95 % interval
	Low, High float64
	Requests  int // that have it
	Items     int // of suites that have it
	Of        int // items there are
	Uncovered bool
}

// String says what it is: language french, 12% of requests (9% to 15%), 0 of 500 items.
func (p Part) String() string {
	return fmt.Sprintf("%s %s, %.0f%% of requests (%.0f%% to %.0f%%), %d of %d items", p.Dimension, p.Value, 100*p.Share, 100*p.Low, 100*p.High, p.Items, p.Of)
}

const (
	// leastShare is what a part has surely more of than it to be named: suites of some hundred items can't have all there is.
	leastShare = 0.05
	// lack is what suites have less than of a part's share for it to be called uncovered: with a tenth of what it should have, what goes wrong there hardly
	// shows in a score.
	lack = 0.1
	// LeastRequests are what anything is said of.
	LeastRequests = 50
)

// Compare divides requests, and tells which parts suites lack; the largest come first. Without items no part has less than its share of them, and none is
// named: that there is no suite is to be said instead.
func Compare(requests, items []Features) (parts []Part) {
	if len(requests) < LeastRequests {
		return nil
	}
	byTopic := topics(requests, items)
	for _, d := range []struct {
		name string
		of   func(*Features) string
	}{
		{Language, func(f *Features) string { return f.Language }},
		{Length, func(f *Features) string { return f.Length }},
		{Topic, byTopic},
	} {
		parts = append(parts, divide(d.name, d.of, requests, items)...)
	}
	slices.SortStableFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Dimension, b.Dimension), strings.Compare(a.Value, b.Value))
	})
	return parts
}

// divide is Compare by one dimension.
func divide(name string, of func(*Features) string, requests, items []Features) (parts []Part) {
	count := func(list []Features) map[string]int {
		n := map[string]int{}
		for i := range list {
			n[of(&list[i])]++
		}
		return n
	}
	asked, has := count(requests), count(items)
	for value, n := range asked {
		p := Part{Dimension: name, Value: value, Share: float64(n) / float64(len(requests)), Requests: n, Items: has[value], Of: len(items)}
		p.Low, p.High = wilson(n, len(requests))
		p.Uncovered = p.Low > leastShare && float64(p.Items) < lack*p.Share*float64(len(items))
		parts = append(parts, p)
	}
	return parts
}

// wilson is the 95 % interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical inference").
func wilson(k, n int) (low, high float64) {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	middle, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return math.Max(0, (middle-half)/(1+z*z/m)), math.Min(1, (middle+half)/(1+z*z/m))
}
