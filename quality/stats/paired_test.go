package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// This file owns tests of intervals of differences: how often they exclude what is true where few requests differ, and what they find.

// apart are two systems whose answers differ by as much.
func apart(differences []float64) (a, b [][]float64, request []int) {
	for i, d := range differences {
		a, b, request = append(a, []float64{1 + d, 1}), append(b, []float64{1, 1}), append(request, i)
	}
	return a, b, request
}

// sizes are how much those answers differ by that do, each 0 in the mean.
var sizes = map[string]func(*rand.Rand) float64{
	"all alike":              func(r *rand.Rand) float64 { return side(r, 0.5) },
	"normal":                 (*rand.Rand).NormFloat64,
	"a few are large":        func(r *rand.Rand) float64 { return side(r, 0.5) * math.Exp(1.5*r.NormFloat64()) },
	"losses rarer and twice": func(r *rand.Rand) float64 { return skewed(r, 2) },
}

func side(r *rand.Rand, up float64) float64 {
	if r.Float64() < up {
		return 1
	}
	return -1
}

// skewed is a gain of 1, or by as much more rarely a loss that is as much larger.
func skewed(r *rand.Rand, times float64) float64 {
	if r.Float64() < times/(1+times) {
		return 1
	}
	return -times
}

// Where two systems are as good, their interval excludes 0 to either side in 2.5 % of cases at most, of however few requests, however few of them differ, and
// also where they differ by sizes that are skewed. The bootstrap of the requests alone does not.
func TestSparseLevel(t *testing.T) {
	const runs, tail = 1500, (1 - confidence) / 2
	allowed := tail + 3*math.Sqrt(tail*(1-tail)/runs)
	worst := 0.0
	for name, size := range sizes {
		for _, n := range []int{4, 8, 20, 100} {
			for _, share := range []float64{0.01, 0.05, 0.2} {
				for side, rate := range excludes(t, inPairs, runs, n, share, size) {
					if worst = max(worst, rate); rate > allowed {
						t.Errorf("%s, %d requests, %g of them differ: side %d in %.2f %% of cases", name, n, share, side, 100*rate)
					}
				}
			}
		}
	}
	plain := excludes(t, alone, runs, 100, 0.05, sizes["losses rarer and twice"])
	t.Logf("at most %.2f %% of cases, by the requests alone %.2f %%", 100*worst, 100*plain[0])
	if plain[0] <= 2*tail {
		t.Errorf("the bootstrap of the requests alone would do: %v", plain)
	}
	// Where losses are three times as rare and as large, half a dozen requests often show none: no sign of them is in the data.
	three := func(r *rand.Rand) float64 { return skewed(r, 3) }
	rare, plain := excludes(t, inPairs, runs, 100, 0.05, three), excludes(t, alone, runs, 100, 0.05, three)
	if t.Logf("of rare large losses %.2f %%, by the requests alone %.2f %%", 100*rare[0], 100*plain[0]); rare[0] > 0.06 || rare[0] > plain[0]/2 || rare[1] > allowed {
		t.Errorf("%v, by the requests alone %v", rare, plain)
	}
}

// inPairs and alone are two intervals of the same differences.
func inPairs(differences []float64, r Resampling) (Interval, error) {
	a, b, request := apart(differences)
	return PairedBootstrap(a, b, request, meanOf, r)
}

func alone(differences []float64, r Resampling) (Interval, error) {
	rows, request := rowsOf(differences)
	return Bootstrap(rows, request, meanOf, r)
}

// excludes is the share of cases in which an interval lies above 0, and below it.
func excludes(t *testing.T, of func([]float64, Resampling) (Interval, error), runs, n int, share float64, size func(*rand.Rand) float64) (rates [2]float64) {
	t.Helper()
	draw := rand.New(rand.NewPCG(uint64(n), uint64(1000*share)))
	for run := range runs {
		differences, differ := make([]float64, n), 0
		for i := range differences {
			if draw.Float64() < share {
				differences[i], differ = size(draw), differ+1
			}
		}
		if differ < 4 {
			continue // of which neither interval lies beside 0
		}
		i, err := of(differences, Resampling{Seed: uint64(run), Count: 300})
		if err != nil || i.Low > i.Estimate || i.High < i.Estimate {
			t.Fatal(i, err)
		}
		switch {
		case i.Low > 0:
			rates[0] += 1 / float64(runs)
		case i.High < 0:
			rates[1] += 1 / float64(runs)
		}
	}
	return rates
}

// What is worse in six requests of hundreds is found, as the exact test of signs has it, and what is worse in five is not.
func TestSparseLimit(t *testing.T) {
	for differ := range 9 {
		for _, n := range []int{8, 40, 500} {
			differences := make([]float64, n)
			for i := range differ {
				differences[i] = -1
			}
			a, b, request := apart(differences)
			i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 2})
			if found := i.High < 0; err != nil || found != (differ >= leastDiffering) {
				t.Errorf("%d of %d: %+v, %v", differ, n, i, err)
			}
		}
	}
	// Four of four that differ by the same have no spread, and are four all the same.
	a, b, request := apart([]float64{-1, -1, -1, -1})
	if i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 2}); err != nil || i.High < 0 || i.Estimate != -1 {
		t.Errorf("%+v, %v", i, err)
	}
}

// Where no request differs nothing is known but that.
func TestPairedBootstrapOfNone(t *testing.T) {
	a, b, request := apart(make([]float64, 30))
	if i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 2}); err != nil || i != (Interval{}) {
		t.Errorf("%+v, %v", i, err)
	}
}

// Where most requests differ the interval is hardly wider than the bootstrap's, and of one large difference among many small ones it is much wider.
func TestDensePairs(t *testing.T) {
	draw := rand.New(rand.NewPCG(4, 4))
	width := func(differences []float64) (paired, plain float64) {
		a, b, request := apart(differences)
		rows, _ := rowsOf(differences)
		i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 2})
		alone, plainErr := Bootstrap(rows, request, meanOf, Resampling{Seed: 2})
		if err != nil || plainErr != nil {
			t.Fatal(err, plainErr)
		}
		return i.High - i.Low, alone.High - alone.Low
	}
	for n, most := range map[int]float64{100: 1.1, 500: 1.06} {
		if paired, plain := width(normals(draw, n, 0)); !(paired >= 0.97*plain && paired <= most*plain) {
			t.Errorf("%d requests: %v wide, by the requests alone %v", n, paired, plain)
		}
	}
	differences := normals(draw, 100, 0)
	differences[7] = 50
	if paired, plain := width(differences); !(paired >= 1.2*plain) {
		t.Errorf("one is large: %v wide, by the requests alone %v", paired, plain)
	}
}

// A gap has the same limit, over both halves.
func TestSparseGap(t *testing.T) {
	for differ, want := range map[int]bool{4: false, 5: false, 7: true} {
		differences := make([]float64, 50)
		for i := range differ {
			differences[i] = 1
		}
		ta, tb, request := apart(differences)
		sa, sb, _ := apart(make([]float64, 50))
		i, err := PairedGap(ta, tb, sa, sb, request, request, meanOf, Resampling{Seed: 2})
		if err != nil || i.Low > 0 != want || !near(i.Estimate, float64(differ)/50) {
			t.Errorf("%d differ: %+v, %v", differ, i, err)
		}
	}
}

// A score that is no mean, of requests of which one has half of all tokens and differs most: its interval lies about the estimate all the same.
func TestPairedRatio(t *testing.T) {
	var a, b [][]float64
	var request []int
	for i := range 200 {
		tokens, lost := 10.0, float64(i%2)
		if i == 0 {
			tokens, lost = 2000, 300
		}
		a, b, request = append(a, []float64{tokens - lost, tokens}), append(b, []float64{tokens, tokens}), append(request, i)
	}
	i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 2})
	if err != nil || !near(i.Estimate, -400.0/3990) {
		t.Fatal(i, err)
	}
	if !(i.Low < i.Estimate-0.035 && i.High > i.Estimate+0.05) {
		t.Errorf("%+v", i)
	}
}
