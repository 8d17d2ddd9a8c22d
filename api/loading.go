package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// This file owns what is answered while the model loads: the listeners are up before it, so that health says how far it is.

// loadingPatience is how long a request without a deadline waits for the model: a small one is there by then, as it is for a
// client whose connection has started the daemon; whoever asks for a large one is told how far it is.
const loadingPatience = 30 * time.Second

// Loading is a model on its way.
type Loading struct {
	patience time.Duration
	percent  atomic.Int32
	waiting  atomic.Int32 // requests, see wait
	end      sync.Once
	err      error
	done     chan struct{}
}

// NewLoading is a model of which nothing has been read.
func NewLoading() *Loading { return &Loading{patience: loadingPatience, done: make(chan struct{})} }

// Progress notes how much has been read; see engine.LoadOptions.
func (l *Loading) Progress(done, total int64) {
	if total > 0 {
		l.percent.Store(int32(min(max(100*(float64(done)/float64(total)), 0), 100)))
	}
}

// Percent is how much has been read.
func (l *Loading) Percent() int { return int(l.percent.Load()) }

// Waiting is how many requests wait for the model.
func (l *Loading) Waiting() int { return int(l.waiting.Load()) }

// End says that the model answers, or why it never will. Later calls change nothing.
func (l *Loading) End(err error) {
	l.end.Do(func() {
		l.err = err
		close(l.done)
	})
}

// Done is closed when the model answers, or never will.
func (l *Loading) Done() <-chan struct{} { return l.done }

// check tells why no model answers. A server that was given none has its model.
func (l *Loading) check() error {
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		return l.err
	default:
		return &HTTPError{
			Status: 503, Type: "server_error", Code: "loading",
			Message: fmt.Sprintf("the model is loading, %d %% of it is read: try again in a moment", l.Percent()),
		}
	}
}

// wait gives the model its time, or most where a request has a deadline. ctx is the request's.
func (l *Loading) wait(ctx context.Context, most time.Duration) error {
	if l == nil {
		return nil
	}
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	t := time.NewTimer(cmp.Or(most, l.patience))
	defer t.Stop()
	select {
	case <-l.done:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.check()
}

// isLoading tells whether an error says so.
func isLoading(err error) bool {
	h := (*HTTPError)(nil)
	return errors.As(err, &h) && h.Code == "loading"
}
