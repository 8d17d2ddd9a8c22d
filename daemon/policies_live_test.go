package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	document "chimera/internal/tables"
	"chimera/loader"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the table of docs/POLICY.md that switches parts of the policy off while a model computes: -rewrite alone makes it, since it
// takes eleven minutes and what else the machine does shows in it. A load's rows are made alone by go test ./daemon -run 'TestPoliciesLive/NAME'
// -rewrite; the document keeps the others.

// liveLoads have what a part of the policy looks at. They are relative to what the machine computes of each, which is measured first: at less a queue
// comes and goes, at more it grows, and what is first in it tells. That of hotness stays below, since in a queue that grows those that run hold all
// pages, and nothing is left to choose from; how many answers a second it is worth clients show who ask as soon as they are answered.
var liveLoads = []struct {
	name, load string
	asked      float64  // of what is computed
	contexts   int      // of 2,048 tokens that the cache holds; 0: as by default
	clients    int      // who ask one after the other; 0: requests come when they come
	without    []string // one after the other
}{
	{"deadlines", "requests=300,burst=2,prompt=250,prefixes=0,answer=30,deadline=2s,deadline_sigma=0.8", 1.2, 0, 0, []string{"deadline", "length", "admission"}},
	{"long prompts", "requests=100,burst=2,prompt=200,prompt_sigma=1.6,prefixes=0,answer=60", 0.8, 0, 0, []string{"budget", "ageing", "length"}},
	{"few pages", "requests=120,prompt=100,prompt_sigma=0.5,answer=150,answer_sigma=0.5,prefixes=0", 1.2, 1, 0, []string{"watermark"}},
	{"a flood", "requests=300,burst=2,prompt=150,prefixes=0,answer=40,tenants=small:1/large:9", 1.5, 0, 0, []string{"fairness"}},
	{"classes", "requests=200,burst=4,prompt=150,prefixes=0,answer=60,classes=interactive:6/batch:3/background:1", 1.2, 0, 0, []string{"class", "shares"}},
	{"priorities", "requests=250,burst=2,prompt=200,prefixes=0,answer=40,priorities=5:9/9:1", 1.2, 0, 0, []string{"priority"}},
	{"shared prompts", "requests=250,burst=8,prompt=60,prefixes=12,prefix=600,alone=0.1,answer=30", 0.9, 0, 0, []string{"prefix", "lending"}},
	{"Zipf 1.0, 20% one-offs", "requests=500,prompt=20,prompt_sigma=0.3,prefixes=100,prefix=320,zipf=1,alone=0.2,answer=10", 0.6, 3, 0, []string{"hotness"}},
	{"Zipf 1.0, 8 clients", "requests=500,prompt=20,prompt_sigma=0.3,prefixes=100,prefix=320,zipf=1,alone=0.2,answer=10", 0, 4, 8, []string{"hotness"}},
}

// saturating is how many requests a second no machine answers, and calibrating how many of a load tell how many one does: with more than half of what runs at a time
// at its end, and all that prompts share computed.
const (
	saturating  = 1e5
	calibrating = 80
)

func TestPoliciesLive(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if !*rewrite || path == "" {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it switches parts of the policy off beside the model")
	}
	had := document.Table{Name: "live, without", Head: []string{
		"load", "asked/s", "without", "answers/s", "in time", "TTFT p50", "p95", "ITL p50", "p99", "of whom it is for: TTFT p95", "ITL p99", "prompts from the cache", "preemptions"}}
	if err := had.Read("../docs/POLICY.md"); err != nil {
		t.Fatal(err)
	}
	table := document.Table{Name: had.Name, Head: had.Head}
	for _, l := range liveLoads {
		rows := slices.DeleteFunc(slices.Clone(had.Rows), func(row []string) bool { return row[0] != l.name })
		t.Run(l.name, func(t *testing.T) {
			rows = nil
			s, err := trace.ParseSynthetic(l.load)
			if err != nil {
				t.Fatal(err)
			}
			asked := s
			asked.Requests, asked.Rate, asked.Deadline = calibrating, saturating, 0
			computed := runLive(t, path, &asked, l.contexts, 0, "").perSecond()
			if s.Rate = l.asked * computed; l.clients > 0 {
				s.Rate = computed // of which nothing is seen
			}
			t.Logf("%.2f/s are computed", computed)
			rate := fmt.Sprintf("%.2f", s.Rate)
			if l.clients > 0 {
				rate = ""
			}
			for _, without := range append([]string{""}, l.without...) {
				began := time.Now()
				row := []string{l.name, rate, without}
				rows = append(rows, append(row, runLive(t, path, &s, l.contexts, l.clients, without).row()...))
				t.Log(rows[len(rows)-1], time.Since(began).Round(time.Second))
			}
		})
		table.Rows = append(table.Rows, rows...)
	}
	if t.Failed() {
		return
	}
	if err := table.Write("../docs/POLICY.md"); err != nil {
		t.Fatal(err)
	}
}

// TestDoorLive makes the table of DoorTime with -rewrite: eight clients who are back half a millisecond to one and a half after each answer, which is what HTTP,
// template and tokeniser take over a Unix socket, ask three prompts in turn.
func TestDoorLive(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if !*rewrite || path == "" {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it measures clients who come back")
	}
	table := document.Table{Name: "DoorTime, live", Head: []string{"DoorTime, ms", "answers/s", "TTFT p50", "p95", "ITL p50", "p99"}}
	const rounds = 3 // of which each figure is the median
	seen := map[time.Duration][]*answers{}
	held := []time.Duration{0, 500, 1000, 1500, 3000, 6000}
	for range rounds {
		for _, d := range held {
			seen[d] = append(seen[d], comesBack(t, path, d*time.Microsecond))
		}
	}
	for _, d := range held {
		middle := func(of func(*answers) float64) float64 {
			var all times
			for _, a := range seen[d] {
				all = append(all, of(a))
			}
			return all.at(0.5)
		}
		value := fmt.Sprint(float64(d) / 1000)
		if d*time.Microsecond == scheduler.DefaultRules.DoorTime {
			value = "**" + value + "**"
		}
		row := []string{value, fmt.Sprintf("%.2f", middle((*answers).perSecond))}
		for _, of := range []func(*answers) float64{
			func(a *answers) float64 { return a.ttft.at(0.5) }, func(a *answers) float64 { return a.ttft.at(0.95) },
			func(a *answers) float64 { return a.itl.at(0.5) }, func(a *answers) float64 { return a.itl.at(0.99) },
		} {
			row = append(row, fmt.Sprintf("%.1f", middle(of)))
		}
		table.Rows = append(table.Rows, row)
		t.Log(row)
	}
	if err := table.Write("../docs/POLICY.md"); err != nil {
		t.Fatal(err)
	}
}

// comesBack has eight clients ask twelve times each, by a lane that holds its door for so long.
func comesBack(t *testing.T, path string, door time.Duration) *answers {
	rules := scheduler.DefaultRules
	rules.DoorTime = door
	lane, end := liveLane(t, path, 0, scheduler.Config{Rules: &rules})
	defer end()
	a, warm := &answers{began: time.Now()}, &answers{}
	var all sync.WaitGroup
	for client := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			for n := range 12 {
				time.Sleep(time.Millisecond/2 + time.Duration(random.Int64N(int64(time.Millisecond))))
				q := scheduler.Request{
					Prompt: tokensOf((client+n)%3, &trace.Request{Prompt: 128}), MaxTokens: 64, IgnoreEnd: true,
					Sampling: scheduler.Sampling{TopP: 1, Repetition: 1},
				}
				arrived := time.Now()
				seq, err := lane.Submit(t.Context(), q)
				if err != nil {
					t.Error(err)
					return
				}
				into := a
				if n == 0 { // who computes the prompts
					into = warm
				}
				into.follow(t, seq, arrived, &q)
			}
		})
	}
	all.Wait()
	a.ended = time.Now()
	return a
}

// liveLane is a lane of a model that is loaded for that, and what ends both.
func liveLane(t *testing.T, path string, contexts int, c scheduler.Config) (lane *scheduler.Lane, end func()) {
	o := loader.Options{Threads: 2, KVType: "f16", ISA: "auto", StepTokens: 512, MaxSequences: 32, Context: liveContext, Contexts: contexts}
	l, err := loader.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	c.StepTokens, c.QueueLength = o.StepTokens, 256
	ctx, cancel := context.WithCancel(t.Context())
	lane = onItsOwn(t, ctx, l.Instance, c)
	return lane, func() {
		cancel()
		if err := lane.Err(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// liveContext is how many tokens a sequence has at most.
const liveContext = 2048

// runLive answers a made-up load, of clients where there are some.
func runLive(t *testing.T, path string, s *trace.Synthetic, contexts, clients int, without string) *answers {
	var c scheduler.Config
	if without != "" {
		var err error
		if c.Without, err = scheduler.CharacteristicsOf(without); err != nil {
			t.Fatal(err)
		}
	}
	lane, end := liveLane(t, path, contexts, c)
	defer end()
	tr := s.Make()
	tr.Limit(liveContext)
	seen := askAll(t, lane, tr, clients)
	seen.lane = lane.Snapshot()
	return seen
}

// answers are what came of a load.
type answers struct {
	mu               sync.Mutex
	asked            int
	prioritised      bool // some are of a higher priority than others
	answered, inTime int
	lane             scheduler.Snapshot // at the end
	began, ended     time.Time
	ttft, itl        times
	favoured         struct{ ttft, itl times } // of those whom a part of the policy is for
}

// askAll asks for what a trace has: when it has it, or each client when it was answered.
func askAll(t *testing.T, lane *scheduler.Lane, tr *trace.Trace, clients int) *answers {
	a := &answers{began: time.Now(), asked: len(tr.Requests)}
	a.prioritised = slices.ContainsFunc(tr.Requests, func(r trace.Request) bool { return r.Priority > scheduler.DefaultPriority })
	var all sync.WaitGroup
	free := make(chan struct{}, clients)
	for i := range tr.Requests {
		r := &tr.Requests[i]
		prompt := tokensOf(i, r)
		if clients > 0 {
			free <- struct{}{}
		} else {
			time.Sleep(time.Until(a.began.Add(r.At)))
		}
		all.Go(func() {
			a.ask(t, lane, prompt, r)
			if clients > 0 {
				<-free
			}
		})
	}
	all.Wait()
	a.ended = time.Now()
	return a
}

func (a *answers) ask(t *testing.T, lane *scheduler.Lane, prompt []int32, r *trace.Request) {
	arrived := time.Now()
	q := scheduler.Request{
		Prompt: prompt, MaxTokens: r.Answer, IgnoreEnd: true, Sampling: scheduler.Sampling{TopP: 1, Repetition: 1},
		Class: r.Class, Tenant: r.Tenant, Priority: r.Priority,
	}
	if r.Deadline > 0 {
		q.Deadline = arrived.Add(r.Deadline)
	}
	seq, err := lane.Submit(t.Context(), q)
	if errors.Is(err, scheduler.ErrDeadline) || errors.Is(err, scheduler.ErrQueueFull) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	a.follow(t, seq, arrived, &q)
}

func (a *answers) follow(t *testing.T, seq *scheduler.Sequence, arrived time.Time, q *scheduler.Request) {
	var first, last time.Time
	var gaps times
	for {
		e, err := seq.Next(t.Context())
		if err != nil || e.Err != nil && !errors.Is(e.Err, scheduler.ErrDeadline) {
			t.Error(err, e.Err)
			return
		}
		if e.Err != nil {
			return
		}
		if first.IsZero() {
			first = e.At
		} else {
			gaps = append(gaps, float64(e.At.Sub(last))/1e6)
		}
		if last = e.At; e.Finish != scheduler.Running {
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ttft := float64(first.Sub(arrived)) / 1e6
	a.answered++
	if q.Deadline.IsZero() || !first.After(q.Deadline) {
		a.inTime++
	}
	a.ttft, a.itl = append(a.ttft, ttft), append(a.itl, gaps...)
	if a.isFor(q) {
		a.favoured.ttft, a.favoured.itl = append(a.favoured.ttft, ttft), append(a.favoured.itl, gaps...)
	}
}

// isFor tells of a request whether it is one of those whom the part is for.
func (a *answers) isFor(q *scheduler.Request) bool {
	switch {
	case q.Tenant != "":
		return q.Tenant == "small"
	case a.prioritised:
		return q.Priority > scheduler.DefaultPriority
	}
	return q.Class == scheduler.Interactive
}

// at is a percentile, or 0 of nothing.
func (x times) at(share float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return x[int(share*float64(len(x)-1))]
}

// perSecond is how many answers a second ended.
func (a *answers) perSecond() float64 { return float64(a.answered) / a.ended.Sub(a.began).Seconds() }

func (a *answers) row() []string {
	ms := func(x float64) string { return fmt.Sprintf("%.0f", x) }
	cached, computed := float64(a.lane.PrefixTokens), float64(a.lane.PrefillTokens)
	return []string{
		fmt.Sprintf("%.2f", a.perSecond()), fmt.Sprintf("%.0f%%", 100*float64(a.inTime)/float64(a.asked)),
		ms(a.ttft.at(0.5)), ms(a.ttft.at(0.95)), ms(a.itl.at(0.5)), ms(a.itl.at(0.99)), ms(a.favoured.ttft.at(0.95)), ms(a.favoured.itl.at(0.99)),
		fmt.Sprintf("%.0f%%", 100*cached/max(1, cached+computed)), fmt.Sprint(a.lane.Preemptions),
	}
}
