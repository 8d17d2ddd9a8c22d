package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// This file owns waiting for a daemon that still loads its model.

// Patience says how long a client waits. The zero value takes the error at once.
type Patience struct {
	Limit  time.Duration     // in all
	Report func(percent int) // hears of each refusal, if not nil
	Done   func()            // hears that the wait is over, however it ended, if there was one and it is not nil
}

// A daemon that does not say when to ask again is asked each second; one that says more than mostPause is
// asked sooner, so that the percentage moves.
const (
	defaultPause = time.Second
	mostPause    = 5 * time.Second
)

// whenLoaded asks until the daemon has loaded its model, or patience ends: then the refusal is the error.
func (c *Client) whenLoaded(ctx context.Context, ask func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	waited := false
	defer func() {
		if waited && c.Loading.Done != nil {
			c.Loading.Done()
		}
	}()
	for end := time.Now().Add(c.Loading.Limit); ; waited = true {
		body, err := ask()
		var refused *StatusError
		if !errors.As(err, &refused) || !refused.loading {
			return body, err
		}
		pause := defaultPause
		if refused.retryAfter > 0 {
			pause = min(refused.retryAfter, mostPause)
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, err
		}
		if c.Loading.Report != nil {
			c.Loading.Report(refused.percent)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}

// LoadingLine is what a person is shown meanwhile.
func LoadingLine(percent int) string {
	return fmt.Sprintf("the daemon is loading its model: %d %%", percent)
}
