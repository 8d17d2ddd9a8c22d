// Package bench is the load generator: it drives any OpenAI-compatible server and reports what its
// clients see.
//
// This file owns the load: clients in a closed loop, or arrivals at a rate in an open one.
package bench

import (
	"context"
	"fmt"
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

// Run sends the load and reports. It ends early with ctx.
func Run(ctx context.Context, c *client.Client, l Load) (*Report, error) {
	if l.Requests < 1 || l.Clients < 1 || l.Tokens < 1 || l.Prompt < 1 || l.Rate < 0 {
		return nil, fmt.Errorf("clients, requests, prompt and tokens must be positive, rate not negative")
	}
	began, cpu := time.Now(), cpuTime()
	samples := l.send(ctx, c)
	r := report(l, samples, time.Since(began))
	r.OwnCPUShare = (cpuTime() - cpu).Seconds() / time.Since(began).Seconds()
	if r.Completed == 0 && len(samples) > 0 {
		return r, fmt.Errorf("no request was answered: %w", samples[0].err)
	}
	return r, nil
}

// send runs all requests; at most Clients at a time in a closed loop, as many as arrive in an open one.
func (l Load) send(ctx context.Context, c *client.Client) (samples []sample) {
	var mu sync.Mutex
	var group sync.WaitGroup
	places := make(chan struct{}, l.Clients)
	random := rand.New(rand.NewPCG(l.Seed, 0))
	for i := 0; i < l.Requests && ctx.Err() == nil; i++ {
		prompt := prompt(random, l.Prompt)
		if l.Rate > 0 {
			time.Sleep(time.Duration(random.ExpFloat64() / l.Rate * float64(time.Second)))
		} else {
			places <- struct{}{}
		}
		group.Go(func() {
			s := l.one(ctx, c, prompt)
			mu.Lock()
			samples = append(samples, s)
			mu.Unlock()
			if l.Rate == 0 {
				<-places
			}
		})
	}
	group.Wait()
	return samples
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
