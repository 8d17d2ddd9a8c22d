package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// This file owns forgetting: what is known of an answer or a tenant is deleted on request, and overwritten, since a page that is merely free
// still has its text.
//
// What it can't reach: blocks that the file system or the disk itself has moved, copies of the file, and what stands in the evidence of
// alarms and decisions, which have no tenant and must not have texts.

// ForgetAnswer deletes the receipt, the texts, the ratings and the judgements of an answer. With a nil error no
// byte of a text is in the file or its log. With texts it takes as long as copying the file, and its size on the disk for that time.
func (s *Store) ForgetAnswer(ctx context.Context, answer ID) (rows int64, err error) {
	err = s.ask(ctx, func(w *writer) (err error) {
		rows, err = w.forget("answer", answer[:], func(k kind) bool { return k.answer })
		return err
	})
	return rows, err
}

// ForgetTenant deletes all rows of a tenant: receipts, texts, ratings, judgements, windows and costs. With a nil error no byte of a text
// is in the file or its log; it takes as long as ForgetAnswer.
func (s *Store) ForgetTenant(ctx context.Context, name string) (rows int64, err error) {
	if name == "" {
		return 0, errors.New("forgetting: no tenant is named")
	}
	t := s.Tenant(name)
	err = s.ask(ctx, func(w *writer) (err error) {
		rows, err = w.forget("tenant", t[:], func(k kind) bool { return k.tenant })
		return err
	})
	return rows, err
}

// rebuilding is the name of the note that the file is to be built anew.
const rebuilding = "rebuild"

// forget deletes where a column has a value, with what is still queued. If texts were among it the file is built anew: when SQLite
// moves rows from page to page it leaves copies in what is unused of a page, which secure_delete does not see (of 5000 texts that were
// forgotten one by one six were still there). That it must be is noted with the deletion, so that no end of the process prevents it.
func (w *writer) forget(column string, value []byte, has func(kind) bool) (deleted int64, err error) {
	if err := w.flushAll(); err != nil {
		return 0, err
	}
	err = w.durable(func() (err error) {
		deleted, err = w.deleteWhere(column, value, has)
		return err
	})
	if err != nil {
		return 0, err
	}
	return deleted, w.rebuildIfOwed()
}

// deleteWhere deletes rows, and notes if there were texts.
func (w *writer) deleteWhere(column string, value []byte, has func(kind) bool) (deleted int64, err error) {
	ctx := context.Background()
	texts := int64(0)
	for _, k := range kinds {
		if !has(k) {
			continue
		}
		if len(k.texts) > 0 {
			var n int64
			query := fmt.Sprintf("SELECT count(coalesce(%s, NULL)) FROM %s WHERE %s = ?", strings.Join(k.texts, ", "), k.name, column)
			if err := w.c.QueryRowContext(ctx, query, value).Scan(&n); err != nil {
				return 0, err
			}
			texts += n
		}
		result, err := w.c.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = ?", k.name, column), value)
		if err != nil {
			return 0, err
		}
		n, _ := result.RowsAffected() // SQLite always knows
		deleted += n
	}
	if texts > 0 {
		err = w.note(&internal{Time: w.now(), Name: rebuilding})
	}
	return deleted, err
}

// rebuildIfOwed builds the file anew if that is noted, and empties the log.
func (w *writer) rebuildIfOwed() error {
	owed, err := w.owes(rebuilding)
	if err != nil || !owed {
		return errors.Join(err, w.emptyLog())
	}
	if err := w.rebuild(); err != nil {
		return fmt.Errorf("the rows are deleted, and copies of their texts may be left until the file is built anew: %w", err)
	}
	if err := w.emptyLog(); err != nil {
		return err
	}
	return w.durable(func() error { return w.unnote(rebuilding) })
}

// rebuild copies what is there to a new file, and that back. The copy is made in a file that has no name, not in memory, which serving
// has planned with; meanwhile rows wait in the queue.
func (w *writer) rebuild() error {
	ctx := context.Background()
	_, err := w.c.ExecContext(ctx, "PRAGMA temp_store = FILE")
	if err == nil {
		_, err = w.c.ExecContext(ctx, "VACUUM")
	}
	_, back := w.c.ExecContext(ctx, "PRAGMA temp_store = MEMORY")
	return errors.Join(err, back)
}

// errRead says why the log could not be emptied.
var errRead = errors.New("deleted rows are still in the log, since somebody reads the history: ask again")

// emptyLog copies the log to the file, which overwrites there what was deleted, and cuts it off.
func (w *writer) emptyLog() error {
	var busy, pages, copied int
	err := w.c.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &copied)
	if err == nil && busy != 0 {
		err = errRead
	}
	return err
}
