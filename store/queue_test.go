package store

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// This file owns tests of what may be added, and of what becomes of it when the writer is slow or others want it too.

// held stops the writer until the function returned is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	at, go_ := make(chan struct{}), make(chan struct{})
	go s.ask(context.Background(), func(*writer) error {
		close(at)
		<-go_
		return nil
	})
	<-at
	return sync.OnceFunc(func() { close(go_) })
}

// The writer stands still: adding returns all the same, what does not fit is counted, and a decision waits instead.
func TestFullQueue(t *testing.T) {
	s := opened(t, Options{})
	release := hold(t, s)
	defer release()
	began := time.Now()
	for i := range maxRows + 7 {
		err := s.AddScore(Score{N: int64(i)})
		if full := i >= maxRows; full != errors.Is(err, ErrFull) || !full && err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("adding took %v", took)
	}
	if state := s.State(); state.Queued != maxRows || state.Dropped != 7 || state.Written != 0 {
		t.Errorf("%+v", state)
	}
	decided := make(chan error)
	go func() {
		_, err := s.Decide(context.Background(), Decision{Model: "m"})
		decided <- err
	}()
	release()
	must(t, <-decided)
	flush(t, s)
	if state := s.State(); state.Queued != 0 || state.Dropped != 7 || state.Written != maxRows {
		t.Errorf("%+v", state)
	}
	rows, errs := everything(s)
	if len(rows) != maxRows+1 || len(errs) > 0 {
		t.Errorf("%d rows, %v", len(rows), errs)
	}
	must(t, s.AddScore(Score{}))
}

// Texts are bounded by their bytes.
func TestQueueOfTexts(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	release := hold(t, s)
	defer release()
	text := strings.Repeat("t", maxText)
	taken := 0
	for range 2 * maxBytes / maxText {
		if s.AddReceipt(Receipt{Answer: NewID(), Text: &text}) == nil {
			taken++
		}
	}
	if taken != (maxBytes-1)/maxText {
		t.Errorf("%d texts of %d bytes taken", taken, maxText)
	}
	release()
	flush(t, s)
	if state := s.State(); state.Written != int64(taken) || s.queue.bytes != 0 {
		t.Errorf("%+v %d", state, s.queue.bytes)
	}
}

// A decision that nobody waits for any more is not written.
func TestDecisionGivenUp(t *testing.T) {
	s := opened(t, Options{})
	release := hold(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Decide(ctx, Decision{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	release()
	flush(t, s)
	if rows, errs := everything(s); len(rows)+len(errs) > 0 {
		t.Errorf("%v %v", rows, errs)
	}
}

// Nobody asks for it, and a row is on the disk within a second; a thousand of them sooner.
func TestWrittenWithinASecond(t *testing.T) {
	s := opened(t, Options{})
	for _, rows := range []int{1, 3, maxRows / 2} {
		before, began := s.State().Written, time.Now()
		for range rows {
			must(t, s.AddScore(Score{}))
		}
		for s.State().Written < before+int64(rows) {
			if time.Since(began) > 10*time.Second { // a busy machine; else half a second
				t.Fatalf("%d rows are not written: %+v", rows, s.State())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if flushEvery > time.Second-200*time.Millisecond {
		t.Errorf("rows wait %v", flushEvery)
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	long, text := strings.Repeat("n", maxName+1), strings.Repeat("t", maxText+1)
	for want, r := range map[string]record{
		"scores.metric: 513 bytes, at most 512 are kept":         &Score{Metric: long},
		"windows.class: 513 bytes":                               &Window{Class: long},
		"alarms.series: 513":                                     &Alarm{Series: long},
		"alarms.evidence: it is no JSON":                         &Alarm{Evidence: json.RawMessage("{")},
		"alarms.evidence: 65538 bytes, at most 65536":            &Alarm{Evidence: json.RawMessage(`"` + strings.Repeat("e", maxEvidence) + `"`)},
		"decisions.reason: 513":                                  &Decision{Reason: long},
		"decisions.evidence: it is no JSON":                      &Decision{Evidence: json.RawMessage("x")},
		"ratings.answer: it names no answer":                     &Rating{Rating: 3},
		"ratings.rating: 6, it must lie between 1 and 5":         &Rating{Answer: ID{1}, Rating: 6},
		"ratings.rating: 0":                                      &Rating{Answer: ID{1}},
		"ratings.correction: 4194305 bytes, at most 4194304":     &Rating{Answer: ID{1}, Rating: 1, Correction: &text},
		"receipts.answer: it names no answer":                    &Receipt{},
		"receipts.cache_level: 513":                              &Receipt{Answer: ID{1}, CacheLevel: long},
		"receipts.prompt_text: 4194305 bytes":                    &Receipt{Answer: ID{1}, Prompt: &text},
		"receipts.answer_text: 4194305 bytes, at most 4194304 a": &Receipt{Answer: ID{1}, Text: &text},
		"receipts.logit_bias: 4194305 bytes":                     &Receipt{Answer: ID{1}, LogitBias: &text},
		"receipts.lengths: 65537 bytes, at most 65536":           &Receipt{Answer: ID{1}, Lengths: strings.Repeat(" ", maxLengths+1)},
		"costs.model: 513":                                       &Cost{Model: long},
	} {
		var f *FieldError
		if err := add(s, r); !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := s.Settle(context.Background(), 1, Begun); err == nil || !strings.Contains(err.Error(), `decisions.state: "begun" settles nothing`) {
		t.Error(err)
	}
	if _, err := s.ForgetTenant(context.Background(), ""); err == nil {
		t.Error("all of no tenant was forgotten")
	}
	flush(t, s)
	if rows, _ := everything(s); len(rows) > 0 {
		t.Errorf("%v", rows)
	}
}

// A row that the database refuses costs none that came with it.
func TestSecondReceipt(t *testing.T) {
	s := opened(t, Options{})
	for _, r := range []Receipt{{Answer: ID{1}, Model: "first"}, {Answer: ID{1}, Model: "second"}, {Answer: ID{2}}} {
		must(t, s.AddReceipt(r))
	}
	flush(t, s)
	if state := s.State(); state.Refused != 1 || state.Written != 2 || state.Err != nil {
		t.Errorf("%+v", state)
	}
	r, err := s.Receipt(context.Background(), ID{1})
	if err != nil || r.Model != "first" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := s.Receipt(context.Background(), ID{3}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// What is queued when the store is closed is written; what comes later is refused.
func TestClose(t *testing.T) {
	path := t.TempDir() + "/history.db"
	s := mustOpen(t, path, Options{})
	must(t, s.AddScore(Score{N: 5}))
	must(t, s.Close())
	must(t, s.Close())
	if err := s.AddScore(Score{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Decide(context.Background(), Decision{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	s = mustOpen(t, path, Options{})
	defer s.Close()
	if rows, _ := everything(s); len(rows) != 1 {
		t.Errorf("%v", rows)
	}
}

// Everybody at once, for the race detector; nothing that was taken is lost.
func TestManyAtOnce(t *testing.T) {
	s := opened(t, Options{Privacy: All})
	var all sync.WaitGroup
	for who := range 4 {
		all.Go(func() {
			for i := range 200 {
				must(t, s.AddReceipt(Receipt{Answer: ID{byte(who), byte(i), 1}, Tenant: s.Tenant("a")}))
			}
		})
		all.Go(func() {
			for range 5 {
				row, err := s.Decide(context.Background(), Decision{})
				must(t, err)
				must(t, s.Settle(context.Background(), row, Reverted))
				everything(s)
				s.State()
			}
		})
	}
	all.Wait()
	flush(t, s)
	if rows, errs := everything(s); len(rows) != 4*200+4*5 || len(errs) > 0 {
		t.Errorf("%d rows %v", len(rows), errs)
	}
}
