package stats

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// This file owns the tests of intervals and of the paired test.

// meanOf is the score of rows of {value, 1}.
func meanOf(sum []float64) float64 { return sum[0] / sum[1] }

// rowsOf makes such rows, each of a request of its own.
func rowsOf(values []float64) (rows [][]float64, request []int) {
	for i, v := range values {
		rows, request = append(rows, []float64{v, 1}), append(request, i)
	}
	return rows, request
}

func normals(rng *rand.Rand, n int, mean float64) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = mean + rng.NormFloat64()
	}
	return values
}

// An interval of a normal sample's mean is as long as theory has it, holds the true mean as often, and is the seed's alone.
func TestBootstrap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials, n = 300, 50
	held, width := 0, 0.0
	for trial := range trials {
		rows, request := rowsOf(normals(rng, n, 3))
		i, err := Bootstrap(rows, request, meanOf, Resampling{Seed: uint64(trial), Count: 500})
		if err != nil || i.Low > i.Estimate || i.High < i.Estimate {
			t.Fatal(i, err)
		}
		if i.Low <= 3 && 3 <= i.High {
			held++
		}
		width += (i.High - i.Low) / trials
	}
	// 95 % less 1 for a sample of 50 by percentiles; four standard deviations of the count are 15.
	if held < trials*94/100-15 || held > trials*94/100+15 {
		t.Errorf("%d of %d intervals hold the mean", held, trials)
	}
	if want := 2 * 1.96 / math.Sqrt(n); math.Abs(width/want-1) > 0.05 {
		t.Errorf("intervals are %v wide, want %v", width, want)
	}
}

func TestBootstrapIsTheSeeds(t *testing.T) {
	rows, request := rowsOf(normals(rand.New(rand.NewPCG(5, 5)), 30, 0))
	of := func(seed uint64, count int) Interval {
		i, err := Bootstrap(rows, request, meanOf, Resampling{Seed: seed, Count: count})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if of(1, 400) != of(1, 400) || of(1, 400) == of(2, 400) || of(1, 0) != of(1, defaultReplicates) {
		t.Error("the seed does not decide")
	}
	// Pinned, since reports are compared over years: a change here changes all of them.
	want := Interval{0.1420715134320682, -0.24825187548501437, 0.5358311157079899}
	if got := of(1, 400); !near(got.Estimate, want.Estimate) || !near(got.Low, want.Low) || !near(got.High, want.High) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A request whose segments all say the same is worth one segment: ten of each give the interval that one of each gives.
func TestRequestsAreResampled(t *testing.T) {
	values := normals(rand.New(rand.NewPCG(9, 9)), 40, 0)
	rows, request := rowsOf(values)
	once, err := Bootstrap(rows, request, meanOf, Resampling{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	var many [][]float64
	var of []string
	for range 10 {
		for i, v := range values {
			many, of = append(many, []float64{v, 1}), append(of, string(rune('a'+i)))
		}
	}
	ten, err := Bootstrap(many, of, meanOf, Resampling{Seed: 4})
	if err != nil || math.Abs(ten.Low-once.Low) > 1e-9 || math.Abs(ten.High-once.High) > 1e-9 {
		t.Errorf("ten segments a request: %v, %v, one: %v", ten, err, once)
	}
	p, err := PairedPermutation(many, slices.Concat(many[1:], many[:1]), of, meanOf, Resampling{Seed: 4})
	q, _ := PairedPermutation(rows, slices.Concat(rows[1:], rows[:1]), request, meanOf, Resampling{Seed: 4})
	if err != nil || p != q {
		t.Errorf("p %v, %v, want %v", p, err, q)
	}
}

// Systems that differ by a constant differ by about as much in each replicate, however much the requests vary: only paired draws show that.
func TestPairedBootstrap(t *testing.T) {
	values := normals(rand.New(rand.NewPCG(6, 6)), 40, 0)
	better := make([]float64, len(values))
	for i, v := range values {
		better[i] = v + 0.25
	}
	a, request := rowsOf(better)
	b, _ := rowsOf(values)
	i, err := PairedBootstrap(a, b, request, meanOf, Resampling{Seed: 1})
	if err != nil || !near(i.Estimate, 0.25) || !(i.Low > 0.2 && i.High < 0.27) || i.High-i.Low < 0.01 {
		t.Error(i, err)
	}
	back, err := PairedBootstrap(b, a, request, meanOf, Resampling{Seed: 1})
	if err != nil || !near(back.Estimate, -0.25) {
		t.Error(back, err)
	}
}

// A score that is no mean: the ratio of sums is resampled, not the mean of ratios.
func TestBootstrapResamplesSums(t *testing.T) {
	rows := [][]float64{{1, 10}, {9, 10}, {0, 1000}}
	i, err := Bootstrap(rows, []int{1, 2, 3}, meanOf, Resampling{Seed: 1, Count: 1000})
	if err != nil || !near(i.Estimate, 10.0/1020) || i.Low != 0 || i.High < 0.3 || i.High > 0.9 {
		t.Error(i, err)
	}
}

// The p-value is near that of all 4096 exchanges, which scipy went through.
func TestPairedPermutation(t *testing.T) {
	for _, c := range readGolden(t).Permutations {
		a, request := rowsOf(c.A)
		b, _ := rowsOf(c.B)
		const count = 20_000
		p, err := PairedPermutation(a, b, request, meanOf, Resampling{Seed: 3, Count: count})
		if off := 4*math.Sqrt(c.P*(1-c.P)/count) + 1.0/count; err != nil || math.Abs(p-c.P) > off {
			t.Errorf("p %v, %v, want %v +- %v", p, err, c.P, off)
		}
		if same, err := PairedPermutation(a, a, request, meanOf, Resampling{Seed: 3}); err != nil || same != 1 {
			t.Errorf("of a system and itself: %v, %v", same, err)
		}
	}
	var a, b [][]float64
	for range 40 {
		a, b = append(a, []float64{1, 1}), append(b, []float64{0, 1})
	}
	if p, err := PairedPermutation(a, b, make40(), meanOf, Resampling{Count: 999}); err != nil || p != 0.001 {
		t.Errorf("no exchange is as large, so p is 1/1000: %v, %v", p, err)
	}
}

func make40() []int {
	list := make([]int, 40)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestResamplingRefuses(t *testing.T) {
	row, rows := []float64{1, 1}, [][]float64{{1, 1}, {2, 1}}
	for _, c := range []struct {
		rows    [][]float64
		request []string
		count   int
		want    string
	}{
		{nil, nil, 0, "0 requests show no variation"},
		{rows, []string{"a"}, 0, "2 rows of statistics are of 1 requests"},
		{rows, []string{"a", "a"}, 0, "1 requests show no variation"},
		{[][]float64{row, {1}}, []string{"a", "b"}, 0, "row 1 has 1 statistics, row 0 has 2"},
		{rows, []string{"a", "b"}, 99, "99 replicates: use 100 to 1000000"},
		{rows, []string{"a", "b"}, -1, "-1 replicates"},
		{rows, []string{"a", "b"}, mostReplicates + 1, "replicates: use"},
	} {
		r := Resampling{Count: c.count}
		_, single := Bootstrap(c.rows, c.request, meanOf, r)
		_, pairs := PairedBootstrap(c.rows, c.rows, c.request, meanOf, r)
		_, test := PairedPermutation(c.rows, c.rows, c.request, meanOf, r)
		for _, err := range []error{single, pairs, test} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v", c, err)
			}
		}
	}
	if _, err := PairedBootstrap(rows, [][]float64{{1}, {2}}, []int{1, 2}, meanOf, Resampling{}); err == nil || !strings.Contains(err.Error(), "the first system has 2 statistics, the second 1") {
		t.Error(err)
	}
	if _, err := PairedPermutation(rows, rows[:1], []int{1, 2}, meanOf, Resampling{}); err == nil || !strings.Contains(err.Error(), "of the second system: 1 rows") {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 1: 8, 0.5: 3, 0.25: 1.75, 0.9: 6.8} { // as numpy.quantile has it
		if got := quantile(sorted, q); !near(got, want) {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
}

// Draws are uniform, replicates differ, and a replicate's are its own.
func TestDraws(t *testing.T) {
	const n, draw = 7, 70_000
	counts, heads := make([]int, n), 0
	d := newDraws(1, 0)
	for range draw {
		counts[d.below(n)]++
		heads += d.coin()
	}
	for i, c := range counts {
		if math.Abs(float64(c)-draw/n) > 5*math.Sqrt(draw/n) {
			t.Errorf("%d was drawn %d times", i, c)
		}
	}
	if math.Abs(float64(heads)-draw/2) > 5*math.Sqrt(draw/4) {
		t.Errorf("%d heads", heads)
	}
	first := func(seed uint64, replicate int) (list []int) {
		d := newDraws(seed, replicate)
		for range 20 {
			list = append(list, d.below(1000))
		}
		return list
	}
	if !reflect.DeepEqual(first(1, 2), first(1, 2)) || reflect.DeepEqual(first(1, 2), first(1, 3)) || reflect.DeepEqual(first(1, 2), first(2, 2)) || reflect.DeepEqual(first(1, 2), first(2, 1)) {
		t.Error("draws are not by seed and replicate")
	}
}
