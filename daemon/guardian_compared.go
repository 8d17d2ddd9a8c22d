package daemon

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns how a tier that serves is held against its source over whole suites, item by item: what it loses, and whether it was fitted to the halves
// that it was chosen by. Runs that are not paired say little of either: what makes an item hard does so for both.

// compare adds to a run's report what it is beside another of the same suite.
func (done *suiteRun) compare(before *suiteRun) error {
	return done.run.Compare(done.report, before.report.AsBaseline())
}

// addCompared writes what a tier is beside its source.
func (all *runtimes) addCompared(serves, source *suiteRun, whole *suite.Suite, tier string) error {
	if err := serves.compare(source); err != nil {
		return err
	}
	row := store.Experiment{
		Time: time.Now(), Model: serves.run.Who.Model, Factor: whole.Name, Off: api.SourceTier, On: tier, Method: "paired by item, suite " + whole.Digest()[:12],
	}
	var rows []store.Experiment
	now, before := serves.report, source.report
	for _, metric := range slices.Sorted(maps.Keys(now.Baseline.Difference)) {
		row.Measure, row.N = metric, int64(now.Scores[metric].N)
		rows = append(rows, tierCompared(row, before.Scores[metric].Value, now.Scores[metric].Value, now.Baseline.Difference[metric]))
		gap, has := now.Baseline.Gap[metric]
		if has {
			rows = append(rows, halvesCompared(row, halfAbove(now, before, suite.Sealed, metric), gap))
		}
	}
	agreed, err := serves.agreed(row, whole)
	if err != nil {
		return err
	}
	for _, row := range append(rows, agreed...) {
		if all.history.keepsNothing() {
			return nil
		}
		if err := all.history.store.AddExperiment(row); err != nil {
			slog.Warn("a comparison with the source is not kept", "model", row.Model, "tier", tier, "suite", whole.Name, "metric", row.Measure, "cause", err)
		}
	}
	return nil
}

// tierCompared is the row of a whole suite.
func tierCompared(row store.Experiment, before, after float64, difference stats.Interval) store.Experiment {
	row.Kind, row.Before, row.After, row.Low, row.High = store.TierCompared, before, after, difference.Low, difference.High
	return row
}

// halvesCompared is the row of its halves, where the sealed one has something above the source.
func halvesCompared(row store.Experiment, sealed float64, gap stats.Interval) store.Experiment {
	row.Kind, row.Before, row.After, row.Low, row.High = store.HalvesCompared, sealed, sealed+gap.Estimate, gap.Low, gap.High
	return row
}

// halfAbove is what a run's half has above another's in a metric.
func halfAbove(now, before *eval.Report, half suite.Half, metric string) float64 {
	return now.ByHalf[half][metric].Value - before.ByHalf[half][metric].Value
}

// agreed are the rows of agreement, in which the source has 1.
func (done *suiteRun) agreed(row store.Experiment, whole *suite.Suite) (rows []store.Experiment, err error) {
	tier, source, of := map[suite.Half][][]float64{}, map[suite.Half][][]float64{}, map[suite.Half][]string{}
	for i := range whole.Items {
		item := &whole.Items[i]
		if counts := done.agrees[item.ID]; counts != nil {
			tier[item.Half], source[item.Half] = append(tier[item.Half], counts), append(source[item.Half], []float64{counts[1], counts[1]})
			of[item.Half] = append(of[item.Half], item.ID)
		}
	}
	t, s := suite.Tuning, suite.Sealed
	all, ids := slices.Concat(tier[t], tier[s]), slices.Concat(of[t], of[s])
	if len(ids) < 2 {
		return nil, nil
	}
	r := stats.Resampling{Seed: 1}
	difference, err := stats.PairedBootstrap(all, slices.Concat(source[t], source[s]), ids, share, r)
	if err != nil {
		return nil, err
	}
	row.Measure, row.N = agreement, int64(len(ids))
	rows = []store.Experiment{tierCompared(row, 1, 1+difference.Estimate, difference)}
	if len(of[t]) < 2 || len(of[s]) < 2 {
		return rows, nil
	}
	gap, err := stats.PairedGap(tier[t], source[t], tier[s], source[s], of[t], of[s], share, r)
	return append(rows, halvesCompared(row, shareOf(tier[s])-1, gap)), err
}
