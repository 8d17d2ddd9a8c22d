package daemon

import (
	"context"
	"slices"
	"time"

	"chimera/api"
	"chimera/store"
)

// This file owns what is shown of experiments: the newest of each change, out of the history.

// Experiments implements api.Experiments.
func (e *experiments) Experiments(ctx context.Context) (s api.ExperimentState, err error) {
	h := e.all.history
	if h == nil {
		return s, errNoHistory
	}
	ctx, cancel, err := h.written(ctx)
	defer cancel()
	if err != nil {
		return s, err
	}
	for _, f := range knownFactors() {
		s.Factors = append(s.Factors, api.ExperimentFactor{Name: f.key, Meaning: f.meaning})
	}
	e.all.mu.Lock()
	if e.run != nil {
		s.Running = new(e.run.shown)
	}
	s.Problems = slices.Clone(e.problems)
	e.all.mu.Unlock()
	for r, err := range h.store.Experiments(ctx, store.Span{From: time.Now().Add(-measurementsKept)}) {
		if err != nil {
			return s, err
		}
		if r.Kind == store.SettingTried || r.Kind == store.CauseRestored {
			s.Experiments = withExperiment(s.Experiments, &r)
		}
	}
	return s, nil
}

// withExperiment adds a row, the newest so far. Of causes those of one time belong together; of a change an older comparison goes.
func withExperiment(list []api.Experiment, r *store.Experiment) []api.Experiment {
	same := func(x api.Experiment) bool {
		return x.Model == r.Model && x.Kind == string(r.Kind) && x.Factor == r.Factor && (x.On == r.On || r.Kind == store.CauseRestored)
	}
	at := slices.IndexFunc(list, same)
	if at >= 0 && !list[at].Time.Equal(r.Time) {
		list, at = slices.Delete(list, at, at+1), -1
	}
	if at < 0 {
		list = append(list, api.Experiment{Time: r.Time, Model: r.Model, Kind: string(r.Kind), Factor: r.Factor, Off: r.Off, On: r.On})
		at = len(list) - 1
	}
	x := &list[at]
	x.N, x.Method, x.Tier, x.KVType, x.Seed = r.N, r.Method, r.Tier, r.KVType, r.Seed
	x.Measures = append(x.Measures, api.ExperimentMeasure{Measure: r.Measure, Before: r.Before, After: r.After, Low: known(r.Low), High: known(r.High)})
	return list
}
