package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// This file owns the table of decisions: steps from tier to tier. A decision is on the disk before it is applied, so that after any
// end of the process it is known what may be half done; nothing of it is ever dropped.

// DecisionState is how far a decision got.
type DecisionState string

// A decision is begun, and once only applied or reverted.
const (
	Begun    DecisionState = "begun"
	Applied  DecisionState = "applied"
	Reverted DecisionState = "reverted"
)

// Decision is a step of a model from one tier to another.
type Decision struct {
	Numbered
	Time     time.Time // kept to the microsecond
	Model    string
	From, To string // tiers
	Reason   string
	Evidence json.RawMessage // the figures that it went by, without texts of users; nil for none
	State    DecisionState
	Settled  time.Time // when it was applied or reverted; zero while it is begun
}

func (*Decision) table() Table { return Decisions }
func (r *Decision) size() int  { return rowBytes + len(r.Evidence) }

func (r *Decision) columns() []column {
	return []column{
		{"time", &r.Time}, {"model", &r.Model}, {"from_tier", &r.From}, {"to_tier", &r.To}, {"reason", &r.Reason}, {"evidence", &r.Evidence},
		{"state", &r.State}, {"settled", &r.Settled},
	}
}

// Decide writes a decision as begun and returns its row. With a nil error it is on the disk, whatever happens to the machine, and may be applied.
// With any other it must not be: it is not there, or if the disk failed in the last moment, it may turn up after a start of the machine as begun.
// It waits for the disk, so no serving goroutine calls it.
func (s *Store) Decide(ctx context.Context, r Decision) (row int64, err error) {
	err = checkNames(Decisions, "model", r.Model, "from_tier", r.From, "to_tier", r.To, "reason", r.Reason)
	if err == nil {
		err = checkEvidence(Decisions, r.Evidence)
	}
	if err != nil {
		return 0, err
	}
	r.Row, r.State, r.Settled = 0, Begun, time.Time{}
	err = s.ask(ctx, func(w *writer) error {
		return w.durable(func() error { return w.insert(&r) })
	})
	if err != nil {
		return 0, err
	}
	return r.Row, nil
}

// ErrSettled says that a decision was applied or reverted before.
var ErrSettled = errors.New("the decision was settled before")

// Settle says that a decision has been applied or reverted. It is on the disk with a nil error.
func (s *Store) Settle(ctx context.Context, row int64, state DecisionState) error {
	if state != Applied && state != Reverted {
		return &FieldError{Decisions, "state", fmt.Sprintf("%q settles nothing: it is %s or %s", state, Applied, Reverted)}
	}
	return s.ask(ctx, func(w *writer) error {
		return w.durable(func() error { return w.settle(row, state) })
	})
}

// settle reads the row, which may be damaged, and writes it anew with its sum.
func (w *writer) settle(row int64, state DecisionState) error {
	var r Decision
	if err := w.find(context.Background(), &r, "WHERE id = ?", row); err != nil {
		return err
	}
	if r.State != Begun {
		return fmt.Errorf("decision %d is %s: %w", row, r.State, ErrSettled)
	}
	r.State, r.Settled = state, w.now()
	return w.replace(&r)
}

// Decisions reads the decisions of a span, the oldest first: see [Store] for errors.
func (s *Store) Decisions(ctx context.Context, span Span) iter.Seq2[Decision, error] {
	return within[Decision](ctx, s, span)
}

// Unfinished reads the decisions that are begun and not settled: after a start, those that may be half applied.
func (s *Store) Unfinished(ctx context.Context) iter.Seq2[Decision, error] {
	return selected[Decision](ctx, s, "WHERE state = 'begun' ORDER BY id")
}
