package store

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"
)

// This file owns what tables have in common: how a row is written, read and checked.

// Table names a table, in settings and errors.
type Table string

// The tables, each with the file of its name.
const (
	Scores      Table = "scores"
	Windows     Table = "windows"
	Alarms      Table = "alarms"
	Decisions   Table = "decisions"
	Ratings     Table = "ratings"
	Judgements  Table = "judgements"
	Receipts    Table = "receipts"
	Costs       Table = "costs"
	Experiments Table = "experiments"
	Goldens     Table = "goldens"
)

// record is a row of any table. Its columns are in the order of the encoding, which never changes: a migration adds at the end.
type record interface {
	table() Table
	columns() []column
	number() *int64
	size() int // bytes that it takes while it waits to be written
}

// Numbered is a row's place in its table, from 1, given when it is written. With the table's name it is what a figure of a report is
// traced to: no number is given twice, also when the row is gone.
type Numbered struct{ Row int64 }

func (n *Numbered) number() *int64 { return &n.Row }

// kind is what is particular to a table.
type kind struct {
	name   Table
	time   string   // the column that reading and retention go by
	answer bool     // its rows belong to an answer
	tenant bool     // and to a tenant
	texts  []string // its columns of users' texts
	keep   string   // rows that no retention deletes, as a condition
	empty  func() record
}

// kinds are all tables that hold history, in the order in which they are written and checked.
var kinds = []kind{
	{name: Scores, time: "time", empty: func() record { return &Score{} }},
	{name: Windows, time: "ended", tenant: true, empty: func() record { return &Window{} }},
	{name: Alarms, time: "time", empty: func() record { return &Alarm{} }},
	{name: Decisions, time: "time", keep: "state = 'begun'", empty: func() record { return &Decision{} }},
	{name: Ratings, time: "time", answer: true, tenant: true, texts: []string{"correction"}, empty: func() record { return &Rating{} }},
	{name: Judgements, time: "time", answer: true, tenant: true, empty: func() record { return &Judgement{} }},
	{name: Receipts, time: "time", answer: true, tenant: true, texts: []string{"prompt_text", "answer_text", "logit_bias"}, empty: func() record { return &Receipt{} }},
	{name: Costs, time: "ended", tenant: true, empty: func() record { return &Cost{} }},
	{name: Experiments, time: "time", empty: func() record { return &Experiment{} }},
	{name: Goldens, time: "time", empty: func() record { return &Golden{} }},
}

// allRecords is an empty row of each table, also of the one that is no history.
func allRecords() []record {
	list := []record{&internal{}}
	for _, k := range kinds {
		list = append(list, k.empty())
	}
	return list
}

func kindOf(t Table) kind {
	for _, k := range kinds {
		if k.name == t {
			return k
		}
	}
	return kind{name: t, time: "time"}
}

// insertion is the statement that writes a row: its number, its columns, its sum.
func insertion(r record) string {
	columns := r.columns()
	return fmt.Sprintf("INSERT INTO %s (id, %s, sum) VALUES (?%s, ?)", r.table(), names(columns), strings.Repeat(", ?", len(columns)))
}

// update is the statement that writes an existing row anew: its columns, its sum, its number.
func update(r record) string {
	return fmt.Sprintf("UPDATE %s SET (%s, sum) = (?%s) WHERE id = ?", r.table(), names(r.columns()), strings.Repeat(", ?", len(r.columns())))
}

// selection begins the statement that reads rows.
func selection(r record) string {
	return fmt.Sprintf("SELECT id, %s, sum FROM %s ", names(r.columns()), r.table())
}

func names(columns []column) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return strings.Join(list, ", ")
}

// appendValues are a row's columns and sum, as statements take them.
func appendValues(values []any, r record, scratch *[]byte) []any {
	columns := r.columns()
	for _, c := range columns {
		values = append(values, c.value())
	}
	return append(values, sum(string(r.table()), *r.number(), columns, scratch))
}

// reader reads rows that a selection gives.
type reader struct {
	raw     []any // number, columns, sum
	to      []any // pointers to them
	scratch []byte
}

func newReader(r record) *reader {
	n := len(r.columns()) + 2
	read := &reader{raw: make([]any, n), to: make([]any, n)}
	for i := range read.raw {
		read.to[i] = &read.raw[i]
	}
	return read
}

// read fills r with the row at which rows stands. A *DamagedRowError says that this row is not what was written; all other errors are
// the database's.
func (read *reader) read(rows *sql.Rows, r record) error {
	if err := rows.Scan(read.to...); err != nil {
		return err
	}
	row, _ := read.raw[0].(int64) // SQLite has nothing else as a row's number
	*r.number() = row
	columns := r.columns()
	for i, c := range columns {
		if err := c.set(read.raw[i+1]); err != nil {
			return &DamagedRowError{r.table(), row, err.Error()}
		}
	}
	if read.raw[len(read.raw)-1] != any(sum(string(r.table()), row, columns, &read.scratch)) {
		return &DamagedRowError{r.table(), row, "its checksum is another's"}
	}
	return nil
}

// Span is a time from (inclusive) until (exclusive); a zero time is no bound.
type Span struct{ From, Until time.Time }

// condition is the span as a condition on a column of time.
func (s Span) condition(column string) (where string, args []any) {
	where = "WHERE 1"
	if !s.From.IsZero() {
		where, args = where+" AND "+column+" >= ?", append(args, micros(s.From))
	}
	if !s.Until.IsZero() {
		where, args = where+" AND "+column+" < ?", append(args, micros(s.Until))
	}
	return where, args
}

// within reads a table's rows of a span by their time, the oldest first.
func within[R any, P interface {
	*R
	record
}](ctx context.Context, s *Store, span Span) iter.Seq2[R, error] {
	k := kindOf(P(new(R)).table())
	where, args := span.condition(k.time)
	return selected[R, P](ctx, s, where+" ORDER BY "+k.time+", id", args...)
}

// selected reads the rows that a condition names. A row that is damaged is given as its *DamagedRowError, and those behind it follow; any
// other error is the last that is given.
func selected[R any, P interface {
	*R
	record
}](ctx context.Context, s *Store, where string, args ...any) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		read := newReader(P(&none))
		rows, err := s.readers.QueryContext(ctx, selection(P(&none))+where, args...)
		if err != nil {
			yield(none, s.failed(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var row R
			err := read.read(rows, P(&row))
			switch d, damaged := err.(*DamagedRowError); {
			case damaged:
				s.foundDamage(d)
				if !yield(none, d) {
					return
				}
			case err != nil:
				yield(none, s.failed(err))
				return
			case !yield(row, nil):
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, s.failed(err))
		}
	}
}
