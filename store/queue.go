package store

import (
	"errors"
	"sync"
)

// This file owns the queue between those who measure and the one goroutine that writes.

// What the queue holds at most, with the rows that are being written. 8192 rows are two minutes of 64 answers a second while the disk
// doesn't take any; texts are bounded apart, since one may be as long as thousands of rows.
const (
	maxRows  = 8192
	maxBytes = 64 << 20
)

// rowBytes is what a row without texts takes, its names counted: a receipt is 400 bytes, and its names are usually other values' bytes.
const rowBytes = 512

// ErrFull says that a measurement was dropped because the disk does not take rows as fast as they come. [State] counts these.
var ErrFull = errors.New("the history's queue is full: the row was dropped")

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("the history is closed")

// queue holds rows that wait to be written. Adding takes a lock for as long as it takes to append a pointer, and never waits for the disk.
type queue struct {
	mu      sync.Mutex
	rows    []record
	held    int // rows, and those taken that are not written yet
	bytes   int // of those held
	dropped int64
	closed  bool

	some chan struct{} // a row came into the empty queue
	many chan struct{} // half the queue is held: writing can't wait for the second to pass
}

func newQueue() *queue {
	return &queue{rows: make([]record, 0, maxRows), some: make(chan struct{}, 1), many: make(chan struct{}, 1)}
}

// add takes a row, or says why not.
func (q *queue) add(r record) error {
	size := r.size()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.held == maxRows || q.bytes+size > maxBytes {
		q.dropped++
		return ErrFull
	}
	q.rows = append(q.rows, r)
	q.held++
	q.bytes += size
	if len(q.rows) == 1 {
		signal(q.some)
	}
	if q.held >= maxRows/2 || q.bytes >= maxBytes/2 {
		signal(q.many)
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

// take hands out the rows that wait and keeps counting them; into is an empty slice to be filled next.
func (q *queue) take(into []record) []record {
	q.mu.Lock()
	defer q.mu.Unlock()
	rows := q.rows
	q.rows = into
	return rows
}

// done ends the counting of rows that were taken, and forgets them.
func (q *queue) done(rows []record) {
	size := 0
	for _, r := range rows {
		size += r.size()
	}
	q.mu.Lock()
	q.held -= len(rows)
	q.bytes -= size
	q.mu.Unlock()
	clear(rows)
}

// close refuses rows from now on.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
}

// counts are the rows held and those that were dropped.
func (q *queue) counts() (held int, dropped int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held, q.dropped
}
