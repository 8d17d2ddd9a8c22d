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
	"strings"
	"sync"
	"syscall"
	"time"

	"chimera/client"
)

// Load says what to send.
type Load struct {
	Clients  int     // closed loop: each sends its next request when the last is answered
	Rate     float64 // open loop: requests a second, Poisson arrivals; 0: closed
	Requests int     // in all
	Prompt   int     // words of each prompt
	Tokens   int     // of each answer
	Model    string
	Seed     uint64
}

// sample is one request as its client saw it.
type sample struct {
	ttft, total time.Duration
	tokens      int
	gaps        []time.Duration // between pieces of text
	err         error
}

// Check names what is out of range.
func (l Load) Check() error {
	for _, n := range []struct {
		name  string
		value int
	}{{"clients", l.Clients}, {"requests", l.Requests}, {"prompt-words", l.Prompt}, {"tokens", l.Tokens}} {
		if n.value < 1 {
			return fmt.Errorf("--%s is %d, it must be at least 1", n.name, n.value)
		}
	}
	if !(l.Rate >= 0) || math.IsInf(l.Rate, 0) {
		return fmt.Errorf("--rate is %v, it must be a number of requests per second, 0 for a closed loop", l.Rate)
	}
	return nil
}

// Run sends the load and reports. It ends early with ctx.
func Run(ctx context.Context, c *client.Client, l Load) (*Report, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	began, cpu := time.Now(), cpuTime()
	samples := l.send(ctx, c)
	r := report(l, samples, time.Since(began))
	r.OwnCPUShare = (cpuTime() - cpu).Seconds() / r.Seconds
	if r.Completed == 0 && len(samples) > 0 {
		return r, fmt.Errorf("no request was answered: %w", samples[0].err)
	}
	return r, nil
}

// send runs all requests; at most Clients at a time in a closed loop, as many as arrive in an open one.
func (l Load) send(ctx context.Context, c *client.Client) (samples []sample) {
	var mu sync.Mutex
	var group sync.WaitGroup
	wait := l.closedLoop
	if l.Rate > 0 {
		wait = l.openLoop
	}
	random := rand.New(rand.NewPCG(l.Seed, 0))
	next, done := wait(ctx, rand.New(rand.NewPCG(l.Seed, 1)))
	for range l.Requests {
		prompt := prompt(random, l.Prompt)
		if !next() {
			break
		}
		group.Go(func() {
			defer done()
			s := l.one(ctx, c, prompt)
			mu.Lock()
			samples = append(samples, s)
			mu.Unlock()
		})
	}
	group.Wait()
	return samples
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

// words are short and common, so that a word is about one token.
var words = strings.Fields("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part")

// prompt is random, so that no server answers from a prefix it has seen.
func prompt(random *rand.Rand, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = words[random.IntN(len(words))]
	}
	return strings.Join(list, " ")
}

func (l Load) one(ctx context.Context, c *client.Client, prompt string) (s sample) {
	last := time.Time{}
	zero := 0.0
	stats, err := c.Complete(ctx, prompt, client.Options{Model: l.Model, MaxTokens: &l.Tokens, Temperature: &zero}, func(string) {
		now := time.Now()
		if !last.IsZero() {
			s.gaps = append(s.gaps, now.Sub(last))
		}
		last = now
	})
	s.ttft, s.total, s.tokens, s.err = stats.TTFT, stats.Total, stats.Tokens, err
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
