package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	document "chimera/internal/tables"
	"chimera/loader"
	"chimera/scheduler"
	"chimera/scheduler/simulator"
	"chimera/scheduler/trace"
)

// This file owns the table of docs/POLICY.md that sets the simulator beside a model that computes: -rewrite alone makes it, since it
// takes minutes and what else the machine does shows in it.

// The load is a chat service's, at about half of what two cores can do.
const liveLoad = "requests=150,rate=0.8,burst=2,prompt=100,prompt_sigma=0.8,answer=30,prefixes=4,prefix=128"

func TestSimulatorBesideAModel(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if !*rewrite || path == "" {
		t.Skip("with -rewrite and CHIMERA_SMOLLM2 it sets the simulator beside the model")
	}
	config := simulator.DefaultConfig()
	config.Context = 2048
	l, err := loader.Load(path, loader.Options{Threads: 2, KVType: "f16", ISA: "auto", StepTokens: config.StepTokens, MaxSequences: config.MaxSequences, Context: config.Context})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(l.Instance, scheduler.Config{StepTokens: config.StepTokens, QueueLength: config.QueueLength})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	s, err := trace.ParseSynthetic(liveLoad)
	if err != nil {
		t.Fatal(err)
	}
	tr := s.Make()
	live := answerLive(t, lane, tr)
	cost, snap := lane.Cost(), lane.Snapshot()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	config.Cost = cost
	simulated, err := simulator.Run(context.Background(), tr, config)
	if err != nil {
		t.Fatal(err)
	}
	row := func(name string, ttft, itl [3]float64, steps uint64, hits float64) []string {
		cells := []string{name}
		for _, x := range append(ttft[:], itl[:]...) {
			cells = append(cells, fmt.Sprintf("%.0f", x))
		}
		return append(cells, fmt.Sprint(steps), fmt.Sprintf("%.0f%%", 100*hits))
	}
	r := simulated
	table := document.Table{
		Name: "live", Head: []string{"", "TTFT p50", "p90", "p99", "ITL p50", "p90", "p99", "steps", "prompts from the cache"},
		Rows: [][]string{
			row("live", live.ttft.shares(), live.itl.shares(), snap.Steps, float64(snap.PrefixTokens)/float64(snap.PrefixTokens+snap.PrefillTokens)),
			row("simulated", [3]float64{r.TTFT.P50, r.TTFT.P90, r.TTFT.P99}, [3]float64{r.ITL.P50, r.ITL.P90, r.ITL.P99}, r.Steps, r.HitShare),
		},
	}
	t.Logf("%+v\n%v", cost, table.Rows)
	if err := table.Write("../docs/POLICY.md"); err != nil {
		t.Fatal(err)
	}
}

// times are in milliseconds.
type times []float64

func (x times) shares() (p [3]float64) {
	for i, share := range []float64{0.5, 0.9, 0.99} {
		p[i] = x.at(share)
	}
	return p
}

// lived is what clients saw.
type lived struct {
	mu        sync.Mutex
	ttft, itl times
}

// answerLive asks a lane for what a trace has, when it has it.
func answerLive(t *testing.T, lane *scheduler.Lane, tr *trace.Trace) *lived {
	live := &lived{}
	var all sync.WaitGroup
	begin := time.Now()
	for i := range tr.Requests {
		r := &tr.Requests[i]
		prompt := tokensOf(i, r)
		time.Sleep(time.Until(begin.Add(r.At)))
		arrived := time.Now()
		seq, err := lane.Submit(context.Background(), scheduler.Request{Prompt: prompt, MaxTokens: r.Answer, IgnoreEnd: true, Sampling: scheduler.Sampling{TopP: 1, Repetition: 1}})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() { live.follow(t, seq, arrived) })
	}
	all.Wait()
	return live
}

func (l *lived) follow(t *testing.T, seq *scheduler.Sequence, arrived time.Time) {
	var last time.Time
	for e := (scheduler.Event{}); e.Finish == scheduler.Running; last = e.At {
		var err error
		if e, err = seq.Next(context.Background()); err != nil || e.Err != nil {
			t.Error(err, e.Err)
			return
		}
		l.mu.Lock()
		if last.IsZero() {
			l.ttft = append(l.ttft, float64(e.At.Sub(arrived))/1e6)
		} else {
			l.itl = append(l.itl, float64(e.At.Sub(last))/1e6)
		}
		l.mu.Unlock()
	}
}

// tokensOf is a prompt that begins as the trace says.
func tokensOf(i int, r *trace.Request) []int32 {
	var tokens []int32
	add := func(name uint64, n int) {
		rng := rand.New(rand.NewPCG(name, 3))
		for range n {
			tokens = append(tokens, 100+rng.Int32N(30000))
		}
	}
	for _, name := range r.Blocks {
		add(name, 16)
	}
	add(1<<62|uint64(i), r.Prompt-len(tokens))
	return tokens
}
