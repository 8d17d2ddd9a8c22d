package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// This file owns what is made of a few readings, such as speeds: Student's interval, and p-values of several intervals that are looked at together. A reading
// is a number with an error that is about normal, which answers are not: see [PairedBootstrap].

// Student is the interval of the mean of readings, two at least, which err independently and about normally (Student 1908).
func Student(readings []float64) (Interval, error) {
	if len(readings) < 2 {
		return Interval{}, fmt.Errorf("%d readings show no variation: it takes two at least", len(readings))
	}
	mean, deviation := stat.MeanStdDev(readings, nil)
	half := studentQuantile(len(readings)) * deviation / math.Sqrt(float64(len(readings)))
	return Interval{Estimate: mean, Low: mean - half, High: mean + half}, nil
}

// studentQuantile is how many standard errors the interval of a mean of n readings has to either side.
func studentQuantile(n int) float64 { return studentOf(n).Quantile((1 + confidence) / 2) }

func studentOf(n int) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)} }

// P is the two-sided p-value of a difference of n pairs, by how far 0 lies beyond the end of its interval that is nearer to 0. An interval that has no ends, or
// is of fewer than two pairs, excludes nothing: 1.
func (i Interval) P(n int) float64 {
	half := i.Estimate - i.Low
	if i.Estimate < 0 {
		half = i.High - i.Estimate
	}
	switch {
	case n < 2 || math.IsNaN(half) || math.IsNaN(i.Estimate) || i.Estimate == 0:
		return 1
	case half <= 0:
		return 0
	}
	return 2 * studentOf(n).Survival(math.Abs(i.Estimate)/half*studentQuantile(n))
}

// Holm adjusts p-values of hypotheses that are looked at together (Holm 1979, https://www.jstor.org/stable/4615733): with those below a level rejected, the
// chance that a true one is among them is below the level, however they depend on one another.
func Holm(p []float64) []float64 {
	order, adjusted := make([]int, len(p)), make([]float64, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	most := 0.0
	for rank, i := range order {
		most = max(most, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = most
	}
	return adjusted
}
