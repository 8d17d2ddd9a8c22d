package stats

import (
	"encoding/json"
	"errors"
	"math"
	"os"
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
