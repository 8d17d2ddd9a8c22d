package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chimera/bench"
)

// This file owns what is measured: a row is a load, and the figures that are told of it.

// row is measured on a server that was started for it, or on engines alone.
type row struct {
	name, about string
	steps       steps              // of engines, where there is nothing to measure of a server
	clients     int                // places that the peer needs
	context     int                // tokens of each
	alone       bool               // Chimera's own ratio, for which no peer is needed
	config      func(setup) string // the daemon's settings; nil: the model is all it is told
	measure     func(ctx context.Context, x *server, seed uint64) (figures, error)
}

// figure is one number; less tells whether less of it is better.
type figure struct {
	name  string
	value float64
	less  bool
}

type figures []figure

func (f figures) String() string {
	var all []string
	for _, x := range f {
		all = append(all, fmt.Sprintf("%s %.4g", x.name, x.value))
	}
	return strings.Join(all, "; ")
}

// What a client of the standard load asks: words, and tokens of the answer.
const (
	promptWords  = 128
	answerTokens = 64
	shortContext = 320 // of those, with room
)

var rows = []row{
	{name: "engine", about: "engine alone", steps: steps{prompt: 512, generate: answerTokens}},
	batch(8), batch(32),
	{name: "prompt-4096", about: "engine alone", steps: steps{prompt: 4096}},
	unique(1), unique(8), unique(32), repeated(8), repeated(32), started(8), started(32),
	{name: "shared", about: "512 shared words and 32 of the user, idle", clients: 1, context: 1024, measure: shared},
	{name: "long", about: "8 clients beside prompts of 4,000 words", alone: true, measure: long}, // half an hour of the peer
	{name: "overload", about: "arrivals at 10x the capacity", alone: true, measure: overload},
	{name: "tenants", about: "a client beside another's 256 requests", alone: true, config: withTenants, measure: tenants},
	{name: "models", about: "three models, 8 clients each", alone: true, config: withModels, measure: models},
}

// batch is an engine that decodes several sequences in each step.
func batch(rows int) row {
	return row{name: fmt.Sprintf("batch-%d", rows), about: fmt.Sprintf("engine alone, %d sequences", rows), steps: steps{generate: answerTokens, batch: rows}}
}

func unique(clients int) row {
	return row{name: fmt.Sprintf("unique-%d", clients), about: plural(clients) + ", no two prompts alike", clients: clients, context: shortContext,
		measure: func(ctx context.Context, x *server, seed uint64) (figures, error) {
			r, err := x.run(ctx, x.standard(clients, seed))
			if err != nil {
				return nil, err
			}
			f := seen(r)
			if x.name != chimera.name {
				return f, nil
			}
			engine, err := x.engineQPS(ctx, clients, int(r.PromptTokens+.5))
			return append(f, figure{name: "requests/s, of the engine alone", value: r.QPS / engine}), err
		}}
}

func repeated(clients int) row {
	return row{name: fmt.Sprintf("repeated-%d", clients), about: plural(clients) + ", 3 prompts in turn", clients: clients, context: shortContext,
		measure: func(ctx context.Context, x *server, seed uint64) (figures, error) {
			return x.repeat(ctx, x.standard(clients, seed))
		}}
}

// startedWaves are enough that the first prompt of each client is less than the slowest twentieth of the requests.
const startedWaves = 25

// started counts from a server's first request on: each prompt has to be computed, once or as often as there are places for it.
func started(clients int) row {
	return row{name: fmt.Sprintf("started-%d", clients), about: plural(clients) + ", 3 prompts in turn, from the start on", clients: clients, context: shortContext,
		measure: func(ctx context.Context, x *server, seed uint64) (figures, error) {
			l := x.standard(clients, seed)
			l.Requests, l.WarmUp = clients*startedWaves, 0
			return x.repeat(ctx, l)
		}}
}

// repeat sends a load whose prompts are three, in turn.
func (x *server) repeat(ctx context.Context, l bench.Load) (figures, error) {
	l.Repeat = 3
	r, err := x.run(ctx, l)
	if err != nil {
		return nil, err
	}
	return seen(r), nil
}

func plural(clients int) string {
	if clients == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", clients)
}

// standard is the load that most rows are of.
func (x *server) standard(clients int, seed uint64) bench.Load {
	return bench.Load{Clients: clients, Requests: clients * x.waves, WarmUp: clients, Prompt: promptWords, Tokens: answerTokens, Seed: seed}
}

// run sends a load; one that was not answered as a whole has no figures.
func (x *server) run(ctx context.Context, l bench.Load) (*bench.Report, error) {
	r, err := bench.Run(ctx, x.client, l)
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%d of %d requests failed: %s", r.Failed, r.Failed+r.Completed, r.FirstError)
	}
	return r, errors.Join(err, ctx.Err())
}

// seen are the figures of a load as its clients saw it.
func seen(r *bench.Report) figures {
	return figures{
		{name: "requests/s", value: r.QPS}, {name: "tokens/s", value: r.TokensPerSecond},
		{name: "TTFT p50 (ms)", value: r.TTFT.P50, less: true}, {name: "TTFT p95 (ms)", value: r.TTFT.P95, less: true},
		{name: "ITL p50 (ms)", value: r.ITL.P50, less: true}, {name: "ITL p99 (ms)", value: r.ITL.P99, less: true},
		{name: "Little's law, apart (%)", value: 100 * r.Little.Apart, less: true}, {name: "load generator (% of cores)", value: 100 * r.OwnCPUShare, less: true},
	}
}

// shared asks with prompts that begin as none before, then with one beginning: what the user waits for behind a system prompt.
func shared(ctx context.Context, x *server, seed uint64) (figures, error) {
	l := bench.Load{Clients: 1, Requests: x.waves, WarmUp: 1, Prompt: 544, Tokens: 4, Seed: seed}
	cold, err := x.run(ctx, l)
	if err != nil {
		return nil, err
	}
	l.Prompt, l.Shared = 32, 512
	warm, err := x.run(ctx, l)
	if err != nil {
		return nil, err
	}
	return figures{
		{name: "TTFT p50, cold (ms)", value: cold.TTFT.P50, less: true}, {name: "TTFT p50, warm (ms)", value: warm.TTFT.P50, less: true},
		{name: "TTFT, warm of cold", value: warm.TTFT.P50 / cold.TTFT.P50, less: true},
	}, nil
}

// long has one client send long prompts, one after the other, while eight send the standard load for as long as those take.
func long(ctx context.Context, x *server, seed uint64) (figures, error) {
	standard, prompts := x.standard(8, seed), bench.Load{Clients: 1, Requests: 2, Prompt: 4000, Tokens: 1, Seed: seed}
	without, err := x.run(ctx, standard)
	if err != nil {
		return nil, err
	}
	alone, err := x.run(ctx, prompts)
	if err != nil {
		return nil, err
	}
	standard.Seed, prompts.Seed, standard.Requests, prompts.WarmUp = seed+1000, seed+1000, many, 1
	beside, with, err := x.beside(ctx, prompts, standard)
	if err != nil {
		return nil, err
	}
	return figures{
		{name: "ITL p99, without (ms)", value: without.ITL.P99, less: true}, {name: "ITL p99, beside (ms)", value: with.ITL.P99, less: true},
		{name: "ITL p99, beside of without", value: with.ITL.P99 / without.ITL.P99, less: true},
		{name: "long prompt's TTFT, alone (ms)", value: alone.TTFT.P50, less: true}, {name: "long prompt's TTFT, beside (ms)", value: beside.TTFT.P50, less: true},
		{name: "long prompt's TTFT, beside of alone", value: beside.TTFT.P50 / alone.TTFT.P50, less: true},
	}, nil
}

// many is more than any row sends: the load goes on until it is ended.
const many = 1_000_000

// beside runs one load while another goes on.
func (x *server) beside(ctx context.Context, l, other bench.Load) (r, of *bench.Report, err error) {
	during, end := context.WithCancel(ctx)
	defer end()
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		of, failed = bench.Run(during, x.client, other)
	}()
	r, err = x.run(ctx, l)
	end()
	<-done
	if of != nil && of.Completed == 0 {
		failed = errors.Join(failed, errors.New("of the load beside nothing was answered in time"))
	}
	return r, of, errors.Join(err, failed)
}

// Seconds of the overload: until it is steady, and counted. Each request says by when its first token is due.
const (
	overloadWarmUp   = 10
	overloadCounts   = 20
	overloadDeadline = 2 * time.Second
)

// overload sends ten times what the server can do, which it finds out first. An answer that begins behind its deadline is no good, at the peak or beyond it.
// At the peak no request names a deadline: clients in a closed loop that are refused at once are back at once, which would be another overload.
func overload(ctx context.Context, x *server, seed uint64) (figures, error) {
	standard := x.standard(32, seed)
	standard.Within = overloadDeadline
	peak, err := x.run(ctx, standard)
	if err != nil {
		return nil, err
	}
	before, err := x.peakMemory()
	if err != nil {
		return nil, err
	}
	x.client.Header = http.Header{"X-Chimera-Deadline-Ms": {strconv.FormatInt(overloadDeadline.Milliseconds(), 10)}}
	l := x.standard(1, seed+1000)
	l.Rate, l.Within = 10*peak.QPS, overloadDeadline
	l.WarmUp, l.Requests = int(l.Rate*overloadWarmUp), int(l.Rate*overloadCounts)
	r, err := bench.Run(ctx, x.client, l)
	if err != nil {
		return nil, err
	}
	after, err := x.peakMemory()
	if err != nil {
		return nil, err
	}
	f, err := ofOverload(r, peak)
	return append(f, figure{name: "memory beyond that at peak (MiB)", value: after - before, less: true}, figure{name: "load generator (% of cores)", value: 100 * r.OwnCPUShare, less: true}), errors.Join(err, ctx.Err())
}

// ofOverload are the figures of a load beside those of the peak: goodput is of what began in time, and each request is in one of the shares.
func ofOverload(r, peak *bench.Report) (figures, error) {
	if peak.Good == 0 {
		return nil, fmt.Errorf("at its peak no answer began within %v", overloadDeadline)
	}
	all := float64(r.Completed + r.Failed)
	goodput := func(r *bench.Report) float64 { return float64(r.Good) / r.Seconds }
	refused := func(codes ...string) (n int) {
		for _, code := range codes {
			n += r.Codes[code]
		}
		return n
	}
	late, full, passed := refused("overloaded", "deadline_too_short"), refused("queue_full"), refused("deadline_exceeded")
	share := func(n int) float64 { return 100 * float64(n) / all }
	return figures{
		{name: "goodput of peak", value: goodput(r) / goodput(peak)}, {name: "answers of peak", value: r.QPS / peak.QPS},
		{name: "in time (% of requests)", value: share(r.Good)}, {name: "answered late (%)", value: share(r.Completed - r.Good), less: true},
		{name: "refused at once, would be late (%)", value: share(late)}, {name: "refused at once, queue full (%)", value: share(full)},
		{name: "sent away from the queue (%)", value: share(passed), less: true},
		{name: "failed otherwise (%)", value: share(r.Failed - late - full - passed), less: true},
		{name: "TTFT p95 (ms)", value: r.TTFT.P95, less: true},
	}, nil
}

// Keys of the two tenants, which the daemon is told by their hashes.
const (
	quietKey  = "quiet"
	floodKey  = "flood"
	floodSize = 256

	tenantsLimit = 3 * time.Minute // a server that is not fair has few of the quiet one's answers in that
)

// tenants has one keep 256 requests waiting while another asks now and then.
func tenants(ctx context.Context, x *server, seed uint64) (figures, error) {
	x.client.Header = key(quietKey)
	quiet := bench.Load{Clients: 1, Requests: 4 * x.waves, WarmUp: 1, Prompt: promptWords, Tokens: 16, Seed: seed}
	alone, err := x.run(ctx, quiet)
	if err != nil {
		return nil, err
	}
	flood := *x
	other := *x.client
	other.Header = key(floodKey)
	other.Header.Set("X-Chimera-Deadline-Ms", "3600000") // they are to wait, and not to be refused
	flood.client = &other
	during, end := context.WithCancel(ctx)
	defer end()
	done := make(chan *bench.Report, 1)
	go func() {
		of, _ := bench.Run(during, flood.client, bench.Load{Clients: floodSize, Requests: many, Prompt: promptWords, Tokens: answerTokens, Seed: seed + 1000})
		done <- of
	}()
	time.Sleep(time.Second) // until they wait
	quiet.Seed, quiet.WarmUp = seed+2000, 0
	limited, late := context.WithTimeout(ctx, tenantsLimit)
	defer late()
	beside, err := bench.Run(limited, x.client, quiet)
	end()
	of := <-done
	if err == nil && beside.Completed == 0 {
		err = fmt.Errorf("nothing was answered within %v", tenantsLimit)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	return figures{
		{name: "TTFT p95, alone (ms)", value: alone.TTFT.P95, less: true}, {name: "TTFT p95, beside (ms)", value: beside.TTFT.P95, less: true},
		{name: "TTFT p95, beside of alone", value: beside.TTFT.P95 / alone.TTFT.P95, less: true},
		{name: "the other's requests/s", value: of.QPS}, {name: "its ITL p99 (ms)", value: of.ITL.P99, less: true},
	}, nil
}

func key(secret string) http.Header { return http.Header{"Authorization": {"Bearer " + secret}} }

// withTenants tells the daemon who the two are.
func withTenants(s setup) string {
	text := fmt.Sprintf("model = [%q]\n", s.model)
	for _, k := range []string{quietKey, floodKey} {
		text += fmt.Sprintf("[[tenant]]\nname = %q\nkeys = [\"%x\"]\n", k, sha256.Sum256([]byte(k)))
	}
	return text
}
