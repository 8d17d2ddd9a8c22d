package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// This file owns looking for damage: a little at each start, all on request.

// checkWithin is what a start spends on each of its two checks: the structure, and the newest rows. A hundred megabytes are checked in it.
const checkWithin = time.Second

// checkStructure refuses a file whose pages do not fit together.
func (s *Store) checkStructure(ctx context.Context, c *sql.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	faults, err := faultsOf(ctx, c.QueryContext, "quick_check")
	switch {
	case err != nil && ctx.Err() != nil:
		s.log.Info("the history is too large for its structure to be checked at the start", slog.String("file", s.path))
		return nil
	case err != nil:
		return err
	case len(faults) > 0:
		return &DamagedError{s.path, errors.New(strings.Join(faults, "; "))}
	}
	return nil
}

// maxFaults are enough to say that a file is damaged, and short enough for a line of the log.
const maxFaults = 10

// faultsOf runs one of SQLite's checks.
func faultsOf(ctx context.Context, query func(context.Context, string, ...any) (*sql.Rows, error), check string) (faults []string, err error) {
	rows, err := query(ctx, fmt.Sprintf("PRAGMA %s(%d)", check, maxFaults))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if text != "ok" {
			faults = append(faults, text)
		}
	}
	return faults, rows.Err()
}

// checkNewest compares the checksums of each table's newest rows, as many as there is time for. Damaged ones are logged, and left: a report
// that needs them will say so.
func (s *Store) checkNewest(ctx context.Context, c *sql.Conn) {
	for _, k := range kinds {
		if err := s.checkNewestOf(ctx, c, k); err != nil {
			s.log.Error("rows of the history can't be checked", slog.String("table", string(k.name)), slog.Any("cause", s.failed(err)))
		}
	}
}

// checkNewestOf gives each table its part of the time.
func (s *Store) checkNewestOf(ctx context.Context, c *sql.Conn, k kind) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin/time.Duration(len(kinds)))
	defer cancel()
	_, err := s.checkRows(ctx, c.QueryContext, k.empty(), func(*DamagedRowError) {})
	if ctx.Err() != nil {
		return nil // its time is over
	}
	return err
}

// checkRows reads a table from its newest row back, and counts the rows.
func (s *Store) checkRows(ctx context.Context, query func(context.Context, string, ...any) (*sql.Rows, error), r record, found func(*DamagedRowError)) (n int64, err error) {
	rows, err := query(ctx, selection(r)+"ORDER BY id DESC")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	read := newReader(r)
	for ; rows.Next(); n++ {
		err := read.read(rows, r)
		var d *DamagedRowError
		switch {
		case errors.As(err, &d):
			s.foundDamage(d)
			found(d)
		case err != nil:
			return n, err
		}
	}
	return n, rows.Err()
}

// Verification is what a whole check found.
type Verification struct {
	Rows    int64              // that were read
	Damaged []*DamagedRowError // of them, the first thousand
	Faults  []string           // of the file's structure and indices, at most ten; empty if it is sound
}

// Verify checks all: the structure, each index against its table, and the checksum of each row. It reads the whole file, beside what is
// served; ctx ends it. The error says what kept it from its end.
func (s *Store) Verify(ctx context.Context) (v Verification, err error) {
	if v.Faults, err = faultsOf(ctx, s.readers.QueryContext, "integrity_check"); err != nil {
		return v, s.failed(err)
	}
	for _, r := range allRecords() {
		n, err := s.checkRows(ctx, s.readers.QueryContext, r, func(d *DamagedRowError) {
			if len(v.Damaged) < maxDamaged {
				v.Damaged = append(v.Damaged, d)
			}
		})
		v.Rows += n
		if err != nil {
			return v, s.failed(err)
		}
	}
	return v, nil
}
