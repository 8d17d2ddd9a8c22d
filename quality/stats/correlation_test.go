package stats

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// This file owns the tests of correlations: against scipy's (scripts/score_fixture.py made them), and of what must hold of any.

type golden struct {
	Correlations []struct {
		X, Y                       []float64
		Pearson, Spearman, Kendall float64
	}
	Permutations []struct {
		A, B []float64
		P    float64
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/stats.json")
	if err == nil {
		err = json.Unmarshal(text, &g)
	}
	if err != nil || len(g.Correlations) < 5 || len(g.Permutations) < 3 {
		t.Fatal(len(g.Correlations), err)
	}
	return g
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12 }

func TestGoldenCorrelations(t *testing.T) {
	for _, c := range readGolden(t).Correlations {
		for name, of := range map[string]struct {
			f    func(x, y []float64) (float64, error)
			want float64
		}{"Pearson": {Pearson, c.Pearson}, "Spearman": {Spearman, c.Spearman}, "Kendall": {Kendall, c.Kendall}} {
			if got, err := of.f(c.X, c.Y); err != nil || !near(got, of.want) {
				t.Errorf("%s of %d pairs: %v, %v, want %v", name, len(c.X), got, err, of.want)
			}
		}
	}
}

// Kendall counts pairs one by one here.
func pairwiseKendall(x, y []float64) float64 {
	both, onlyX, onlyY := 0.0, 0.0, 0.0
	for i := range x {
		for j := range i {
			s, t := math.Copysign(1, x[i]-x[j]), math.Copysign(1, y[i]-y[j])
			if x[i] != x[j] {
				onlyX++
			}
			if y[i] != y[j] {
				onlyY++
			}
			if x[i] != x[j] && y[i] != y[j] {
				both += s * t
			}
		}
	}
	return both / math.Sqrt(onlyX*onlyY)
}

func TestCorrelationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "n")
		values := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 5), func(i int) float64 { return float64(i) }), n, n)
		x, y := values.Draw(t, "x"), values.Draw(t, "y")
		cubes := make([]float64, n) // as x is ordered
		for i := range x {
			cubes[i] = x[i] * x[i] * x[i]
		}
		for _, f := range []func(x, y []float64) (float64, error){Pearson, Spearman, Kendall} {
			r, err := f(x, y)
			if errors.Is(err, errConstant) {
				return
			}
			back, _ := f(y, x)
			if err != nil || !near(r, back) || r < -1 || r > 1 {
				t.Fatal(r, back, err)
			}
		}
		tau, _ := Kendall(x, y)
		cubed, _ := Kendall(cubes, y)
		rho, _ := Spearman(x, y)
		cubedRho, _ := Spearman(cubes, y)
		if !near(tau, pairwiseKendall(x, y)) || tau != cubed || rho != cubedRho {
			t.Fatal(tau, pairwiseKendall(x, y), cubed, rho, cubedRho)
		}
	})
}

func TestCorrelationsRefuse(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want string
	}{
		{[]float64{1, 2}, []float64{1}, "2 and 1 values"}, {[]float64{1}, []float64{1}, "two at least"}, {nil, nil, "two at least"},
		{[]float64{1, math.NaN()}, []float64{1, 2}, "pair 1, NaN and 2, is not finite"}, {[]float64{1, 2}, []float64{math.Inf(1), 2}, "pair 0"},
		{[]float64{0.1, 0.1, 0.1}, []float64{1, 2, 3}, "is constant"}, {[]float64{1, 2, 3}, []float64{0.1, 0.1, 0.1}, "is constant"},
	} {
		for _, f := range []func(x, y []float64) (float64, error){Pearson, Spearman, Kendall} {
			if _, err := f(c.x, c.y); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v %v: %v, want %q", c.x, c.y, err, c.want)
			}
		}
	}
}

// each is one of the three, by itself and among the intervals.
var each = map[string]struct {
	of func(x, y []float64) (float64, error)
	in func(Correlations) Interval
}{
	"Pearson":  {Pearson, func(c Correlations) Interval { return c.Pearson }},
	"Spearman": {Spearman, func(c Correlations) Interval { return c.Spearman }},
	"Kendall":  {Kendall, func(c Correlations) Interval { return c.Kendall }},
}

// Intervals are what is found when the pairs of the drawn requests are written out, as often as each was drawn, and correlated one sample by one.
func TestCorrelationIntervals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	const pairs, requests, count = 60, 40, 400
	var x, y []float64
	var request []int
	for i := range pairs {
		v := float64(rng.IntN(12))
		x, y, request = append(x, v), append(y, float64(1+rng.IntN(4))+math.Trunc(v/9)), append(request, i*requests/pairs)
	}
	got, err := Correlate(x, y, request, Resampling{Seed: 9, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range each {
		var replicates []float64
		for i := range count {
			var a, b []float64
			draw := newDraws(9, i)
			for range requests {
				drawn := draw.below(requests)
				for j, of := range request {
					if of == drawn {
						a, b = append(a, x[j]), append(b, y[j])
					}
				}
			}
			r, err := k.of(a, b)
			if err != nil {
				t.Fatal(err)
			}
			replicates = append(replicates, r)
		}
		slices.Sort(replicates)
		estimate, _ := k.of(x, y)
		want := Interval{estimate, quantile(replicates, 0.025), quantile(replicates, 0.975)}
		if is := k.in(got); math.Abs(is.Estimate-want.Estimate)+math.Abs(is.Low-want.Low)+math.Abs(is.High-want.High) > 1e-9 || !(is.Low < is.Estimate && is.Estimate < is.High) {
			t.Errorf("%s: %v, want %v", name, is, want)
		}
	}
	if again, _ := Correlate(x, y, request, Resampling{Seed: 9, Count: count}); again != got {
		t.Errorf("the same seed gives %v, and then %v", got, again)
	}
}

// Of normal pairs an interval holds the true coefficient as often as it says, but for the few of a hundred that percentiles of a small sample miss.
func TestCorrelationIntervalsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 2))
	const trials, n, rho = 200, 80, 0.5
	truth := map[string]float64{"Pearson": rho, "Spearman": 6 / math.Pi * math.Asin(rho/2), "Kendall": 2 / math.Pi * math.Asin(rho)}
	held := map[string]int{}
	for trial := range trials {
		var x, y []float64
		for range n {
			a, b := rng.NormFloat64(), rng.NormFloat64()
			x, y = append(x, a), append(y, rho*a+math.Sqrt(1-rho*rho)*b)
		}
		c, err := Correlate(x, y, upTo(n), Resampling{Seed: uint64(trial), Count: 300})
		if err != nil {
			t.Fatal(err)
		}
		for name, k := range each {
			if i := k.in(c); i.Low <= truth[name] && truth[name] <= i.High {
				held[name]++
			}
		}
	}
	for name, n := range held { // four standard deviations of the count are 14
		if n < trials*93/100-14 || n > trials*93/100+14 {
			t.Errorf("%s: %d of %d intervals hold the coefficient", name, n, trials)
		}
	}
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// Where all hangs on one pair a third of the replicates are without it, and show nothing: the interval says so.
func TestCorrelationThatHangsOnOne(t *testing.T) {
	x, y := make([]float64, 30), make([]float64, 30)
	x[7], y[7] = 1, 1
	c, err := Correlate(x, y, upTo(30), Resampling{Seed: 1})
	for name, k := range each {
		if i := k.in(c); err != nil || !near(i.Estimate, 1) || i.Low != 0 || !near(i.High, 1) {
			t.Errorf("%s: %v, %v", name, i, err)
		}
	}
}

func TestCorrelateRefuses(t *testing.T) {
	x := []float64{1, 2, 3}
	for want, c := range map[string]struct {
		x, y    []float64
		request []int
		count   int
	}{
		"3 pairs are of 2 requests":       {x, x, []int{1, 2}, 0},
		"1 requests show no variation":    {x, x, []int{1, 1, 1}, 0},
		"is constant":                     {x, []float64{1, 1, 1}, []int{1, 2, 3}, 0},
		"3 and 2 values":                  {x, x[:2], []int{1, 2, 3}, 0},
		"7 replicates: use 100":           {x, x, []int{1, 2, 3}, 7},
		"the values are too large: their": {[]float64{1, 1e300, 0}, []float64{1, 1e300, 0}, []int{1, 2, 3}, 0},
	} {
		if _, err := Correlate(c.x, c.y, c.request, Resampling{Count: c.count}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
