package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// This file owns tests of decisions, and of what is on the disk when.

func TestDecisions(t *testing.T) {
	c := newClock()
	s := opened(t, Options{now: c.now})
	ctx := context.Background()
	var rows []int64
	for range 3 {
		row, err := s.Decide(ctx, Decision{Time: c.now(), Model: "m", From: "q8", To: "q4", State: Applied, Settled: c.now()})
		must(t, err)
		rows = append(rows, row)
	}
	c.advance(time.Minute)
	must(t, s.Settle(ctx, rows[0], Applied))
	must(t, s.Settle(ctx, rows[1], Reverted))
	for _, row := range rows[:2] {
		if err := s.Settle(ctx, row, Applied); !errors.Is(err, ErrSettled) {
			t.Error(err)
		}
	}
	if err := s.Settle(ctx, 99, Applied); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	var states []DecisionState
	for d, err := range s.Decisions(ctx, Span{}) {
		must(t, err)
		if d.State == Begun && !d.Settled.IsZero() || d.State != Begun && !d.Settled.Equal(c.now()) {
			t.Errorf("%+v", d)
		}
		states = append(states, d.State)
	}
	if len(states) != 3 || states[0] != Applied || states[1] != Reverted || states[2] != Begun {
		t.Errorf("%v", states)
	}
	for d, err := range s.Unfinished(ctx) {
		if err != nil || d.Row != rows[2] {
			t.Errorf("%+v %v", d, err)
		}
		states = append(states, d.State)
	}
	if len(states) != 4 {
		t.Errorf("%v", states)
	}
}

// Decisions are synced to the disk, measurements are not.
func TestDurable(t *testing.T) {
	s := opened(t, Options{})
	level := func(w *writer) (n int) {
		must(t, w.c.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&n))
		return n
	}
	const normal, full = 1, 2
	must(t, s.ask(context.Background(), func(w *writer) error {
		before, inside := level(w), 0
		err := w.durable(func() error { inside = level(w); return nil })
		failed := w.durable(func() error { return errors.New("no") })
		if before != normal || inside != full || level(w) != normal || err != nil || failed == nil {
			t.Errorf("%d, %d, %d: %v %v", before, inside, level(w), err, failed)
		}
		return nil
	}))
}

// Spans have their beginning and not their end, and come in order of time.
func TestSpans(t *testing.T) {
	s := opened(t, Options{})
	at := newClock().now()
	for _, minutes := range []time.Duration{3, 1, 2, 4} {
		must(t, s.AddWindow(Window{From: at, Until: at.Add(minutes * time.Minute), Requests: int64(minutes)}))
	}
	flush(t, s)
	for _, c := range []struct {
		from, until time.Duration
		want        string
	}{{0, 0, "1234"}, {2, 0, "234"}, {0, 3, "12"}, {2, 3, "2"}, {5, 0, ""}} {
		var span Span
		if c.from > 0 {
			span.From = at.Add(c.from * time.Minute)
		}
		if c.until > 0 {
			span.Until = at.Add(c.until * time.Minute)
		}
		got := ""
		for w, err := range s.Windows(context.Background(), span) {
			must(t, err)
			got += string(rune('0' + w.Requests))
		}
		if got != c.want {
			t.Errorf("%d to %d: %s, want %s", c.from, c.until, got, c.want)
		}
	}
}

// What is read when its context ends is no damage.
func TestReadingEnds(t *testing.T) {
	s := opened(t, Options{})
	addExamples(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range s.Scores(ctx, Span{}) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if s.State().Damaged != 0 {
		t.Errorf("%+v", s.State())
	}
}
