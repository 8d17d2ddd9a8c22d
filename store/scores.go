package store

import (
	"context"
	"iter"
	"time"
)

// This file owns the table of quality scores: what a suite's run gave.

// Score is one metric of one run of a suite, with its confidence interval.
type Score struct {
	Numbered
	Time       time.Time // of the run's end, kept to the microsecond
	Model      string
	Suite      string
	Digest     string // of the suite's contents: figures of two contents are not compared
	Metric     string // such as bleu (0 to 100) or agreement (0 to 1)
	Tag        string // the part of the suite that it is of; empty for the whole
	Tier       string
	Adapter    string
	Value      float64
	Low, High  float64 // the interval's ends; NaN where none was computed
	N          int64   // items that were scored
	Numerics   string  // the numerics id of what answered
	Generation int64   // of the weights
}

func (*Score) table() Table { return Scores }
func (*Score) size() int    { return rowBytes }

func (r *Score) columns() []column {
	return []column{
		{"time", &r.Time}, {"model", &r.Model}, {"suite", &r.Suite}, {"digest", &r.Digest}, {"metric", &r.Metric}, {"tag", &r.Tag},
		{"tier", &r.Tier}, {"adapter", &r.Adapter}, {"value", &r.Value}, {"low", &r.Low}, {"high", &r.High}, {"n", &r.N},
		{"numerics", &r.Numerics}, {"generation", &r.Generation},
	}
}

// AddScore has a score written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddScore(r Score) error {
	err := checkNames(Scores, "model", r.Model, "suite", r.Suite, "digest", r.Digest, "metric", r.Metric, "tag", r.Tag,
		"tier", r.Tier, "adapter", r.Adapter, "numerics", r.Numerics)
	if err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Scores reads the scores of a span, the oldest first: see [Store] for errors.
func (s *Store) Scores(ctx context.Context, span Span) iter.Seq2[Score, error] {
	return within[Score](ctx, s, span)
}
