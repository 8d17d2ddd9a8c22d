package api

import (
	"context"
	"testing"
	"time"
)

// This file owns tests of who asks for an answer that has just been given.

// Who names an answer that is about to be told of waits until it was; nobody waits for another's, or for ever.
func TestEndingIsWaitedFor(t *testing.T) {
	var e ending
	mine, other := AnswerID{1}, AnswerID{2}
	e.wait(t.Context(), mine) // nothing is under way
	e.begin(mine)
	e.begin(other)
	waited := make(chan struct{})
	go func() {
		e.wait(t.Context(), mine)
		close(waited)
	}()
	e.end(other)
	select {
	case <-waited:
		t.Fatal("it waits for another's answer")
	case <-time.After(20 * time.Millisecond):
	}
	e.end(mine)
	<-waited
	e.end(mine) // told of once more, as one that had no id
	if len(e.all) != 0 {
		t.Errorf("%d answers are kept", len(e.all))
	}
	e.begin(mine)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	e.wait(gone, mine) // returns, as its client has gone
	began := time.Now()
	if e.wait(t.Context(), mine); time.Since(began) < longestEnding {
		t.Errorf("it gave up after %v", time.Since(began))
	}
}

// An answer's name is waited for until its receipt is on its way, and no longer.
func TestReceiptIsWaitedFor(t *testing.T) {
	h, _ := newWatched(t)
	var waited []bool // for, while it is told of
	h.Server.Answered = func(a Answered) {
		_, there := h.Server.ending.all[a.Work.ID]
		waited = append(waited, there)
	}
	h.post(textPath, `{"prompt":"abc","max_tokens":2}`)
	h.post(chatPath, `{"messages":[{"role":"user","content":"a"}],"max_tokens":2,"stream":true}`)
	if len(waited) != 2 || !waited[0] || !waited[1] || len(h.Server.ending.all) != 0 {
		t.Errorf("two answers: %v, and %d are under way", waited, len(h.Server.ending.all))
	}
}
