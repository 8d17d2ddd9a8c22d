package daemon

import (
	"log/slog"
	"sync"

	"chimera/api"
	"chimera/store"
)

// This file owns what becomes of a score: it is held against those before it, is a row of the history and, if it is of all that a suite has and of the tier
// that serves, the figure that metrics show.

// scores are the last ones. It has a lock of its own.
type scores struct {
	mu   sync.Mutex
	last map[api.QualityScore]float64 // by its names
}

// addScore keeps a score, and tells whether it is surely worse than those before: nil is no. deviation is its standard error beside these.
func (all *runtimes) addScore(row store.Score, deviation float64) (worse *drifted) {
	serves := all.serves(row.Model, row.Tier)
	if row.Tag == "" && serves {
		all.scores.note(row)
	}
	if serves || row.Suite == liveSuite || row.Tier == api.SourceTier {
		worse = all.drifts.see(all.history, row, deviation)
	}
	if all.history.keepsNothing() {
		return worse
	}
	if err := all.history.store.AddScore(row); err != nil {
		slog.Warn("a score is not kept", "model", row.Model, "tier", row.Tier, "suite", row.Suite, "cause", err)
	}
	return worse
}

func (s *scores) note(row store.Score) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[api.QualityScore]float64{}
	}
	s.last[api.QualityScore{Model: row.Model, Suite: row.Suite, Metric: row.Metric}] = row.Value
}

// list are all of them.
func (s *scores) list() (list []api.QualityScore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for names, value := range s.last {
		names.Value = value
		list = append(list, names)
	}
	return list
}

// serves tells whether a model is served at a tier.
func (all *runtimes) serves(model, tier string) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	r := all.find(model)
	return r != nil && r.tier == tier
}
