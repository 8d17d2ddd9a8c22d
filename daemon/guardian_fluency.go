package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"chimera/api"
	"chimera/quality/eval"
)

// This file owns what the control says of answers to suites: how fluent they are, which it reads behind what was asked, and how relevant, by its states.
//
// It reads when a tier has been measured and what that was measured with is gone, so that it takes no memory beside it.

// readBy has a model's control read the answers of runs that it has not read, and makes their reports anew. Where there is no control, as for want of
// room, they have neither fluency nor relevance, and the log says so: no rule goes by these.
func (g *guardian) readBy(ctx context.Context, r *Runtime, runs ...*suiteRun) error {
	var left []*suiteRun
	for _, done := range runs {
		if done != nil && !done.read {
			left = append(left, done)
		}
	}
	if len(left) == 0 {
		return nil
	}
	control, err := g.all.control(ctx, r, g.all.borrow)
	if errors.Is(err, errUnloaded) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		slog.Warn("tier: how fluent and relevant answers are is not measured: there is no control for now", "model", r.name, "cause", err)
		return nil
	}
	defer control.Release()
	for _, done := range left {
		if err := done.readBy(control.Context, control.Model); err != nil {
			return fmt.Errorf("the control reads the answers to suite %s: %w", done.run.Suite.Name, err)
		}
	}
	return nil
}

// readBy has a control read all answers of a run. Choices are none.
func (done *suiteRun) readBy(ctx context.Context, control *api.Model) error {
	if err := done.run.Relate(ctx, stater{control}); err != nil {
		return err
	}
	outcomes := done.report.Items
	err := inParallel(ctx, len(outcomes), func(ctx context.Context, i int) (err error) {
		if a := done.asked[i]; a.Likelihoods == nil {
			outcomes[i].Control, err = readingOf(ctx, control, a.prompt, a.Tokens)
		}
		if err == nil {
			err = done.run.MeasureRelevance(ctx, &outcomes[i], &done.run.Suite.Items[i])
		}
		return err
	})
	if err != nil {
		return err
	}
	report, err := done.run.Report(outcomes)
	if err != nil {
		return err
	}
	report.Baseline = done.report.Baseline
	done.report, done.read = report, true
	return nil
}

// readingOf is what a model makes of an answer behind a prompt; of one without a token nothing.
func readingOf(ctx context.Context, m *api.Model, prompt, tokens []int32) (eval.Reading, error) {
	if len(tokens) == 0 {
		return eval.Reading{}, nil
	}
	read, err := persist(ctx, func() (api.Read, error) { return m.Reads(ctx, prompt, tokens) })
	return eval.Reading{LogProbability: read.LogProbability(), Tokens: len(read.Expected)}, err
}
