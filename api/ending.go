package api

import (
	"context"
	"sync"
	"time"
)

// This file owns answers that are about to be told of. A client has an answer's id with its first bytes, and its end before the daemon knows that the
// last of them was taken: who rates it or asks for its receipt in that moment waits for it.

// ending are answers whose clients may know their ids, and of which nobody was told yet.
type ending struct {
	mu  sync.Mutex
	all map[AnswerID]chan struct{} // closed when it was told of
}

// longestEnding is how long somebody waits for an answer that is under way: what is between its last byte and its receipt takes microseconds, and an
// answer that is still given has no receipt yet.
const longestEnding = time.Second

func (e *ending) begin(id AnswerID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		e.all = map[AnswerID]chan struct{}{}
	}
	e.all[id] = make(chan struct{})
}

func (e *ending) end(id AnswerID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if told, there := e.all[id]; there {
		close(told)
		delete(e.all, id)
	}
}

// wait returns when an answer was told of, or was not under way, or has not ended in a while.
func (e *ending) wait(ctx context.Context, id AnswerID) {
	e.mu.Lock()
	told, there := e.all[id]
	e.mu.Unlock()
	if !there {
		return
	}
	patience := time.NewTimer(longestEnding)
	defer patience.Stop()
	select {
	case <-told:
	case <-patience.C:
	case <-ctx.Done():
	}
}
