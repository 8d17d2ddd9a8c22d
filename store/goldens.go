package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// This file owns the table of goldens: what a model has answered when it was first asked. A golden is one row, so that it is there whole or not at
// all, whatever ends the process; no code writes one anew.

// GoldenKind is what was asked.
type GoldenKind string

// The kinds.
const (
	Canaries GoldenKind = "canaries" // a set of prompts, whose answers are kept as digests
	Suite    GoldenKind = "suite"    // a suite, whose answers are kept as they are
)

// Golden is the answers of one numerics id to one set of questions. They are the program's or the administrator's, and no user's.
type Golden struct {
	Numbered
	Time     time.Time // kept to the microsecond
	Kind     GoldenKind
	Digest   string          // of the questions, and of all else that answers depend on beside the numerics id
	Numerics string          // the numerics id
	Content  json.RawMessage // the answers
}

func (*Golden) table() Table { return Goldens }
func (r *Golden) size() int  { return rowBytes + len(r.Content) }

func (r *Golden) columns() []column {
	return []column{{"time", &r.Time}, {"kind", (*string)(&r.Kind)}, {"digest", &r.Digest}, {"numerics", &r.Numerics}, {"content", &r.Content}}
}

// maxGolden is bytes of answers: some ten thousand of a suite's.
const maxGolden = 32 << 20

// Pin writes a golden unless there is one of its kind, digest and numerics id, and returns the one that is there: which with a nil error is on the
// disk. A golden that is damaged is a *DamagedRowError, and stays as it is. It waits for the disk.
func (s *Store) Pin(ctx context.Context, r Golden) (pinned Golden, err error) {
	if err := checkNames(Goldens, "digest", r.Digest, "numerics", r.Numerics); err != nil {
		return pinned, err
	}
	if r.Kind != Canaries && r.Kind != Suite {
		return pinned, &FieldError{Goldens, "kind", fmt.Sprintf("%q is none: it is %s or %s", r.Kind, Canaries, Suite)}
	}
	if err := checkLength(Goldens, "content", len(r.Content), maxGolden); err != nil {
		return pinned, err
	}
	if !json.Valid(r.Content) {
		return pinned, &FieldError{Goldens, "content", "it is no JSON"}
	}
	err = s.ask(ctx, func(w *writer) error {
		err := w.find(ctx, &pinned, subject, string(r.Kind), r.Digest, r.Numerics)
		if !errors.Is(err, ErrNone) {
			return err
		}
		pinned = r
		pinned.Row = 0
		return w.durable(func() error { return w.insert(&pinned) })
	})
	return pinned, err
}

// subject is the condition that names a golden.
const subject = "WHERE kind = ? AND digest = ? AND numerics = ?"

// Golden is the answers of a numerics id to a set of questions. The error is ErrNone where it was never asked, a *DamagedRowError where
// its row is damaged.
func (s *Store) Golden(ctx context.Context, k GoldenKind, digest, numerics string) (r Golden, err error) {
	for r, err := range selected[Golden](ctx, s, subject, string(k), digest, numerics) {
		return r, err
	}
	return r, ErrNone
}

// Goldens reads those that were written in a span, the oldest first: see [Store] for errors.
func (s *Store) Goldens(ctx context.Context, span Span) iter.Seq2[Golden, error] {
	return within[Golden](ctx, s, span)
}
