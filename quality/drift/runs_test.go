package drift

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	document "chimera/internal/tables"
	"chimera/quality/score"
	"chimera/quality/stats"
)

// This file owns the simulation of suites' runs as a daemon compares them: item by item with the run that the series began with, by each metric's counts
// (testdata/runs.csv.gz, by daemon's TestPairedValues), with the error of the difference.

// suiteMetrics are how a suite's figures are made of counts.
func suiteMetrics(t *testing.T) map[string]stats.Score {
	t.Helper()
	bleu, err := score.NewBLEU("")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]stats.Score{"agreement": func(sum []float64) float64 { return sum[0] / sum[1] }, "chrf": score.ChrF{}.Score, "bleu": bleu.Score}
}

// item is a line's counts by metric, as a tier answered it.
type item map[string][]float64

// runItems are the lines of each tier, by its name as in requests.
func runItems(t *testing.T) map[string][]item {
	t.Helper()
	file, err := os.Open("testdata/runs.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]item{}
	for _, row := range rows[1:] {
		name, of := nameOf(row), item{}
		for i, metric := range rows[0][2:] {
			for _, text := range strings.Fields(row[2+i]) {
				x, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				of[metric] = append(of[metric], x)
			}
		}
		all[name] = append(all[name], of)
	}
	return all
}

// totals are the sums of a metric's counts.
func totals(of []item, metric string) []float64 {
	sum := make([]float64, len(of[0][metric]))
	for _, i := range of {
		for j, x := range i[metric] {
			sum[j] += x
		}
	}
	return sum
}

// influences are what each item moves a figure by: its counts less the mean ones, by the figure's gradient. The deviation of their sum is the figure's
// standard error, as a bootstrap's is, in a thousandth of the time (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 22).
func influences(of []item, metric string, figure stats.Score) (value float64, list []float64) {
	sum, n := totals(of, metric), float64(len(of))
	value = figure(sum)
	slope := make([]float64, len(sum))
	for j, x := range sum {
		step := math.Max(1e-4*x, 1e-3)
		sum[j] = x + step
		up := figure(sum)
		sum[j] = x - step
		slope[j] = (up - figure(sum)) / (2 * step)
		sum[j] = x
	}
	for _, i := range of {
		by := 0.0
		for j, x := range i[metric] {
			by += slope[j] * (x - sum[j]/n)
		}
		list = append(list, by)
	}
	return value, list
}

// differenceError is the standard error of the difference of two runs over the same items.
func differenceError(now, before []float64) float64 {
	squares, n := 0.0, float64(len(now))
	for i := range now {
		squares += (now[i] - before[i]) * (now[i] - before[i])
	}
	return math.Sqrt(squares * n / (n - 1))
}

// watchedSuite is a daemon's watch of one suite.
type watchedSuite struct {
	Watch
	figures map[string]stats.Score
	first   map[string][]float64 // influences of the reference's items, by metric
}

// run has a suite answered by weights, and returns the metrics that raised an alarm.
func (s *watchedSuite) run(of []item, numerics string) (alarms []string) {
	if s.first == nil {
		s.first = map[string][]float64{}
	}
	for metric, figure := range s.figures {
		if !isWatchedOfRuns(metric) {
			continue
		}
		k := Key{Model: "m", Tier: "q4_k", Suite: "s", Metric: metric}
		value, by := influences(of, metric, figure)
		p := Point{Value: value, N: len(of), Numerics: numerics, Error: math.NaN()}
		if s.first[metric] != nil {
			p.Error = differenceError(by, s.first[metric])
		}
		if s.Run(k, p) != nil {
			alarms = append(alarms, metric)
		}
		k.Metric = ""
		if s.References(k)[metric].Numerics == numerics {
			s.first[metric] = by
		}
	}
	return alarms
}

// suiteOf are the numbers of a suite's items, drawn of all lines.
func suiteOf(r *rand.Rand, lines, items int) (list []int) {
	for range items {
		list = append(list, r.IntN(lines))
	}
	return list
}

// mixed are lines of which each is of the second kind with a probability.
func mixed(r *rand.Rand, suite []int, one, other []item, share float64) (list []item) {
	for _, at := range suite {
		from := one
		if r.Float64() < share {
			from = other
		}
		list = append(list, from[at])
	}
	return list
}

// runsOfASuite are of other weights each, so many of one suite.
const runsOfASuite = 10

// falseRuns are how many of so many runs raise an alarm though all weights are as good: each line is as either of two tiers answered it, by a coin.
func falseRuns(one, other []item, items, runs int, seed uint64, figures map[string]stats.Score) (n int) {
	r := rand.New(rand.NewPCG(seed, 2))
	for done := 0; done < runs; done += runsOfASuite {
		s, suite := watchedSuite{figures: figures}, suiteOf(r, len(one), items)
		s.run(mixed(r, suite, one, other, 0.5), "first")
		for i := range runsOfASuite {
			if len(s.run(mixed(r, suite, one, other, 0.5), strconv.Itoa(i))) > 0 {
				n++
			}
		}
	}
	return n
}

// foundRuns is in what share of suites a change is found by the first run after it, by a metric that counts; "": by any.
func foundRuns(before, after []item, share float64, items, suites int, seed uint64, figures map[string]stats.Score, by string) (found float64) {
	for i := range suites {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s, suite := watchedSuite{figures: figures}, suiteOf(r, len(before), items)
		s.run(mixed(r, suite, before, before, 0), "before")
		for _, metric := range s.run(mixed(r, suite, before, after, share), "after") {
			if by == "" || by == metric {
				found += 1 / float64(suites)
				break
			}
		}
	}
	return found
}

// Of weights that are as good as the reference's few runs raise an alarm, and what is worse is found by the first run, with nothing learnt.
func TestRunsDetection(t *testing.T) {
	all, figures := runItems(t), suiteMetrics(t)
	runs, suites := 300, 100
	if *rewrite {
		runs, suites = 10_000, 1000
	}
	alarms := document.Table{Name: "false alarms of runs", Head: []string{"weights that are as good", "items", "runs", "series", "false alarms", "promised"}}
	total, n := 0, 0
	ladder := []string{"q8_0", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k"}
	for _, items := range []int{500, 1000} {
		for i, tier := range ladder[:len(ladder)-1] {
			other := ladder[i+1]
			eachSeed(t, func(seed uint64) string {
				n = falseRuns(all[tier], all[other], items, runs, seed, figures)
				return fmt.Sprintf("%d items of %s or %s: %d false alarms in %d runs", items, tier, other, n, runs)
			})
			if total += n; *rewrite && n > mostFalse {
				t.Errorf("%s or %s: %d false alarms in %d runs, want %d at most", tier, other, n, runs, mostFalse)
			}
			alarms.Rows = append(alarms.Rows, []string{"each item's answer of " + tier + " or " + other, strconv.Itoa(items), strconv.Itoa(runs), "2", strconv.Itoa(n), strconv.Itoa(mostFalse)})
		}
	}
	if total > mostFalse*10*runs/10_000 {
		t.Errorf("%d false alarms in %d runs", total, 10*runs)
	}
	clean, agreement := all["q4_k"], figures["agreement"]
	points := agreement(totals(clean, "agreement")) - agreement(totals(all["q4_k+0.078"], "agreement"))
	found, share := document.Table{Name: "changes found by runs", Head: []string{"change", "found by", "items", "found by the first run"}}, 0.0
	for _, c := range []struct {
		name, after, by string
		share           float64
		promised        bool
	}{
		{"2 points of agreement", "q4_k+0.078", "agreement", 0.02 / points, true},
		{"2 BLEU", "q4_k+0.2", "chrf", 1, false},
		{"2 BLEU", "q4_k+0.2", "", 1, true},
	} {
		for _, items := range []int{500, 1000} {
			by := cmp.Or(c.by, "any metric")
			eachSeed(t, func(seed uint64) string {
				share = foundRuns(clean, all[c.after], c.share, items, suites, seed, figures, c.by)
				return fmt.Sprintf("%s, %d items: found by %s in %.1f%% of suites", c.name, items, by, 100*share)
			})
			if (c.promised || items == 1000) && !(share >= least95(suites)) {
				t.Errorf("%s, %d items: found by %s in %.1f%% of suites", c.name, items, by, 100*share)
			}
			found.Rows = append(found.Rows, []string{c.name, by, strconv.Itoa(items), fmt.Sprintf("%.1f%%", 100*share)})
		}
	}
	rewriteTables(t, alarms, found)
}

// The error that is simulated with is that of the daemon's bootstrap.
func TestErrorIsTheBootstraps(t *testing.T) {
	all := runItems(t)
	suite := suiteOf(rand.New(rand.NewPCG(heldOutSeed, 3)), len(all["q4_k"]), 500)
	for metric, figure := range suiteMetrics(t) {
		var now, before []item
		var a, b [][]float64
		var of []int
		for i, at := range suite {
			now, before, of = append(now, all["q4_k+0.2"][at]), append(before, all["q4_k"][at]), append(of, i)
			a, b = append(a, now[i][metric]), append(b, before[i][metric])
		}
		x, by := influences(now, metric, figure)
		y, from := influences(before, metric, figure)
		drawn, err := stats.PairedBootstrap(a, b, of, figure, stats.Resampling{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		simulated, bootstrapped := differenceError(by, from), (drawn.High-drawn.Low)/(2*1.959964)
		t.Logf("%s: %.4g, error %.3g, by the bootstrap %.3g", metric, x-y, simulated, bootstrapped)
		if !(math.Abs(x-y-drawn.Estimate) < 1e-9) || !(math.Abs(simulated/bootstrapped-1) < 0.1) {
			t.Errorf("%s: %v with an error of %v, by the bootstrap %v of %v", metric, x-y, simulated, drawn.Estimate, bootstrapped)
		}
	}
}
