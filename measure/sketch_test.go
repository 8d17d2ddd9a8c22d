package measure

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// This file owns tests of the sketch: beside the times themselves, sorted.

// A quantile is off by no more than a hundredth, a mean not at all, and the sum of two sketches is the sketch of all times.
func TestSketch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, int64(time.Hour)), rapid.Int64Range(int64(time.Second), 2*int64(time.Second))), 1, 400).Draw(t, "times")
		cut := rapid.IntRange(0, len(times)).Draw(t, "cut")
		var s, other sketch
		sum := time.Duration(0)
		for i, ns := range times {
			sum += time.Duration(ns)
			if i < cut {
				s.add(time.Duration(ns))
			} else {
				other.add(time.Duration(ns))
			}
		}
		s.merge(&other)
		slices.Sort(times)
		if s.count != int64(len(times)) || s.mean() != sum/time.Duration(len(times)) {
			t.Fatalf("%d times, mean %v; want %d, %v", s.count, s.mean(), len(times), sum/time.Duration(len(times)))
		}
		for _, q := range []float64{0.5, 0.95, 0.99, 1} {
			want := float64(times[int(math.Ceil(q*float64(len(times))))-1])
			if got := float64(s.quantile(q)); !(math.Abs(got-want) <= accuracy*want+1) {
				t.Fatalf("quantile %v of %d times: %v, want %v", q, len(times), got, want)
			}
		}
	})
}

func TestEmptySketch(t *testing.T) {
	var s sketch
	if s.mean() != 0 || s.quantile(0.99) != 0 {
		t.Errorf("mean %v, p99 %v of no times", s.mean(), s.quantile(0.99))
	}
}
