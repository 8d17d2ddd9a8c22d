package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// This file owns opening: a history, a new one, one of an older version, and what to do with one that is damaged.

// pragmas are those of every connection (https://www.sqlite.org/pragma.html).
var pragmas = []string{
	"busy_timeout = 1000",  // another program that looks into the file, such as sqlite3, is waited for, ms
	"secure_delete = ON",   // what is deleted is overwritten with zeros
	"temp_store = MEMORY",  // else rows are spilled to files in /tmp, from where nobody would take them
	"cell_size_check = ON", // a damaged page is an error earlier
	"trusted_schema = OFF", // nothing in a damaged schema runs
	"mmap_size = 0",        // behind mapped memory a file that loses its end kills the process
	"cache_size = -4096",   // KiB for each connection: rows are written once, and reports read them in order
	"foreign_keys = OFF",   // there are none: a rating may come before its receipt
}

// writing are those of the one connection that writes. In the write-ahead log NORMAL syncs when the log is copied to the file, not with each
// transaction: the end of the process loses nothing, and that of the machine may lose the newest transactions but never breaks the
// file. Measurements are worth no more; decisions are written with FULL (durable).
var writing = append([]string{
	"synchronous = NORMAL",
	"journal_size_limit = 4194304", // bytes: what the log has with checkpoints each 1000 pages
}, pragmas...)

// reading are those of connections for reports.
var reading = append([]string{"query_only = ON"}, pragmas...)

// maxReaders is how many read at the same time: a report, a page, a person's verb and one to spare.
const maxReaders = 4

// Open opens the history at path, or begins one. The file and its folder are the user's alone. One of an older version is brought up to date; a
// [*NewerError] refuses one of a newer, a [*DamagedError] one that is broken or no database.
func Open(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	lock, err := claim(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, privacy: o.Privacy, log: o.Log, queue: newQueue(), damage: damage{known: map[DamagedRowError]bool{}}, lock: lock}
	if err := s.start(o); err != nil {
		return nil, errors.Join(failedAt(path, err), lock.Close())
	}
	return s, nil
}

// complete fills in what is not given, and refuses what can't be meant.
func (o *Options) complete() (err error) {
	if o.Privacy == "" {
		o.Privacy = None
	}
	if _, err := ParsePrivacy(string(o.Privacy)); err != nil {
		return fmt.Errorf("privacy: %w", err)
	}
	for t, age := range o.Retention {
		if kindOf(t).empty == nil || age <= 0 {
			return fmt.Errorf("retention: %s of %q: there must be such a table, and the time must be positive", age, t)
		}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.schema == nil {
		o.schema, err = migrations(embedded)
	}
	return err
}

// start opens the database, of which nothing is left open with an error.
func (s *Store) start(o Options) error {
	ctx := context.Background()
	db := connect(s.path, writing...)
	db.SetMaxOpenConns(1)
	c, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w := newWriter(s, db, c, o)
	err = s.prepare(ctx, c, o)
	if err == nil {
		err = w.learnAll(ctx)
	}
	if err == nil {
		s.tenantKey, err = w.tenantKey(ctx)
	}
	if err != nil {
		return errors.Join(err, w.close())
	}
	s.writer, s.readers = w, connect(s.path, reading...)
	s.readers.SetMaxOpenConns(maxReaders)
	s.checkNewest(ctx, c)
	go w.run()
	return nil
}

// prepare makes the file a database of the present schema.
func (s *Store) prepare(ctx context.Context, c *sql.Conn, o Options) error {
	i, err := identify(ctx, c)
	if err == nil {
		err = i.check(s.path, len(o.schema))
	}
	if err != nil {
		return err
	}
	if i.isNew() { // before the first page is written; from then on free pages can be given back a few at a time
		_, err = c.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL")
	} else {
		err = s.checkStructure(ctx, c)
	}
	if err != nil {
		return err
	}
	// The schema comes first: what is in the log alone is lost with it, and the file would be taken for a new one.
	if err := migrate(ctx, c, i.schema, o.schema); err != nil {
		return err
	}
	var mode string
	if err := c.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil || mode != "wal" {
		return fmt.Errorf("the file system at hand has no write-ahead log (%s): %w", mode, err)
	}
	return nil
}

// OpenAnew is [Open] for a daemon, which serves whatever became of its history: a file that is damaged is set aside as NAME.damaged-TIME, with a
// line in the log, and a new one begun. Nobody deletes what was set aside, which may hold texts. A file that is newer or another program's
// stays, and is an error.
func OpenAnew(path string, o Options) (*Store, error) {
	s, err := Open(path, o)
	var d *DamagedError
	if !errors.As(err, &d) {
		return s, err
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	aside, moved := setAside(path, o.now())
	if moved != nil {
		return nil, errors.Join(err, moved)
	}
	o.Log.Error("the history is damaged: it was set aside, and a new one is begun", slog.String("file", aside), slog.Any("cause", d.Cause))
	return Open(path, o)
}

// setAside renames the database with its log.
func setAside(path string, now time.Time) (aside string, err error) {
	lock, err := claimLock(path)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	aside = path + ".damaged-" + now.UTC().Format("20060102T150405.000000Z")
	for _, beside := range append([]string{""}, besides...) {
		if err := os.Rename(path+beside, aside+beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}
