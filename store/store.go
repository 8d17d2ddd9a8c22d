// Package store owns the history of a daemon: measurements, scores, alarms, decisions, ratings, judgements of answers, receipts, costs and experiments, in one SQLite file.
// No SQL is written outside it.
//
// What is added is on the disk within a second. Adding never waits: one goroutine writes, in transactions, what others leave in a bounded
// queue, and a row that finds it full is dropped and counted. Decisions are another matter: [Store.Decide] waits for the disk. While
// the disk takes nothing (full, read-only, failing) [Store.State] says so, and writing is tried again until it does.
//
// Each row has a checksum, which is compared when the row is read. A row that is damaged comes as a [*DamagedRowError], which names it, and
// those behind it follow; any other error ends the reading.
//
// Errors of the Add methods: a [*FieldError] if the row can't be stored, [ErrFull] if it was dropped, [ErrClosed].
package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Store is an open history. Its methods may be called from any goroutine.
type Store struct {
	path      string
	privacy   Privacy
	log       *slog.Logger
	tenantKey []byte
	queue     *queue
	writer    *writer
	readers   *sql.DB
	damage    damage
	lock      *os.File
	closing   sync.Once
	closed    error
}

// Options are how a store is opened.
type Options struct {
	Privacy   Privacy                 // empty: None
	Retention map[Table]time.Duration // how long rows are kept; those of a table that is not named, for ever
	Log       *slog.Logger            // nil: the default logger

	now    func() time.Time // nil: the clock
	schema []string         // nil: the migrations that are embedded
}

// State is how the store is.
type State struct {
	Err     error     // why the last attempt to write failed; nil if it went well
	Since   time.Time // of the first failure in a row
	Queued  int       // rows that wait to be written
	Written int64     // rows since the store was opened
	Dropped int64     // rows that found the queue full
	Refused int64     // rows that the database did not take, such as a second receipt of an answer
	Damaged int       // rows that were found damaged, at most 1000
}

// State may be asked at any time.
func (s *Store) State() State {
	state := s.writer.health.state()
	state.Queued, state.Dropped = s.queue.counts()
	state.Damaged = s.damage.count()
	return state
}

// Flush waits until all that was added before is on its way to the disk, as after a second at the latest.
func (s *Store) Flush(ctx context.Context) error { return s.ask(ctx, (*writer).flushAll) }

// Close writes what is queued and closes the file. With an error rows may be lost. A second one does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		s.writer.end()
		s.closed = errors.Join(s.failed(s.writer.last), s.failed(s.readers.Close()), s.failed(s.writer.close()), s.lock.Close())
	})
	return s.closed
}
