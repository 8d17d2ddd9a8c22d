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
	Report func(percent int) // hears of the load each second, if not nil
	Done   func()            // hears that the wait is over, however it ended, if Report heard anything
}

// A daemon is asked for its progress each second. It is asked again for the answer as soon as it says, but
// each few seconds at the least: a load ends when it ends.
const (
	reportPause = time.Second
	mostPause   = 5 * time.Second
)

// whenLoaded asks until the daemon has loaded its model, or patience ends: then the refusal is the error.
func (c *Client) whenLoaded(ctx context.Context, ask func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	defer c.reportLoad(ctx)()
	for end := time.Now().Add(c.Loading.Limit); ; {
		body, err := ask()
		var refused *StatusError
		if !errors.As(err, &refused) || !refused.loading {
			return body, err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, err
		}
		again := max(min(refused.retryAfter, mostPause), reportPause)
		if err := pause(ctx, min(again, left)); err != nil {
			return nil, err
		}
	}
}

// reportLoad reports until the function that it returns is called. It goes beside the question, since a daemon
// holds that for some seconds before it refuses it.
func (c *Client) reportLoad(ctx context.Context) (stop func()) {
	if c.Loading.Report == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	reported := make(chan bool, 1)
	go func() {
		heard := false
		for pause(ctx, reportPause) == nil {
			percent, loads := c.loadedPercent(ctx)
			if !loads || ctx.Err() != nil {
				break
			}
			heard = true
			c.Loading.Report(percent)
		}
		reported <- heard
	}()
	return func() {
		cancel()
		if <-reported && c.Loading.Done != nil {
			c.Loading.Done()
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// loadedPercent is how far a load is. A server that does not say loads nothing.
func (c *Client) loadedPercent(ctx context.Context) (read int, loads bool) {
	text, err := c.Status(ctx)
	if err != nil {
		return 0, false
	}
	s, err := ParseStatus(text)
	if err != nil || s.State != "loading" || s.Percent == nil {
		return 0, false
	}
	return percent(*s.Percent), true
}

// LoadingLine is what a person is shown meanwhile.
func LoadingLine(percent int) string {
	return fmt.Sprintf("the daemon is loading its model: %d %%", percent)
}
