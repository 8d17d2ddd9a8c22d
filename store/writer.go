package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// This file owns the one goroutine that writes: when it does, and what it does when it can't.

const (
	// flushEvery is how long a row waits for others to be written with it. Half a second leaves the other half of the second that may be
	// lost to the transaction itself.
	flushEvery = 500 * time.Millisecond
	// firstWait and longestWait bound how long a disk that failed is left alone: soon, as another program's lock is gone soon, and
	// then ever longer, as a full disk stays full until somebody acts, who should not wait longer than this to see it work.
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second
)

// writer is the only one that writes. What is in it is its goroutine's, but for the channels and its health.
type writer struct {
	store     *Store
	queue     *queue
	log       *slog.Logger
	now       func() time.Time
	retention map[Table]time.Duration
	db        *sql.DB
	c         *sql.Conn
	inserts   map[Table]*sql.Stmt
	rows      map[Table]int64 // the number that each table gave last
	requests  chan request
	stop      chan struct{}
	ended     chan struct{}
	health    health

	batch, spare []record // rows that are being written, and an empty slice for the queue
	values       []any
	scratch      []byte
	due          *time.Timer // when to write next
	wait         time.Duration
	swept        bool  // rows were deleted whose pages are not given back yet
	last         error // of the end
}

// request is what waits for the writer.
type request struct {
	do   func(*writer) error
	done chan error
}

// ask has the writer do something between two batches. What it has begun it ends, whatever becomes of ctx.
func (s *Store) ask(ctx context.Context, do func(*writer) error) error {
	r := request{do, make(chan error, 1)}
	select {
	case s.writer.requests <- r:
		return s.failed(<-r.done)
	case <-ctx.Done():
		return ctx.Err()
	case <-s.writer.ended:
		return ErrClosed
	}
}

func newWriter(s *Store, db *sql.DB, c *sql.Conn, o Options) *writer {
	return &writer{
		store: s, queue: s.queue, log: s.log, now: o.now, retention: o.Retention, db: db, c: c,
		inserts: map[Table]*sql.Stmt{}, rows: map[Table]int64{},
		requests: make(chan request), stop: make(chan struct{}), ended: make(chan struct{}),
		spare: make([]record, 0, maxRows), due: time.NewTimer(flushEvery),
	}
}

// learnAll prepares what rows are written with. A table that is not there, or lacks a column, is damage: the file says that it has this schema.
func (w *writer) learnAll(ctx context.Context) error {
	for _, r := range allRecords() {
		if err := w.learn(ctx, r); err != nil {
			return &DamagedError{w.store.path, err}
		}
	}
	return nil
}

// learn prepares what a table's rows are written with.
func (w *writer) learn(ctx context.Context, r record) (err error) {
	t := r.table()
	insert, err := w.c.PrepareContext(ctx, insertion(r))
	if err != nil {
		return err
	}
	w.inserts[t] = insert
	// Both are asked, since neither has a checksum: a number that is too small would have all rows refused.
	last := fmt.Sprintf("SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = '%[1]s'), 0), coalesce((SELECT max(id) FROM %[1]s), 0))", t)
	var n int64
	err = w.c.QueryRowContext(ctx, last).Scan(&n)
	w.rows[t] = n
	return err
}

// run writes until the store is closed.
func (w *writer) run() {
	defer close(w.ended)
	sweep := time.NewTimer(sweepFirst)
	for {
		select {
		case r := <-w.requests:
			r.done <- r.do(w)
		case <-w.queue.some:
			if w.wait == 0 {
				w.due.Reset(flushEvery)
			}
		case <-w.queue.many:
			if w.wait == 0 {
				w.flush()
			}
		case <-w.due.C:
			w.flush()
		case <-sweep.C:
			sweep.Reset(w.sweep())
		case <-w.stop:
			w.last = w.flushAll()
			return
		}
	}
}

// end has the goroutine write what is left, and waits for it.
func (w *writer) end() {
	close(w.stop)
	<-w.ended
}

func (w *writer) close() error {
	w.due.Stop()
	var errs []error
	for _, s := range w.inserts { // SQLite keeps the file open, and its log beside it, as long as there is a statement
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.c.Close(), w.db.Close())...)
}

// flushAll writes what was tried before, and what came since.
func (w *writer) flushAll() error {
	if len(w.batch) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.flush()
}

// flush writes what waits, in one transaction. With an error all of it waits on, and the timer is set for the next attempt.
func (w *writer) flush() error {
	if len(w.batch) == 0 {
		w.batch, w.spare = w.queue.take(w.spare), nil
	}
	if len(w.batch) == 0 {
		w.batch, w.spare = nil, w.batch
		return nil
	}
	refused := 0
	err := transaction(context.Background(), w.c, func() (err error) {
		refused, err = w.insertAll(w.batch)
		return err
	})
	w.health.wrote(w.store.failed(err), w.now(), len(w.batch)-refused, refused, w.log)
	if err != nil {
		w.wait = min(max(2*w.wait, firstWait), longestWait)
		w.due.Reset(w.wait)
		return err
	}
	w.queue.done(w.batch)
	w.batch, w.spare, w.wait = nil, w.batch[:0], 0
	if waiting, _ := w.queue.counts(); waiting > 0 {
		w.due.Reset(flushEvery) // their signals may have been passed over
	}
	return nil
}

// insertAll inserts rows but those that the database refuses, which would fail for ever.
func (w *writer) insertAll(rows []record) (refused int, err error) {
	for _, r := range rows {
		err := w.insert(r)
		switch {
		case saysRefused(err):
			refused++
			w.log.Error("the history did not take a row", slog.String("table", string(r.table())), slog.Any("cause", err))
		case err != nil:
			return 0, err
		}
	}
	return refused, nil
}

// insert writes a row, which gets its number the first time that it is tried.
func (w *writer) insert(r record) error {
	n, t := r.number(), r.table()
	if *n == 0 {
		w.rows[t]++
		*n = w.rows[t]
	}
	w.values = appendValues(append(w.values[:0], *n), r, &w.scratch)
	_, err := w.inserts[t].Exec(w.values...)
	return err
}

// replace writes a row that is there anew.
func (w *writer) replace(r record) error {
	w.values = append(appendValues(w.values[:0], r, &w.scratch), *r.number())
	_, err := w.c.ExecContext(context.Background(), update(r), w.values...)
	return err
}

// find reads the first row that a condition names.
func (w *writer) find(ctx context.Context, r record, where string, args ...any) error {
	rows, err := w.c.QueryContext(ctx, selection(r)+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return errors.Join(rows.Err(), ErrNone)
	}
	return newReader(r).read(rows, r)
}

// durable runs f in a transaction that is on the disk with a nil error, whatever becomes of the machine. With it is all that was written before.
func (w *writer) durable(f func() error) error {
	ctx := context.Background()
	if _, err := w.c.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	err := transaction(ctx, w.c, f)
	w.c.ExecContext(ctx, "PRAGMA synchronous = NORMAL") // if it failed, batches would take longer: no more
	return err
}

// health is how writing goes.
type health struct {
	mu sync.Mutex
	s  State
}

func (h *health) state() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.s
}

// wrote notes a batch, and logs when the disk begins to fail and when it takes rows again.
func (h *health) wrote(err error, now time.Time, written, refused int, log *slog.Logger) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch before := h.s.Err; {
	case err != nil && before == nil:
		h.s.Since = now
		log.Error("the history can't be written: rows wait, and are dropped when there are too many", slog.Any("cause", err))
	case err == nil && before != nil:
		log.Info("the history is written again", slog.Duration("after", now.Sub(h.s.Since)))
		h.s.Since = time.Time{}
	}
	h.s.Err = err
	if err == nil {
		h.s.Written += int64(written)
		h.s.Refused += int64(refused)
	}
}
