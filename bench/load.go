// Package bench is the load generator: it drives any OpenAI-compatible server and reports what its
// clients see.
//
// This file owns the load: clients in a closed loop, or arrivals at a rate in an open one.
package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"chimera/client"
)

// Load says what to send.
type Load struct {
	Clients  int     // closed loop: each sends its next request when the last is answered
	Rate     float64 // open loop: requests a second, Poisson arrivals; 0: closed
	Requests int     // that are counted
	// WarmUp is how many more are sent before those and, until the last of them is answered, behind them, so that the load is
	// whole while they are counted: in a closed loop at least Clients do that.
	WarmUp int
	Prompt int // words of each prompt
	Shared int // more words before those, the same for all
	Repeat int // so many prompts, in turn; 0: no two alike
	Tokens int // of each answer
	Model  string
	Seed   uint64
	Within time.Duration // a first token that comes so soon makes a good answer; 0: none is told apart
}

// Check names what is out of range.
func (l Load) Check() error {
	for _, n := range []struct {
		name         string
		value, least int
	}{
		{"clients", l.Clients, 1}, {"requests", l.Requests, 1}, {"prompt-words", l.Prompt, 1}, {"tokens", l.Tokens, 1},
		{"warm-up", l.WarmUp, 0}, {"shared-words", l.Shared, 0}, {"repeat", l.Repeat, 0},
	} {
		if n.value < n.least {
			return fmt.Errorf("--%s is %d, it must be at least %d", n.name, n.value, n.least)
		}
	}
	if !(l.Rate >= 0) || math.IsInf(l.Rate, 0) {
		return fmt.Errorf("--rate is %v, it must be a number of requests per second, 0 for a closed loop", l.Rate)
	}
	return nil
}

// Run sends the load and reports. It ends early with ctx, and then counts what had been answered.
func Run(ctx context.Context, c *client.Client, l Load) (*Report, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	counting, stop := context.WithCancel(ctx)
	defer stop()
	w := newWindow(l.WarmUp, l.Requests, time.Now(), cpuTime)
	w.full = stop
	l.send(counting, c, w)
	w.end(time.Now())
	r := report(l, w)
	if r.Completed == 0 && len(w.samples) > 0 {
		return r, fmt.Errorf("no request was answered: %w", w.samples[0].err)
	}
	return r, nil
}

// send runs all requests; at most Clients at a time in a closed loop, as many as arrive in an open one.
func (l Load) send(ctx context.Context, c *client.Client, w *window) {
	var group sync.WaitGroup
	wait := l.closedLoop
	if l.Rate > 0 {
		wait = l.openLoop
	}
	next, done := wait(ctx, rand.New(rand.NewPCG(l.Seed, arrivals)))
	prompts := l.prompts()
	for i := range l.Requests + 2*l.WarmUp {
		prompt := prompts.at(i)
		if !next() {
			break
		}
		group.Go(func() {
			defer done()
			w.sent(time.Now())
			s := l.one(ctx, c, prompt)
			if s.err != nil && ctx.Err() != nil {
				return // nobody waits for it any more: that is no failure of the server
			}
			w.finished(time.Now(), s)
		})
	}
	group.Wait()
}

// closedLoop lets a request go when a client is free.
func (l Load) closedLoop(ctx context.Context, _ *rand.Rand) (next func() bool, done func()) {
	places := make(chan struct{}, l.Clients)
	next = func() bool {
		select {
		case places <- struct{}{}:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
	return next, func() { <-places }
}

// openLoop lets requests go at random times that do not depend on the answers. The times are laid down
// from the start, so that what sending costs does not lower the rate.
func (l Load) openLoop(ctx context.Context, random *rand.Rand) (next func() bool, done func()) {
	arrival := time.Now()
	next = func() bool {
		arrival = arrival.Add(time.Duration(random.ExpFloat64() / l.Rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(arrival)):
			return true
		case <-ctx.Done():
			return false
		}
	}
	return next, func() {}
}

func (l Load) one(ctx context.Context, c *client.Client, prompt string) (s sample) {
	began, last := time.Now(), time.Time{}
	zero := 0.0
	stats, err := c.Complete(ctx, prompt, client.Options{Model: l.Model, MaxTokens: &l.Tokens, Temperature: &zero}, func(string) {
		now := time.Now()
		if !last.IsZero() {
			s.gaps = append(s.gaps, now.Sub(last))
		}
		last = now
	})
	s.ttft, s.promptTokens, s.tokens, s.err = stats.TTFT, stats.PromptTokens, stats.Tokens, err
	s.total = time.Since(began)
	return s
}

// cpuTime is what this process has used: a generator that is busy itself measures itself.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
