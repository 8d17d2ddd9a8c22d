package stats

import (
	"errors"
	"fmt"
	"math"
)

// This file owns detectors of drift: they read one value after the other and say when the mean has changed.

// Change is which way a mean has gone.
type Change int

// The changes.
const (
	Down Change = iota - 1
	None
	Up
)

// String is the word for it.
func (c Change) String() string { return [...]string{"down", "none", "up"}[c+1] }

// errNotFinite is of a value that no detector takes; it stays as it was.
var errNotFinite = errors.New("the value is not finite")

// CUSUM is the tabular cumulative sum of both sides (Page 1954, "Continuous inspection schemes"; Montgomery, Introduction to Statistical Quality Control,
// ch. 9): how far values have lately been above, and below, the mean that is known from better days, each less a slack. Use it where such
// a mean is known, PageHinkley where not.
type CUSUM struct {
	mean, deviation, slack, threshold float64
	above, below                      float64
}

// Montgomery's recommendation, in standard deviations: a change of one is seen after 10 values, and without one there is an alarm in 465.
const (
	DefaultSlack     = 0.5 // half of the change that is to be seen
	DefaultThreshold = 5
)

// NewCUSUM takes mean and standard deviation of values while all is well; slack and threshold are in standard deviations.
func NewCUSUM(mean, deviation, slack, threshold float64) (*CUSUM, error) {
	if !finite(mean) || !finite(deviation) || !finite(slack) || !finite(threshold) || deviation <= 0 || slack < 0 || threshold <= 0 {
		return nil, fmt.Errorf("CUSUM with mean %v, deviation %v, slack %v and threshold %v: all must be finite, deviation and threshold above 0, slack not below", mean, deviation, slack, threshold)
	}
	return &CUSUM{mean: mean, deviation: deviation, slack: slack, threshold: threshold}, nil
}

// Add reads one value. An alarm starts both sums anew.
func (c *CUSUM) Add(x float64) (Change, error) {
	if !finite(x) {
		return None, errNotFinite
	}
	z := (x - c.mean) / c.deviation
	c.above = max(0, c.above+z-c.slack)
	c.below = max(0, c.below-z-c.slack)
	change := None
	switch {
	case c.above > c.threshold:
		change = Up
	case c.below > c.threshold:
		change = Down
	}
	if change != None {
		c.above, c.below = 0, 0
	}
	return change, nil
}

// PageHinkley is Page's test against the mean of all values so far (Hinkley 1971, "Inference about the change-point from cumulative sum tests"), of both
// sides: the sum of what values were above that mean, less a tolerance each, is compared with its least value so far. It needs no known mean, but
// a change that comes before there is much to compare with moves the mean itself.
type PageHinkley struct {
	tolerance, threshold float64
	n, mean              float64
	rise, lowest         float64 // of values above the mean
	fall, highest        float64 // and of those below it
}

// NewPageHinkley takes tolerance and threshold in the values' unit: changes below the tolerance are never seen, and an alarm takes
// about threshold/(change - tolerance) values.
func NewPageHinkley(tolerance, threshold float64) (*PageHinkley, error) {
	if !finite(tolerance) || !finite(threshold) || tolerance < 0 || threshold <= 0 {
		return nil, fmt.Errorf("Page-Hinkley with tolerance %v and threshold %v: both must be finite, the tolerance not below 0 and the threshold above", tolerance, threshold)
	}
	return &PageHinkley{tolerance: tolerance, threshold: threshold}, nil
}

// Add reads one value. An alarm forgets all that was before it.
func (p *PageHinkley) Add(x float64) (Change, error) {
	if !finite(x) {
		return None, errNotFinite
	}
	p.n++
	p.mean += (x - p.mean) / p.n
	p.rise += x - p.mean - p.tolerance
	p.fall += x - p.mean + p.tolerance
	p.lowest, p.highest = math.Min(p.lowest, p.rise), math.Max(p.highest, p.fall)
	change := None
	switch {
	case p.rise-p.lowest > p.threshold:
		change = Up
	case p.highest-p.fall > p.threshold:
		change = Down
	}
	if change != None {
		*p = PageHinkley{tolerance: p.tolerance, threshold: p.threshold}
	}
	return change, nil
}
