package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"
)

// This file owns the table of experiments: what one change was measured to do, everything else being the same.

// ExperimentKind is the question that an experiment answers.
type ExperimentKind string

// The kinds.
const (
	SettingTried  ExperimentKind = "setting" // what does it change to switch the factor on?
	CauseRestored ExperimentKind = "cause"   // what of a loss of quality comes back when the factor alone is as for the control?
	// What does a tier score on a whole suite beside its source? The factor is the suite, paired are its items.
	TierCompared ExperimentKind = "tier"
	// Was that tier fitted to the half that it was chosen by? Before is what it has above its source on the sealed half, after on the tuning half.
	HalvesCompared ExperimentKind = "halves"
)

var experimentKinds = []ExperimentKind{SettingTried, CauseRestored, TierCompared, HalvesCompared}

// Experiment is one measure of one comparison: the same requests with a factor off and on. Those of one comparison have the same time,
// model, kind and factor.
type Experiment struct {
	Numbered
	Time          time.Time // of its end, kept to the microsecond
	Model         string
	Kind          ExperimentKind
	Factor        string // what was changed, such as "phrase cache"
	Off, On       string // as which settings
	Measure       string // qps, ttft_ms, or a metric of scores
	Before, After float64
	Low, High     float64 // the ends of the 95% interval of After - Before; NaN where none was computed
	N             int64   // pairs that were compared
	Method        string  // how, such as "replay of recorded load, ABBA in 10 blocks"
	Tier, KVType  string  // that served then; of a tier beside its source empty
	Seed          uint64  // by which what was asked was drawn; 0: nothing was drawn
}

func (*Experiment) table() Table { return Experiments }
func (*Experiment) size() int    { return rowBytes }

func (r *Experiment) columns() []column {
	return []column{
		{"time", &r.Time}, {"model", &r.Model}, {"kind", (*string)(&r.Kind)}, {"factor", &r.Factor}, {"off", &r.Off}, {"switched", &r.On}, {"measure", &r.Measure},
		{"before", &r.Before}, {"after", &r.After}, {"low", &r.Low}, {"high", &r.High}, {"n", &r.N}, {"method", &r.Method},
		{"tier", &r.Tier}, {"kv_type", &r.KVType}, {"seed", &r.Seed},
	}
}

// AddExperiment has a measure of an experiment written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddExperiment(r Experiment) error {
	if !slices.Contains(experimentKinds, r.Kind) {
		return &FieldError{Experiments, "kind", fmt.Sprintf("%q is none of %q", r.Kind, experimentKinds)}
	}
	err := checkNames(Experiments, "model", r.Model, "factor", r.Factor, "off", r.Off, "switched", r.On, "measure", r.Measure, "method", r.Method, "tier", r.Tier, "kv_type", r.KVType)
	if err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Experiments reads the experiments that ended in a span, the oldest first: see [Store] for errors.
func (s *Store) Experiments(ctx context.Context, span Span) iter.Seq2[Experiment, error] {
	return within[Experiment](ctx, s, span)
}
