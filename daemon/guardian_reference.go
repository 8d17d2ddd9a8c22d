package daemon

import (
	"context"
	"encoding/json"
	"fmt"

	"chimera/api"
	group "chimera/quality/control"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns how a run of what serves is held against the one that its series began with, item by item. What weights have answered first is pinned by
// their numerics id, as the source's answers are: weights of one source and tier are others where the program that made them is, so the two runs are of
// two processes.

// besideReference tells by how much a run of a tuning half is above its reference, by metric, where that is of other weights.
func (g *guardian) besideReference(ctx context.Context, r *Runtime, m *api.Model, done *suiteRun, n int, tier string) error {
	s, whole, now := g.suites[n], g.wholes[n], done.report.Who
	if err := g.pinRun(ctx, m, done, s); err != nil {
		return err
	}
	done.change = map[string]stats.Interval{}
	before := map[string]*suiteRun{} // by numerics id: mostly one
	for metric, numerics := range g.all.drifts.references(g.all.history, now.Model, whole.Name, whole.Digest(), tier) {
		if numerics == now.Numerics {
			continue
		}
		run, known := before[numerics]
		if !known {
			var err error
			if run, err = g.pinnedRun(ctx, m, s, numerics); err != nil {
				return fmt.Errorf("what %s has answered: %w", numerics, err)
			}
			if err := g.readBy(ctx, r, run); err != nil {
				return err
			}
			before[numerics] = run
		}
		if run == nil {
			continue
		}
		change, known, err := done.above(run, metric)
		if err != nil {
			return err
		}
		if known {
			done.change[metric] = change
		}
	}
	return nil
}

// pinRun pins a run by the weights that have answered.
func (g *guardian) pinRun(ctx context.Context, m *api.Model, done *suiteRun, s *suite.Suite) error {
	for i := range done.asked {
		done.asked[i].Agrees = done.agrees[s.Items[i].ID]
	}
	text, err := json.Marshal(done.asked)
	if err == nil {
		g.pinSuite(ctx, promptsOf(m, s), done.report.Who.Numerics, text)
	}
	return err
}

// pinnedRun is a suite as weights that serve no more have answered it; nil: nobody knows.
func (g *guardian) pinnedRun(ctx context.Context, m *api.Model, s *suite.Suite, numerics string) (*suiteRun, error) {
	prompts := promptsOf(m, s)
	content, err := g.all.golden(ctx, store.Suite, group.DigestOf(prompts, suiteAnswer), numerics)
	if content == nil || err != nil {
		return nil, err
	}
	known, err := readAnswers(content, prompts)
	if err != nil {
		return nil, err
	}
	run, err := askSuite(ctx, m, s, known)
	if err != nil {
		return nil, err
	}
	rows := make([][]float64, len(s.Items))
	for i, a := range run.asked {
		if len(a.Agrees) == 2 {
			rows[i] = a.Agrees
		}
	}
	run.agrees = byItem(s, rows)
	return run, nil
}

// above is what a run has above another in a metric, over the items that both have.
func (done *suiteRun) above(before *suiteRun, metric string) (change stats.Interval, known bool, err error) {
	if metric == agreement {
		return done.agreesAbove(before)
	}
	beside := *done.report
	err = done.run.Compare(&beside, before.report.AsBaseline())
	if err == nil {
		change, known = beside.Baseline.Difference[metric]
	}
	return change, known, err
}

// agreesAbove is above for agreement.
func (done *suiteRun) agreesAbove(before *suiteRun) (change stats.Interval, known bool, err error) {
	var now, then [][]float64
	var ids []string
	for _, item := range done.report.Items {
		a, b := done.agrees[item.ID], before.agrees[item.ID]
		if a != nil && b != nil {
			now, then, ids = append(now, a), append(then, b), append(ids, item.ID)
		}
	}
	if len(ids) < 2 {
		return change, false, nil
	}
	change, err = stats.PairedBootstrap(now, then, ids, share, stats.Resampling{Seed: 1})
	return change, err == nil, err
}

// errorOf is a score's standard error beside its reference.
func (done *suiteRun) errorOf(row store.Score) float64 {
	if change, known := done.change[row.Metric]; known {
		row.Low, row.High = change.Low, change.High
		return standardError(row)
	}
	return unpairedError(row)
}
