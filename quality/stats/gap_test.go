package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// This file owns tests of the overfitting gap: its interval is as wide as theory says, and holds what is true as often as it says.

// TestPairedGapOfMeans: for means the gap is mean(da) - mean(db), whose variance is the sum of the two halves'.
func TestPairedGapOfMeans(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	half := func(n int, difference float64) (a, b [][]float64, request []int) {
		for i := range n {
			hard := 3 * rng.NormFloat64() // of the request, for both systems: pairs take it out
			a, b = append(a, []float64{hard + difference + rng.NormFloat64(), 1}), append(b, []float64{hard + rng.NormFloat64(), 1})
			request = append(request, i)
		}
		return a, b, request
	}
	mean := func(sum []float64) float64 { return sum[0] / sum[1] }
	held := 0
	const rounds = 200
	for range rounds {
		ta, tb, t1 := half(60, 0.9)
		sa, sb, s1 := half(90, 0.4)
		g, err := PairedGap(ta, tb, sa, sb, t1, s1, mean, Resampling{Seed: 3, Count: 400})
		if err != nil {
			t.Fatal(err)
		}
		width := 2 * 1.96 * math.Sqrt(2.0/60+2.0/90)
		if !(g.High-g.Low > 0.6*width && g.High-g.Low < 1.4*width) {
			t.Fatalf("the interval is %v wide, its theory says %v", g.High-g.Low, width)
		}
		if g.Low <= 0.5 && 0.5 <= g.High {
			held++
		}
	}
	if held < rounds*88/100 {
		t.Errorf("95 %% intervals hold the truth %d times of %d", held, rounds)
	}
}

func TestPairedGapRefuses(t *testing.T) {
	one, two := [][]float64{{1, 1}}, [][]float64{{1, 1}, {2, 1}}
	mean := func(sum []float64) float64 { return sum[0] / sum[1] }
	if _, err := PairedGap(one, one, two, two, []int{0}, []int{0, 1}, mean, Resampling{}); err == nil {
		t.Error("a tuning half of one request")
	}
	if _, err := PairedGap(two, two, two, one, []int{0, 1}, []int{0, 1}, mean, Resampling{}); err == nil {
		t.Error("a sealed half that two systems answered differently")
	}
	g, err := PairedGap(two, slices.Clone(two), two, two, []int{0, 1}, []int{0, 1}, mean, Resampling{})
	if err != nil || g != (Interval{}) {
		t.Errorf("equal systems: %+v, %v", g, err)
	}
}
