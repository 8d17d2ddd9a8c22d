package scheduler

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the benchmark of the loop's own time: what a step costs beside the device's.

// instant is an instance whose steps take no time and sample the same token for all.
type instant struct {
	*enginetest.Instance
	submitted time.Time
}

func (in *instant) Submit(b *engine.Batch) error {
	in.submitted = time.Now()
	for i := range b.Results {
		b.Results[i] = engine.Result{Token: 7}
	}
	return nil
}

func (*instant) Wait() error { return nil }

// BenchmarkTurn decodes one token of each sequence a turn: plan, batch, keys and commit. Sequences hold 1,024 to 2,048 tokens, as those
// of conversations do. Their clients take each event between two turns, outside of the time, or wait for none.
func BenchmarkTurn(b *testing.B) {
	for _, n := range []int{64, 512} {
		b.Run(fmt.Sprint(n, " sequences"), func(b *testing.B) {
			const context = 4096
			l := engine.Limits{Depth: 1, MaxTokens: 1024, MaxSequences: n, MaxOutputs: 1024, MaxTop: 4, MaxContext: context, Vocab: vocab,
				Groups: []engine.GroupLimits{enginetest.Full(n * context / engine.PageTokens)}}
			decodeAll(b, l, n)
		})
	}
}

// turnTimes are sums over engine.PageTokens turns each, in which every sequence fills a page once.
type turnTimes struct {
	turns                   int
	planning, commits       time.Duration
	all, plansOf, commitsOf []time.Duration
}

func (t *turnTimes) add(planning, commit time.Duration) {
	t.planning, t.commits = t.planning+planning, t.commits+commit
	if t.turns++; t.turns%engine.PageTokens == 0 {
		t.all = append(t.all, t.planning+t.commits)
		t.plansOf, t.commitsOf = append(t.plansOf, t.planning), append(t.commitsOf, t.commits)
		t.planning, t.commits = 0, 0
	}
}

// report tells the lowest tenth's bound: the machine has other work.
func (t *turnTimes) report(b *testing.B) {
	quiet := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/10].Nanoseconds()) / 1000 / engine.PageTokens
	}
	if len(t.all) == 0 {
		return
	}
	b.ReportMetric(quiet(t.all), "us/step")
	b.ReportMetric(quiet(t.plansOf), "us/plan")
	b.ReportMetric(quiet(t.commitsOf), "us/commit")
}

func decodeAll(b *testing.B, l engine.Limits, n int) {
	loop := NewLoop(LoopConfig{Synchronous: true})
	in := &instant{Instance: enginetest.New(l)}
	lane, err := loop.Add(in, Config{StepTokens: l.MaxTokens, QueueLength: n})
	if err != nil {
		b.Fatal(err)
	}
	var all []*Sequence
	var times turnTimes
	for b.Loop() {
		if len(all) == 0 || len(all[0].tokens) == 2*1024 {
			b.StopTimer()
			all = refill(b, loop, lane, all, n)
			b.StartTimer()
		}
		began := time.Now()
		if _, err := loop.Turn(); err != nil {
			b.Fatal(err)
		}
		times.add(in.submitted.Sub(began), time.Since(in.submitted))
		for _, seq := range all {
			seq.events = seq.events[:0]
		}
	}
	times.report(b)
}

// refill ends all sequences and begins as many, until each has sampled a token.
func refill(b *testing.B, loop *Loop, lane *Lane, all []*Sequence, n int) []*Sequence {
	for _, seq := range all {
		seq.Stop()
	}
	all = nil
	for i := range n {
		seq, err := lane.Submit(context.Background(), greedy(prompt(i, 1024, 0), 2048))
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, seq)
	}
	for lane.Snapshot().DecodeTokens == 0 || all[n-1].generated == 0 {
		if _, err := loop.Turn(); err != nil {
			b.Fatal(err)
		}
	}
	return all
}
