package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// This file owns tests of Student's interval and of p-values that are looked at together.

// Quantiles and p-values are those that tables have, and an interval holds the truth as often as it says, however few readings there are.
func TestStudent(t *testing.T) {
	for n, want := range map[int]float64{2: 12.7062, 4: 3.18245, 6: 2.57058, 12: 2.20099, 31: 2.04227} {
		if got := studentQuantile(n); !(math.Abs(got-want) <= 1e-4*want) {
			t.Errorf("of %d readings: %v, not %v", n, got, want)
		}
	}
	draw := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{2, 4, 12} {
		const runs, mean = 2000, 2.0
		held := 0
		for range runs {
			i, err := Student(normals(draw, n, mean))
			if err != nil || !near(i.Estimate-i.Low, i.High-i.Estimate) {
				t.Fatal(i, err)
			}
			if i.Low <= mean && mean <= i.High {
				held++
			}
		}
		if share := float64(held) / runs; !(math.Abs(share-confidence) <= 0.015) { // three standard errors
			t.Errorf("of %d readings %.3f of the intervals hold the truth", n, share)
		}
	}
	if _, err := Student([]float64{1}); err == nil || !strings.Contains(err.Error(), "two at least") {
		t.Error(err)
	}
}

func TestIntervalP(t *testing.T) {
	for name, c := range map[string]struct {
		i    Interval
		n    int
		want float64
	}{
		"0 on the end":             {Interval{1, 0, 2}, 9, 0.05},
		"above":                    {Interval{2, 1, 5}, 1000, 9.28e-5}, // 3.92 standard errors
		"below":                    {Interval{-2, -5, -1}, 1000, 9.28e-5},
		"few":                      {Interval{2, 1, 3}, 4, 0.00787}, // 6.36 of them, of 3 degrees of freedom
		"none":                     {Interval{0, -1, 1}, 9, 1},
		"no spread":                {Interval{1, 1, 1}, 9, 0},
		"no spread and none":       {Interval{}, 9, 1},
		"no interval was computed": {Interval{1, math.NaN(), math.NaN()}, 9, 1},
		"one pair":                 {Interval{1, 0.9, 1.1}, 1, 1},
	} {
		if got := c.i.P(c.n); !(math.Abs(got-c.want) <= 0.01*c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestHolm(t *testing.T) {
	got := Holm([]float64{0.03, 0.001, 0.02, 0.9, 0.012})
	for i, want := range []float64{0.06, 0.005, 0.06, 0.9, 0.048} { // as R's p.adjust has it
		if !near(got[i], want) {
			t.Errorf("%v", got)
		}
	}
	if len(Holm(nil)) != 0 || Holm([]float64{0.7, 0.6})[0] != 1 {
		t.Error(Holm([]float64{0.7, 0.6}))
	}
	// Of twenty changes that change nothing one or more seems to in 5 % of cases, not in 64 %.
	draw, found := rand.New(rand.NewPCG(8, 8)), 0
	const runs = 2000
	for range runs {
		p := make([]float64, 20)
		for i := range p {
			p[i] = draw.Float64()
		}
		for _, q := range Holm(p) {
			if q <= 0.05 {
				found++
				break
			}
		}
	}
	if share := float64(found) / runs; !(math.Abs(share-0.05) <= 0.015) {
		t.Errorf("something is found in %.3f of cases", share)
	}
}
