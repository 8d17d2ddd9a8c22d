package daemon

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"chimera/api"
	"chimera/quality/eval"
	"chimera/quality/stats"
	"chimera/quality/suite"
	"chimera/store"
)

// This file owns what suites' runs become in the history. Tiers are chosen by the tuning halves. The sealed ones are asked of what serves alone, when that
// is settled, and no rule sees them: so they say how much of the rest was only fitted.

// publish has the sealed halves asked of the tier that serves, and of the source once, and writes what whole suites say of both.
func (g *guardian) publish(ctx context.Context, r *Runtime) error {
	all := g.all
	all.mu.Lock()
	known := r.watched.known[r.tier]
	if r.state != api.StateReady || r.swap != nil || !known.measured || known.published {
		all.mu.Unlock()
		return nil
	}
	tier, up, fresh, held := r.tier, r.up, r.watched.fresh, all.borrow(r, ctx)
	all.mu.Unlock()
	defer held.Release()
	if !g.takeTurn(ctx) {
		return context.Cause(ctx)
	}
	defer g.leaveTurn()
	m := *held.Model
	m.Ended = nil
	for n := range g.wholes {
		if err := g.publishSuite(held.Context, r, &m, n, tier, known.runs[n], fresh); err != nil {
			return fmt.Errorf("suite %s at tier %s: %w", g.wholes[n].Name, tier, err)
		}
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if now, is := r.watched.known[tier]; is && r.watched.of == up && r.tier == tier {
		now.published, r.watched.fresh = true, false
		r.watched.known[tier] = now
	}
	return nil
}

// publishSuite is publish for one suite, whose tuning half is answered.
func (g *guardian) publishSuite(ctx context.Context, r *Runtime, m *api.Model, n int, tier string, tuning *suiteRun, fresh bool) error {
	whole, half := g.wholes[n], g.sealed[n]
	runs, source := []*suiteRun{tuning}, []*suiteRun{g.controls[controlKey(m, g.suites[n])]}
	if len(half.Items) > 0 {
		sealed, err := g.sealedOf(ctx, r, m, half, tier, fresh)
		if err != nil {
			return err
		}
		runs, source = append(runs, sealed), append(source, g.controls[controlKey(m, half)])
	}
	if err := g.readBy(ctx, r, append(slices.Clone(runs), source...)...); err != nil {
		return err
	}
	if tier == api.SourceTier {
		_, err := g.all.addWhole(runs, whole, tier)
		return err
	}
	control, err := g.all.addWhole(source, whole, api.SourceTier) // first, so that the last score is of what serves
	if err != nil {
		return err
	}
	serves, err := g.all.addWhole(runs, whole, tier)
	if err != nil {
		return err
	}
	return g.all.addCompared(serves, control, whole, tier)
}

// sealedOf are the answers to a sealed half. Where the source's are pinned no control is loaded for them.
func (g *guardian) sealedOf(ctx context.Context, r *Runtime, m *api.Model, half *suite.Suite, tier string, fresh bool) (*suiteRun, error) {
	if tier != api.SourceTier && g.controls[controlKey(m, half)] == nil {
		source, err := g.all.control(ctx, r, g.all.borrow)
		if err != nil {
			return nil, fmt.Errorf("the control can't be had: %w", err)
		}
		_, err = g.ofSource(source.Context, source.Model, half, false)
		source.Release()
		if err != nil {
			return nil, err
		}
	}
	done, _, err := g.compare(ctx, m, half, tier, fresh)
	return done, err
}

// addWhole writes the scores of a whole suite, of its sealed half and of its tags, out of the runs of its halves, which it gives as one.
func (all *runtimes) addWhole(runs []*suiteRun, whole *suite.Suite, tier string) (*suiteRun, error) {
	outcomes := map[string]eval.Outcome{}
	both := &suiteRun{run: &eval.Run{Suite: whole, Settings: runs[0].run.Settings, Who: runs[0].run.Who}, agrees: map[string][]float64{}}
	for _, half := range runs {
		for _, o := range half.report.Items {
			outcomes[o.ID] = o
		}
		maps.Copy(both.agrees, half.agrees)
		both.run.Settings.Choices = cmp.Or(both.run.Settings.Choices, half.run.Settings.Choices)
	}
	var list []eval.Outcome
	for i := range whole.Items {
		list = append(list, outcomes[whole.Items[i].ID])
	}
	var err error
	if both.report, err = both.run.Report(list); err != nil {
		return nil, err
	}
	all.addScores(both, whole, tier, "", both.report.Scores, nil)
	all.addScores(both, whole, tier, string(suite.Sealed), both.report.ByHalf[suite.Sealed], func(i *suite.Item) bool { return i.Half == suite.Sealed })
	for tag, scores := range both.report.ByTag {
		all.addScores(both, whole, tier, tag, scores, func(i *suite.Item) bool { return slices.Contains(i.Tags, tag) })
	}
	return both, nil
}

// addScores writes the scores of a part of a suite, its agreement with the control among them. of names the part's items; nil: all that were asked.
func (all *runtimes) addScores(done *suiteRun, whole *suite.Suite, tier, tag string, scores eval.Scores, of func(*suite.Item) bool) {
	row := store.Score{
		Time: time.Now(), Model: done.run.Who.Model, Suite: whole.Name, Digest: whole.Digest(), Tag: tag, Tier: tier, Numerics: done.run.Who.Numerics,
	}
	var worse []*drifted
	for _, name := range scores.Names() {
		s := scores[name]
		row.Metric, row.Value, row.Low, row.High, row.N = name, s.Value, math.NaN(), math.NaN(), int64(s.N)
		if s.Low != nil && s.High != nil {
			row.Low, row.High = *s.Low, *s.High
		}
		worse = append(worse, all.addScore(row, done.errorOf(row)))
	}
	defer func() { all.tellWorseRun(worse) }()
	var rows [][]float64
	var ids []string
	for i := range whole.Items {
		item := &whole.Items[i]
		if counts := done.agrees[item.ID]; counts != nil && (of == nil || of(item)) {
			rows, ids = append(rows, counts), append(ids, item.ID)
		}
	}
	if len(rows) < 2 {
		return
	}
	i, err := stats.Bootstrap(rows, ids, share, stats.Resampling{Seed: 1})
	if err != nil {
		slog.Warn("a score is not kept", "suite", whole.Name, "metric", agreement, "cause", err)
		return
	}
	row.Metric, row.Value, row.Low, row.High, row.N = agreement, i.Estimate, i.Low, i.High, int64(len(rows))
	worse = append(worse, all.addScore(row, done.errorOf(row)))
}
