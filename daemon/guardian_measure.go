package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"chimera/api"
	"chimera/quality/guard"
	"chimera/quality/stats"
	"chimera/quality/suite"
)

// This file owns how a tier is measured. The one that serves is asked in its own lane, as background work, so that it is the weights in memory that
// are measured. Any other is loaded beside it for the time, small, on the same device, in the same plan of memory.
//
// Rejected: to make a tier that is only to be measured a generation of the instance that serves. Whoever begins meanwhile would be answered by it.

// tierFigures are what is known of a tier.
type tierFigures struct {
	measured  bool
	evidence  []guard.Evidence
	speed     float64 // tokens of answers a second of the device; 0: nothing was computed for that
	runs      []*suiteRun
	published bool // see publish
}

// At a time so many questions are asked, which is what a step of a CPU gains by, and answers have so many tokens at most, as eval's have.
const (
	shadowSequences = 8
	suiteAnswer     = 512
)

// measure asks a tier all suites and holds it against the source, which is asked first: see guard.Ladder. of is the load that it is known of.
func (g *guardian) measure(ctx context.Context, r *Runtime, tier string) (m tierFigures, of *serving, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	all := g.all
	all.mu.Lock()
	if r.state != api.StateReady {
		all.mu.Unlock()
		return m, nil, errUnloaded
	}
	held, up, serves := all.borrow(r, ctx), r.up, r.tier == tier
	// What is measured again is not what is pinned: the weights are doubted, or it is asked how fast they are.
	fresh := serves && r.watched.fresh || r.watched.known[tier].measured
	r.watched.end = end
	all.mu.Unlock()
	defer held.Release()
	if err := g.ask(held, r, up, tier, serves, fresh, &m); err != nil {
		return m, up, err
	}
	if err := g.readBy(held.Context, r, m.runs...); err != nil {
		return m, up, err
	}
	model := *up.model
	model.Ended = nil // these are nobody's requests
	for n, done := range m.runs {
		if serves && tier != api.SourceTier {
			if err := g.besideReference(held.Context, r, &model, done, n, tier); err != nil {
				return m, up, fmt.Errorf("suite %s at tier %s: %w", g.suites[n].Name, tier, err)
			}
		}
		all.addScores(done, g.wholes[n], tier, string(suite.Tuning), done.report.Scores, nil)
	}
	m.measured = true
	for _, e := range m.evidence {
		slog.Info("tier: measured", "model", r.name, "tier", tier, "suite", e.Suite, "metric", e.Metric, "value", e.Value, "control", e.Control, "low", e.Difference.Low, "high", e.Difference.High)
	}
	return m, up, nil
}

// ask asks a tier all suites. What it was loaded with for that is gone then.
func (g *guardian) ask(held api.Held, r *Runtime, up *serving, tier string, serves, fresh bool, m *tierFigures) error {
	ctx, model := held.Context, *up.model
	model.Ended = nil // these are nobody's requests
	switch {
	case serves:
	case tier == api.SourceTier:
		control, err := g.all.control(ctx, r, g.all.borrow)
		if err != nil {
			return fmt.Errorf("the control can't be had: %w", err)
		}
		defer control.Release()
		ctx, model = control.Context, *control.Model
	default:
		s, err := g.all.shadowBeside(ctx, up, tier, false)
		if err != nil {
			return fmt.Errorf("tier %s can't be measured: %w", tier, err)
		}
		defer s.close()
		model = *s.model
	}
	var tokens int
	var device time.Duration
	for _, s := range g.suites {
		done, evidence, err := g.compare(ctx, &model, s, tier, fresh)
		if err != nil {
			return fmt.Errorf("suite %s at tier %s: %w", s.Name, tier, err)
		}
		tokens, device = tokens+done.tokens, device+done.device
		m.evidence, m.runs = append(m.evidence, evidence...), append(m.runs, done)
	}
	if device > 0 {
		m.speed = float64(tokens) / device.Seconds()
	}
	return nil
}

// compare asks one suite. The source's answers are the control's, which are pinned: they are asked once for each suite and numerics id, and again only
// where the weights that answer are doubted.
func (g *guardian) compare(ctx context.Context, model *api.Model, s *suite.Suite, tier string, fresh bool) (*suiteRun, []guard.Evidence, error) {
	if tier == api.SourceTier {
		done, err := g.ofSource(ctx, model, s, fresh)
		if err != nil {
			return nil, nil, err
		}
		return done, g.ofControl(done, s), nil
	}
	control := g.controls[controlKey(model, s)]
	if control == nil {
		return nil, nil, errors.New("the source has not been asked")
	}
	done, err := askSuite(ctx, model, s, nil)
	if err != nil {
		return nil, nil, err
	}
	if done.agrees, err = agreements(ctx, model, s, done, control); err != nil {
		return nil, nil, err
	}
	if err := done.compare(control); err != nil {
		return nil, nil, err
	}
	evidence, err := g.beside(s, done, control)
	return done, evidence, err
}

// ofControl is the source's evidence: what it is itself, and no difference.
func (g *guardian) ofControl(control *suiteRun, s *suite.Suite) (list []guard.Evidence) {
	for _, c := range g.criteria {
		if c.Metric == agreement {
			list = append(list, guard.Evidence{Suite: s.Name, Metric: agreement, Items: len(control.agrees), Value: 1, Control: 1})
		} else if score, has := control.report.Scores[c.Metric]; has {
			list = append(list, guard.Evidence{Suite: s.Name, Metric: c.Metric, Items: score.N, Value: score.Value, Control: score.Value})
		}
	}
	return list
}

// beside is a tier's evidence.
func (g *guardian) beside(s *suite.Suite, done, control *suiteRun) (list []guard.Evidence, err error) {
	for _, c := range g.criteria {
		score, has := done.report.Scores[c.Metric]
		difference, compared := done.report.Baseline.Difference[c.Metric]
		switch {
		case c.Metric == agreement:
			e, err := done.agreement(s.Name)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		case has && compared:
			list = append(list, guard.Evidence{Suite: s.Name, Metric: c.Metric, Items: score.N, Value: score.Value, Control: control.report.Scores[c.Metric].Value, Difference: difference})
		}
	}
	return list, nil
}

// agreement is the share of the control's tokens that a tier would have chosen too, as evidence.
func (done *suiteRun) agreement(name string) (guard.Evidence, error) {
	var tier, whole [][]float64
	for _, id := range slices.Sorted(maps.Keys(done.agrees)) {
		row := done.agrees[id]
		tier, whole = append(tier, row), append(whole, []float64{row[1], row[1]})
	}
	return guard.Paired(name, agreement, tier, whole, share, stats.Resampling{Seed: 1})
}

// share is a sum by how many were counted.
func share(sum []float64) float64 { return sum[0] / sum[1] }
