package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// This file owns the property that all others are special cases of: whatever is added, decided, forgotten and outlived, in whatever order, the
// file holds what a plain list in memory holds.

// model is that list.
type model struct {
	t       *rapid.T
	path    string
	options Options
	clock   *clock
	s       *Store
	rows    []record
	last    map[Table]int64 // the number given last
	stored  map[Table]int64 // the same of rows that were stored: a row that was refused had none for whoever reads
	refused int64
	counted int64 // refused by stores before this one
}

const retained = 48 * time.Hour

func newModel(t *rapid.T, folder string) *model {
	c := newClock()
	m := &model{t: t, path: filepath.Join(folder, "history.db"), clock: c, last: map[Table]int64{}, stored: map[Table]int64{}}
	m.options = Options{
		Privacy: rapid.SampledFrom([]Privacy{None, Samples, All}).Draw(t, "privacy"), now: c.now,
		Retention: map[Table]time.Duration{Windows: retained, Decisions: retained, Receipts: retained, Ratings: retained},
	}
	m.s = mustOpen(t, m.path, m.options)
	return m
}

var (
	answers = []ID{{1}, {2}, {3, 15: 7}}
	tenants = []string{"", "a", "b"}
)

// draw fills a row's columns with anything that may be added.
func (m *model) draw(r record) {
	t := m.t
	for _, c := range r.columns() {
		switch at := c.at.(type) {
		case *int64:
			*at = rapid.OneOf(rapid.Int64(), rapid.Just(int64(0))).Draw(t, c.name)
		case *uint64:
			*at = rapid.Uint64().Draw(t, c.name)
		case *float64:
			*at = rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.NaN(), math.Inf(-1)})).Draw(t, c.name)
		case *string:
			*at = string(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, c.name)) // zeros and broken UTF-8 too
		case **string:
			*at = rapid.Ptr(rapid.StringN(0, 30, 9000), true).Draw(t, c.name)
		case *json.RawMessage:
			*at = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{"a": [1, "ä"]}`), json.RawMessage("3")}).Draw(t, c.name)
		case *time.Time:
			*at = m.clock.now().Add(time.Duration(rapid.Int64Range(-3600, 0).Draw(t, c.name)) * time.Second)
		case *time.Duration:
			*at = time.Duration(rapid.Int64().Draw(t, c.name))
		case *ID:
			*at = rapid.SampledFrom(answers).Draw(t, c.name)
		case *Tenant:
			*at = m.s.Tenant(rapid.SampledFrom(tenants).Draw(t, c.name))
		case *DecisionState:
			*at = Begun
		default:
			t.Fatalf("%T", at)
		}
	}
	switch r := r.(type) {
	case *Rating:
		r.Rating = rapid.Int64Range(1, 5).Draw(t, "rating")
	case *Receipt:
		r.Sampled = rapid.Bool().Draw(t, "sampled")
	case *Decision:
		r.Settled = time.Time{}
	case *Experiment:
		r.Kind = rapid.SampledFrom(experimentKinds).Draw(t, "kind")
	case *Golden:
		r.Kind = rapid.SampledFrom([]GoldenKind{Canaries, Suite}).Draw(t, "kind")
		r.Content = json.RawMessage(`[1]`)
	}
}

// add adds to both.
func (m *model) add() {
	k := rapid.SampledFrom(kinds).Draw(m.t, "table")
	r := k.empty()
	m.draw(r)
	must(m.t, add(m.s, r))
	if g, is := r.(*Golden); is && slices.ContainsFunc(m.rows, func(other record) bool { return g.is(other) }) {
		return // there is one, which stays
	}
	m.last[k.name]++
	*r.number() = m.last[k.name]
	switch r := r.(type) {
	case *Receipt:
		if m.options.Privacy == None || m.options.Privacy == Samples && !r.Sampled {
			r.Prompt, r.Text, r.LogitBias = nil, nil, nil
		}
		if slices.ContainsFunc(m.rows, func(other record) bool { o, ok := other.(*Receipt); return ok && o.Answer == r.Answer }) {
			m.refused++
			return
		}
	case *Rating:
		if m.options.Privacy == None {
			r.Correction = nil
		}
	}
	m.rows = append(m.rows, r)
	m.stored[k.name] = *r.number()
}

// is tells whether another row is of the same subject.
func (r *Golden) is(other record) bool {
	o, ok := other.(*Golden)
	return ok && o.Kind == r.Kind && o.Digest == r.Digest && o.Numerics == r.Numerics
}

func (m *model) settle() {
	row := rapid.Int64Range(1, max(1, m.last[Decisions]+1)).Draw(m.t, "row")
	state := rapid.SampledFrom([]DecisionState{Applied, Reverted}).Draw(m.t, "state")
	err := m.s.Settle(context.Background(), row, state)
	for _, r := range m.rows {
		d, ok := r.(*Decision)
		if !ok || d.Row != row {
			continue
		}
		if d.State != Begun {
			if !errors.Is(err, ErrSettled) {
				m.t.Fatalf("settled twice: %v", err)
			}
			return
		}
		must(m.t, err)
		d.State, d.Settled = state, m.clock.now()
		return
	}
	if !errors.Is(err, ErrNone) {
		m.t.Fatalf("decision %d was settled, and there is none: %v", row, err)
	}
}

// remove drops what a condition names, and returns how many these were.
func (m *model) remove(gone func(record) bool) (n int64) {
	before := len(m.rows)
	m.rows = slices.DeleteFunc(m.rows, gone)
	return int64(before - len(m.rows))
}

func (m *model) forgetAnswer() {
	id := rapid.SampledFrom(answers).Draw(m.t, "answer")
	want := m.remove(func(r record) bool {
		return slices.ContainsFunc(r.columns(), func(c column) bool { at, ok := c.at.(*ID); return ok && *at == id })
	})
	if n, err := m.s.ForgetAnswer(context.Background(), id); err != nil || n != want {
		m.t.Fatalf("%d rows forgotten, want %d: %v", n, want, err)
	}
}

func (m *model) forgetTenant() {
	name := rapid.SampledFrom(tenants[1:]).Draw(m.t, "tenant")
	tenant := m.s.Tenant(name)
	want := m.remove(func(r record) bool {
		return slices.ContainsFunc(r.columns(), func(c column) bool { at, ok := c.at.(*Tenant); return ok && *at == tenant })
	})
	if n, err := m.s.ForgetTenant(context.Background(), name); err != nil || n != want {
		m.t.Fatalf("%d rows forgotten, want %d: %v", n, want, err)
	}
}

// timeColumn is what retention goes by.
func timeColumn(r record) time.Time {
	switch r := r.(type) {
	case *Window:
		return r.Until
	case *Decision:
		return r.Time
	case *Rating:
		return r.Time
	case *Receipt:
		return r.Time
	}
	return time.Time{}
}

// outlive moves the clock and deletes what is old.
func (m *model) outlive() {
	m.clock.advance(time.Duration(rapid.Int64Range(0, 40).Draw(m.t, "hours")) * time.Hour)
	flush(m.t, m.s)
	sweepAll(m.t, m.s)
	oldest := m.clock.now().Add(-retained)
	m.remove(func(r record) bool {
		d, decision := r.(*Decision)
		return m.options.Retention[r.table()] != 0 && timeColumn(r).Before(oldest) && !(decision && d.State == Begun)
	})
}

func sweepAll(t fatal, s *Store) {
	t.Helper()
	must(t, s.ask(context.Background(), func(w *writer) error {
		for range 10000 {
			if w.sweep() == sweepEvery {
				return nil
			}
		}
		return errors.New("deleting does not end")
	}))
}

// outage has the disk take nothing for a while: what was taken is written later, a decision is refused, and nothing is forgotten.
func (m *model) outage() {
	flush(m.t, m.s)
	execute(m.t, m.s, "PRAGMA query_only = ON")
	for range rapid.IntRange(1, 3).Draw(m.t, "rows") {
		r := &Rating{}
		m.draw(r)
		must(m.t, m.s.AddRating(*r))
		if m.options.Privacy == None {
			r.Correction = nil
		}
		m.last[Ratings]++
		r.Row, m.stored[Ratings] = m.last[Ratings], m.last[Ratings]
		m.rows = append(m.rows, r)
	}
	_, decided := m.s.Decide(context.Background(), Decision{})
	_, forgotten := m.s.ForgetAnswer(context.Background(), answers[0])
	if flushed := m.s.Flush(context.Background()); flushed == nil || decided == nil || forgotten == nil || m.s.State().Err == nil {
		m.t.Fatalf("on a disk that takes nothing: %v, %v, %v", flushed, decided, forgotten)
	}
	execute(m.t, m.s, "PRAGMA query_only = OFF")
}

func (m *model) reopen() {
	must(m.t, m.s.Close())
	m.counted += m.s.State().Refused
	m.last = maps.Clone(m.stored)
	m.s = mustOpen(m.t, m.path, m.options)
}

// check compares all rows, in the order in which they are read.
func (m *model) check(t *rapid.T) {
	flush(t, m.s)
	got, errs := everything(m.s)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var want []row
	for _, k := range kinds {
		var of []record
		for _, r := range m.rows {
			if r.table() == k.name {
				of = append(of, r)
			}
		}
		slices.SortStableFunc(of, func(a, b record) int { return orderOf(k, a).Compare(orderOf(k, b)) })
		for _, r := range of {
			want = append(want, rowOf(r))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d:\n%#v, want\n%#v", i, got[i], want[i])
		}
	}
	if n := m.counted + m.s.State().Refused; n != m.refused {
		t.Fatalf("%d rows refused, want %d", n, m.refused)
	}
}

// orderOf is the value of the column that rows are read by.
func orderOf(k kind, r record) time.Time {
	for _, c := range r.columns() {
		if c.name == k.time {
			return *c.at.(*time.Time)
		}
	}
	return time.Time{}
}

func TestStoreHoldsWhatAListHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		folder, err := os.MkdirTemp("", "history")
		must(t, err)
		defer os.RemoveAll(folder)
		m := newModel(t, folder)
		defer func() { must(t, m.s.Close()) }()
		t.Repeat(map[string]func(*rapid.T){
			"":             m.check,
			"add":          func(t *rapid.T) { m.t = t; m.add() },
			"add another":  func(t *rapid.T) { m.t = t; m.add(); m.add() },
			"settle":       func(t *rapid.T) { m.t = t; m.settle() },
			"forgetAnswer": func(t *rapid.T) { m.t = t; m.forgetAnswer() },
			"forgetTenant": func(t *rapid.T) { m.t = t; m.forgetTenant() },
			"outlive":      func(t *rapid.T) { m.t = t; m.outlive() },
			"outage":       func(t *rapid.T) { m.t = t; m.outage() },
			"reopen":       func(t *rapid.T) { m.t = t; m.reopen() },
		})
		v, err := m.s.Verify(context.Background())
		if err != nil || len(v.Damaged)+len(v.Faults) > 0 || v.Rows != int64(len(m.rows))+1 { // and the key's
			t.Fatalf("%+v %v, want %d rows", v, err, len(m.rows))
		}
	})
}
