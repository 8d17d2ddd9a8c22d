package store

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// This file owns the table of alarms: what a detector noticed.

// Alarm is a change that a detector noticed in a series of measurements.
type Alarm struct {
	Numbered
	Time     time.Time // kept to the microsecond
	Model    string
	Series   string          // the measurements, such as "agreement, tier q4"
	Detector string          // the method, such as page-hinkley
	Evidence json.RawMessage // the figures that it went by, without texts of users; nil for none
}

func (*Alarm) table() Table { return Alarms }
func (r *Alarm) size() int  { return rowBytes + len(r.Evidence) }

func (r *Alarm) columns() []column {
	return []column{{"time", &r.Time}, {"model", &r.Model}, {"series", &r.Series}, {"detector", &r.Detector}, {"evidence", &r.Evidence}}
}

// AddAlarm has an alarm written within a second. It never waits: see [Store] for what the error means.
func (s *Store) AddAlarm(r Alarm) error {
	if err := checkNames(Alarms, "model", r.Model, "series", r.Series, "detector", r.Detector); err != nil {
		return err
	}
	if err := checkEvidence(Alarms, r.Evidence); err != nil {
		return err
	}
	return s.queue.add(&r)
}

// Alarms reads the alarms of a span, the oldest first: see [Store] for errors.
func (s *Store) Alarms(ctx context.Context, span Span) iter.Seq2[Alarm, error] {
	return within[Alarm](ctx, s, span)
}
