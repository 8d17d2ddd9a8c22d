package daemon

import (
	"context"
	"testing"
	"time"

	"chimera/api"
	"chimera/measure"
	"chimera/store"
)

// This file owns tests of what requests and models count as.

func TestEndOf(t *testing.T) {
	for _, c := range []struct {
		status, tokens int
		want           measure.End
	}{
		{200, 5, measure.Completed}, {200, 0, measure.Completed}, {499, 0, measure.Cancelled}, {499, 3, measure.Cancelled}, {429, 0, measure.Refused}, {503, 0, measure.Refused},
		{503, 2, measure.Failed}, {500, 0, measure.Failed}, {500, 7, measure.Failed},
	} {
		if got := endOf(api.Answered{Status: c.status, Tokens: c.tokens}); got != c.want {
			t.Errorf("%d with %d tokens: %d, want %d", c.status, c.tokens, got, c.want)
		}
	}
}

// Of several answers the one that did not come to its end tells, and who hung up or was cut off had none.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		status   int
		finishes []string
		want     store.AnswerOutcome
	}{
		{200, []string{"stop"}, store.Stopped}, {200, []string{"stop", "length", "stop"}, store.Lengthy}, {499, []string{""}, store.Cancelled}, {503, []string{"stop", ""}, store.Failed}, {500, []string{""}, store.Failed},
	} {
		a := api.Answered{Status: c.status, Work: &api.Work{}}
		for _, f := range c.finishes {
			a.Work.Answers = append(a.Work.Answers, api.AnswerWork{Finish: f})
		}
		if got := outcomeOf(a); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// of is what a key was charged of CPU time, by all weights.
func of(spent measure.Spent, key measure.Key) (cpu time.Duration) {
	for p, c := range spent.Steps {
		if p.Key == key {
			cpu += c.CPU
		}
	}
	return cpu
}

// What a model has cost does not go with it: counters never fall.
func TestCostsOutliveTheModel(t *testing.T) {
	r := newRemembering(t, nil)
	for range 20 {
		r.complete(dayKey, request())
	}
	before := r.models.spent()
	if err := r.models.Unload(context.Background(), "m"); err != nil {
		t.Fatal(err)
	}
	key := measure.Key{Model: "m", Tenant: "day", Class: "interactive"}
	if after := r.models.spent(); of(after, key) < of(before, key) || of(before, key) <= 0 || after.Overhead < before.Overhead {
		t.Errorf("%+v, before it was unloaded %+v", after, before)
	}
	r.complete(dayKey, request())
	if again := r.models.spent(); of(again, key) <= of(before, key) {
		t.Errorf("%+v when it was loaded again", again)
	}
}

// The last window is written when the daemon ends, with what was served in it.
func TestLastWindow(t *testing.T) {
	r := newRemembering(t, nil)
	r.complete(dayKey, request())
	file := r.config.History.File
	r.stop()
	r.http, r.stops = nil, nil
	s, err := store.Open(file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	requests := int64(0)
	for w, err := range s.Windows(context.Background(), store.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		requests += w.Requests
	}
	costs := 0
	for c, err := range s.Costs(context.Background(), store.Span{}) {
		if err != nil || time.Since(c.Until) > time.Minute {
			t.Fatal(err, c)
		}
		costs++
	}
	if requests != 1 || costs == 0 {
		t.Errorf("%d requests, %d rows of costs", requests, costs)
	}
}
