package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

// This file owns what tests of the store have in common.

// quiet drops what is logged.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fatal is what *testing.T and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func mustOpen(t fatal, path string, o Options) *Store {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opened is a store of its own, closed with the test.
func opened(t *testing.T, o Options) *Store {
	t.Helper()
	s := mustOpen(t, filepath.Join(t.TempDir(), "h", "history.db"), o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func flush(t fatal, s *Store) {
	t.Helper()
	must(t, s.Flush(context.Background()))
}

// execute runs SQL on the writer's connection: what a fault or another program would do.
func execute(t fatal, s *Store, statements ...string) {
	t.Helper()
	must(t, s.ask(context.Background(), func(w *writer) error {
		for _, text := range statements {
			if _, err := w.c.ExecContext(context.Background(), text); err != nil {
				return errors.Join(errors.New(text), err)
			}
		}
		return nil
	}))
}

// row is a row of any table, as values that can be compared.
type row struct {
	Table  Table
	Row    int64
	Values []any
}

func rowOf(r record) row {
	values := []any{}
	for _, c := range r.columns() {
		values = append(values, c.value())
	}
	return row{r.table(), *r.number(), values}
}

// collect reads all that an iterator gives.
func collect[R any, P interface {
	*R
	record
}](rows []row, errs []error, from iter.Seq2[R, error]) ([]row, []error) {
	for r, err := range from {
		if err != nil {
			errs = append(errs, err)
		} else {
			rows = append(rows, rowOf(P(&r)))
		}
	}
	return rows, errs
}

// everything reads all tables, by their public methods.
func everything(s *Store) (rows []row, errs []error) {
	ctx, all := context.Background(), Span{}
	rows, errs = collect(rows, errs, s.Scores(ctx, all))
	rows, errs = collect(rows, errs, s.Windows(ctx, all))
	rows, errs = collect(rows, errs, s.Alarms(ctx, all))
	rows, errs = collect(rows, errs, s.Decisions(ctx, all))
	rows, errs = collect(rows, errs, s.Ratings(ctx, all))
	rows, errs = collect(rows, errs, within[Judgement](ctx, s, all))
	rows, errs = collect(rows, errs, s.Receipts(ctx, all))
	rows, errs = collect(rows, errs, s.Costs(ctx, all))
	rows, errs = collect(rows, errs, s.Experiments(ctx, all))
	return collect(rows, errs, s.Goldens(ctx, all))
}

// add adds a row by the public method of its table. A decision is decided, a golden pinned.
func add(s *Store, r record) error {
	switch r := r.(type) {
	case *Score:
		return s.AddScore(*r)
	case *Window:
		return s.AddWindow(*r)
	case *Alarm:
		return s.AddAlarm(*r)
	case *Decision:
		_, err := s.Decide(context.Background(), *r)
		return err
	case *Rating:
		return s.AddRating(*r)
	case *Judgement:
		return s.AddJudgement(*r)
	case *Receipt:
		return s.AddReceipt(*r)
	case *Cost:
		return s.AddCost(*r)
	case *Experiment:
		return s.AddExperiment(*r)
	case *Golden:
		_, err := s.Pin(context.Background(), *r)
		return err
	}
	return errors.New("no such table")
}

// One list of columns serves writing, reading and checking: a field that is not in it is nowhere.
func TestEveryFieldHasAColumn(t *testing.T) {
	for _, k := range kinds {
		r := k.empty()
		at := map[uintptr]string{}
		for _, c := range r.columns() {
			p := reflect.ValueOf(c.at).Pointer()
			if at[p] != "" {
				t.Errorf("%s: %s and %s are one field", k.name, at[p], c.name)
			}
			at[p] = c.name
		}
		fields := 0
		eachField(reflect.ValueOf(r).Elem(), func(name string, field reflect.Value) {
			if name == "Row" || name == "Sampled" {
				return
			}
			fields++
			if at[field.Addr().Pointer()] == "" {
				t.Errorf("%s: field %s has no column", k.name, name)
			}
		})
		if fields != len(at) || fields < 5 {
			t.Errorf("%s: %d fields, %d columns", k.name, fields, len(at))
		}
	}
}

// eachField visits the fields of a row, and those of structures in it.
func eachField(v reflect.Value, f func(string, reflect.Value)) {
	for i := range v.NumField() {
		field := v.Field(i)
		if _, isTime := field.Interface().(time.Time); field.Kind() == reflect.Struct && !isTime {
			eachField(field, f)
		} else {
			f(v.Type().Field(i).Name, field)
		}
	}
}
