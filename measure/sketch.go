package measure

import (
	"maps"
	"math"
	"slices"
	"time"

	"chimera/store"
)

// This file owns how times are summed up: a sketch of them in buckets whose bounds grow by a constant factor (Masson et al. 2019, "DDSketch"), so that
// any number of times takes the same memory, quantiles are off by no more than a hundredth of themselves, and two sketches add up to
// that of all their times.
//
// Rejected: a sample of the times. Its 99th percentile jumps from minute to minute, and samples of two tenants don't add up.

// accuracy is the relative error of a quantile at most.
const accuracy = 0.01

// growth is the ratio of two bounds.
const growth = (1 + accuracy) / (1 - accuracy)

// sketch is a number of times. Its zero value has none.
type sketch struct {
	buckets map[int]int64 // by their index: bucket i has the times above growth^(i-1) and up to growth^i ns
	none    int64         // times of 0 and less
	count   int64
	sum     time.Duration
}

func (s *sketch) add(d time.Duration) {
	s.count++
	s.sum += max(d, 0)
	if d <= 0 {
		s.none++
		return
	}
	if s.buckets == nil {
		s.buckets = map[int]int64{}
	}
	s.buckets[int(math.Ceil(math.Log(float64(d))/math.Log(growth)))]++
}

// merge adds all that other has.
func (s *sketch) merge(other *sketch) {
	s.count, s.none, s.sum = s.count+other.count, s.none+other.none, s.sum+other.sum
	if s.buckets == nil {
		s.buckets = map[int]int64{}
	}
	for i, n := range other.buckets {
		s.buckets[i] += n
	}
}

// mean is exact; 0 if there are no times.
func (s *sketch) mean() time.Duration {
	if s.count == 0 {
		return 0
	}
	return s.sum / time.Duration(s.count)
}

// quantile is the time that a share q of all do not exceed: the one of rank ceil(q n) from 1; 0 if there are none.
func (s *sketch) quantile(q float64) time.Duration {
	left := int64(math.Ceil(q*float64(s.count))) - s.none
	if left <= 0 {
		return 0
	}
	for _, i := range slices.Sorted(maps.Keys(s.buckets)) {
		if left -= s.buckets[i]; left <= 0 {
			return time.Duration(2 * math.Pow(growth, float64(i)) / (growth + 1)) // as far from either bound, relative to it
		}
	}
	return 0
}

// latency is the sketch as a window has it.
func (s *sketch) latency() store.Latency {
	return store.Latency{Mean: s.mean(), P50: s.quantile(0.5), P95: s.quantile(0.95), P99: s.quantile(0.99)}
}
