package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// This file owns retention: rows that are older than their table keeps them are deleted, a few at a time, and their pages given back.
//
// What is deleted is overwritten, but a copy that SQLite left in what is unused of a page (forget.go) stays until the page is used again:
// building the file anew each hour would cost more than it is worth to those who did not ask to be forgotten.

const (
	// sweepFirst is when rows are deleted first: a daemon that starts has better to do.
	sweepFirst = time.Minute
	// sweepEvery is how far a row may outlive its time, which is given in days.
	sweepEvery = time.Hour
	// sweepPause lies between two batches, in which what is queued has its turn.
	sweepPause = 50 * time.Millisecond
	// sweepRows is a batch: some 10 ms, with indices and secure_delete.
	sweepRows = 500
	// sweepPages are given back in a turn: 1 MiB of them.
	sweepPages = 256
)

// sweep does one batch of work, and returns when to go on.
func (w *writer) sweep() time.Duration {
	deleted, err := w.deleteOld()
	if owed, asked := w.owes(rebuilding); asked == nil && owed && err == nil { // a process ended before it did so
		err = w.rebuildIfOwed()
	}
	if err == nil && deleted == 0 && w.swept {
		w.swept, err = w.giveBack()
	}
	if err != nil {
		w.log.Warn("old rows of the history can't be deleted yet", slog.Any("cause", err))
		return sweepEvery
	}
	w.swept = w.swept || deleted > 0
	if w.swept {
		return sweepPause
	}
	return sweepEvery
}

// deleteOld deletes up to a batch of each table's rows.
func (w *writer) deleteOld() (deleted int64, err error) {
	for _, k := range kinds {
		age := w.retention[k.name]
		if age == 0 {
			continue
		}
		n, err := w.deleteBefore(k, w.now().Add(-age))
		if err != nil {
			return deleted, err
		}
		deleted += n
	}
	return deleted, nil
}

func (w *writer) deleteBefore(k kind, oldest time.Time) (deleted int64, err error) {
	keep := ""
	if k.keep != "" {
		keep = " AND NOT (" + k.keep + ")"
	}
	statement := fmt.Sprintf("DELETE FROM %[1]s WHERE id IN (SELECT id FROM %[1]s WHERE %[2]s < ?%[3]s ORDER BY %[2]s LIMIT %[4]d)",
		k.name, k.time, keep, sweepRows)
	result, err := w.c.ExecContext(context.Background(), statement, micros(oldest))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// giveBack shortens the file by some of its free pages, and when there are no more, empties the log, which has the deleted rows still.
func (w *writer) giveBack() (more bool, err error) {
	ctx := context.Background()
	// Each row that the statement gives is a page: it is done when all were read.
	rows, err := w.c.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", sweepPages))
	if err != nil {
		return true, err
	}
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return true, err
	}
	var free int
	if err := w.c.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil || free > 0 {
		return true, err
	}
	return false, w.emptyLog()
}
