package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// This file owns what is said of damage: to a row, to the file, and of files that are not ours.

// ErrNone says that there is no such row.
var ErrNone = errors.New("the history has no such row")

// DamagedRowError says that a row is not what was written. Rows beside it are.
type DamagedRowError struct {
	Table Table
	Row   int64
	Why   string
}

func (e *DamagedRowError) Error() string {
	return fmt.Sprintf("row %d of %s is damaged: %s", e.Row, e.Table, e.Why)
}

// DamagedError says that a file is damaged beyond single rows, or was never a database.
type DamagedError struct {
	Path  string
	Cause error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Cause) }
func (e *DamagedError) Unwrap() error { return e.Cause }

// NewerError says that a file was written by a version of Chimera that knows more than this one.
type NewerError struct {
	Path         string
	Schema, Ours int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s has schema %d, and this version knows %d at most: use a newer Chimera, or another file", e.Path, e.Schema, e.Ours)
}

// ForeignError says that a file is a database of another program.
type ForeignError struct{ Path string }

func (e *ForeignError) Error() string {
	return e.Path + " is a database of another program: name another file"
}

// failed names the file in an error of the database.
func (s *Store) failed(err error) error { return failedAt(s.path, err) }

func failedAt(path string, err error) error {
	var (
		damaged *DamagedError
		newer   *NewerError
		foreign *ForeignError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &damaged), errors.As(err, &newer), errors.As(err, &foreign): // they name it
		return err
	case saysDamaged(err):
		return &DamagedError{path, err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrClosed):
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// maxDamaged is how many damaged rows are remembered, to be logged once each: more say the same.
const maxDamaged = 1000

// damage is the rows that were found damaged since the store was opened.
type damage struct {
	mu    sync.Mutex
	known map[DamagedRowError]bool
}

// foundDamage logs a row the first time that it is found damaged.
func (s *Store) foundDamage(d *DamagedRowError) {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	if s.damage.known[*d] || len(s.damage.known) >= maxDamaged {
		return
	}
	s.damage.known[*d] = true
	s.log.Error("a row of the history is damaged", slog.String("file", s.path), slog.String("table", string(d.Table)), slog.Int64("row", d.Row), slog.String("cause", d.Why))
}

func (d *damage) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known)
}
