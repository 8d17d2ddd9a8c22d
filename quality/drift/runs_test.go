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

// suites are one of each kind, with the metrics that a daemon has of it. All are of the same lines, judged as each kind is: see lineMetrics in daemon's tests.
var suites = []struct {
	kind    string
	metrics []string
}{
	{"translation", []string{"agreement", "chrf", "bleu", "fluency", "relevance"}},
	{"qa", []string{"agreement", "exact", "f1", "fluency", "relevance"}},
	{"text", []string{"agreement", "rouge-l", "fluency", "relevance"}},
	{"edge", []string{"agreement", "properties", "fluency", "relevance"}},
	{"choice", []string{"agreement", "acc", "acc_norm", "ece"}},
}

// suiteMetrics are how a suite's figures are made of counts.
func suiteMetrics(t *testing.T) map[string]stats.Score {
	t.Helper()
	share := func(sum []float64) float64 { return sum[0] / sum[1] }
	all := map[string]stats.Score{"fluency": score.Fluency, "ece": score.CalibrationScore}
	for _, name := range []string{"agreement", "properties", "relevance", "acc", "acc_norm"} {
		all[name] = share
	}
	for _, name := range []string{"chrf", "bleu", "exact", "f1", "rouge-l"} {
		m, err := score.New(name, "")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = m.Score
	}
	return all
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
	n, rows := float64(len(of)), make([][]float64, len(of))
	for i := range of {
		rows[i] = of[i][metric]
	}
	sum := stats.Sum(rows)
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
	mean := 0.0
	for j, x := range sum {
		mean += slope[j] * x / n
	}
	list = make([]float64, len(of))
	for i, row := range rows {
		for j, x := range row {
			list[i] += slope[j] * x
		}
		list[i] -= mean
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

// watchedSuites is a daemon's watch of suites.
type watchedSuites struct {
	Watch
	figures map[string]stats.Score
	first   map[Key][]float64 // influences of the reference's items
}

// run has a suite answered by weights, and returns the metrics that raised an alarm.
func (s *watchedSuites) run(kind string, metrics []string, of []item, numerics string) (alarms []string) {
	if s.first == nil {
		s.first = map[Key][]float64{}
	}
	for _, metric := range metrics {
		if !isWatchedOfRuns(metric) {
			continue
		}
		k := Key{Model: "m", Tier: "q4_k", Suite: kind, Metric: metric}
		value, by := influences(of, metric, s.figures[metric])
		p := Point{Value: value, N: len(of), Numerics: numerics, Error: math.NaN()}
		if s.first[k] != nil {
			p.Error = differenceError(by, s.first[k])
		}
		if s.Run(k, p) != nil {
			alarms = append(alarms, metric)
		}
		if s.all[k].reference.Numerics == numerics {
			s.first[k] = by
		}
	}
	return alarms
}

// round has all suites answered by weights, each item as either of two tiers does, by a coin, and returns how many alarms that raises: one a suite.
func (s *watchedSuites) round(r *rand.Rand, items [][]int, one, other []item, numerics string) (alarms int) {
	for i, of := range suites {
		if len(s.run(of.kind, of.metrics, mixed(r, items[i], one, other, 0.5), numerics)) > 0 {
			alarms++
		}
	}
	return alarms
}

// simulatedItems are those of a suite's half, where nothing else is said.
const simulatedItems = 500

// suiteOf are the numbers of a suite's items, drawn of all lines.
func suiteOf(r *rand.Rand, lines, items int) (list []int) {
	for range items {
		list = append(list, r.IntN(lines))
	}
	return list
}

// suitesOf are those of all suites.
func suitesOf(r *rand.Rand, lines, items int) (list [][]int) {
	for range suites {
		list = append(list, suiteOf(r, lines, items))
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

// roundsOfSuites are of other weights each, so many of the same suites.
const roundsOfSuites = 10

// falseRuns are how many alarms so many rounds of runs raise though all weights are as good, and how many series are watched.
func falseRuns(one, other []item, items, rounds int, seed uint64, figures map[string]stats.Score) (n, series int) {
	r := rand.New(rand.NewPCG(seed, 2))
	for done := 0; done < rounds; done += roundsOfSuites {
		s, drawn := watchedSuites{figures: figures}, suitesOf(r, len(one), items)
		s.round(r, drawn, one, other, "first")
		for i := range roundsOfSuites {
			n += s.round(r, drawn, one, other, strconv.Itoa(i))
		}
		series = len(s.States())
	}
	return n, series
}

// foundRuns is in what share of so many lives a change is found by the first run of the translations after it, by a metric that counts; "": by any. The other
// suites are watched too, and share the budget.
func foundRuns(before, after []item, share float64, items, lives int, seed uint64, figures map[string]stats.Score, by string) (found float64) {
	for i := range lives {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s, first := watchedSuites{figures: figures}, suites[0]
		drawn := suiteOf(r, len(before), items)
		s.run(first.kind, first.metrics, mixed(r, drawn, before, before, 0), "before")
		for _, other := range suites[1:] {
			s.run(other.kind, other.metrics, before[:2], "before")
		}
		for _, metric := range s.run(first.kind, first.metrics, mixed(r, drawn, before, after, share), "after") {
			if by == "" || by == metric {
				found += 1 / float64(lives)
				break
			}
		}
	}
	return found
}

// Of weights that are as good as the reference's few runs raise an alarm, and what is worse is found by the first run, with nothing learnt.
func TestRunsDetection(t *testing.T) {
	all, figures := runItems(t), suiteMetrics(t)
	rounds, lives := 200, 100
	if *rewrite {
		rounds, lives = 10_000, 1000
	}
	alarms := document.Table{Name: "false alarms of runs", Head: []string{"weights that are as good", "rounds", "series", "false alarms", "promised"}}
	total, n, series := 0, 0, 0
	ladder := []string{"q8_0", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k"}
	for i, tier := range ladder[:len(ladder)-1] {
		other := ladder[i+1]
		heldOut(t, func(seed uint64) string {
			n, series = falseRuns(all[tier], all[other], simulatedItems, rounds, seed, figures)
			return fmt.Sprintf("%s or %s: %d false alarms in %d rounds of %d series", tier, other, n, rounds, series)
		})
		if total += n; *rewrite && n > mostFalse {
			t.Errorf("%s or %s: %d false alarms in %d rounds, want %d at most", tier, other, n, rounds, mostFalse)
		}
		alarms.Rows = append(alarms.Rows, []string{"each item's answer of " + tier + " or " + other, strconv.Itoa(rounds), strconv.Itoa(series), strconv.Itoa(n), strconv.Itoa(mostFalse)})
	}
	if total > most(5*rounds) {
		t.Errorf("%d false alarms in %d rounds", total, 5*rounds)
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
			heldOut(t, func(seed uint64) string {
				share = foundRuns(clean, all[c.after], c.share, items, lives, seed, figures, c.by)
				return fmt.Sprintf("%s, %d items: found by %s in %.1f%% of suites", c.name, items, by, 100*share)
			})
			if (c.promised || items == 1000) && !(share >= least95(lives)) {
				t.Errorf("%s, %d items: found by %s in %.1f%% of suites", c.name, items, by, 100*share)
			}
			found.Rows = append(found.Rows, []string{c.name, by, strconv.Itoa(items), fmt.Sprintf("%.1f%%", 100*share)})
		}
	}
	rewriteTables(t, alarms, found)
}

// The error that is simulated with is that of the daemon's intervals, or less, since those make up for few items that differ: so a simulated alarm is no rarer
// than one of the daemon.
func TestErrorIsTheBootstraps(t *testing.T) {
	all := runItems(t)
	suite := suiteOf(rand.New(rand.NewPCG(heldOutSeed, 3)), len(all["q4_k"]), 500)
	for metric, figure := range suiteMetrics(t) {
		if metric == "ece" {
			continue // it is not watched
		}
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
		if !(math.Abs(x-y-drawn.Estimate) < 1e-9) || !(simulated/bootstrapped > 0.8 && simulated/bootstrapped < 1.1) {
			t.Errorf("%s: %v with an error of %v, by the bootstrap %v of %v", metric, x-y, simulated, drawn.Estimate, bootstrapped)
		}
	}
}
