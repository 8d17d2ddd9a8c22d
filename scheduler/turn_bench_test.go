package scheduler

import (
	"context"
	"fmt"
	"testing"

	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file owns the benchmark of the loop's own time: what a step costs beside the device's.

// instant is an instance whose steps take no time and sample the same token for all.
type instant struct{ *enginetest.Instance }

func (instant) Submit(b *engine.Batch) error {
	for i := range b.Results {
		b.Results[i] = engine.Result{Token: 7}
	}
	return nil
}

func (instant) Wait() error { return nil }

// BenchmarkTurn decodes one token of each sequence a turn: keys, plan, batch and commit, without anybody who listens. Sequences
// hold 1,024 to 2,048 tokens, as those of conversations do.
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

func decodeAll(b *testing.B, l engine.Limits, n int) {
	loop := NewLoop(LoopConfig{Synchronous: true})
	lane, err := loop.Add(instant{enginetest.New(l)}, Config{StepTokens: l.MaxTokens, QueueLength: n})
	if err != nil {
		b.Fatal(err)
	}
	var all []*Sequence
	for b.Loop() {
		if len(all) == 0 || len(all[0].tokens) == 2*1024 {
			b.StopTimer()
			all = refill(b, loop, lane, all, n)
			b.StartTimer()
		}
		if _, err := loop.Turn(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/step")
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
		seq.events = make([]Event, 0, 2048) // nobody takes them: their buffer is not what is measured
		all = append(all, seq)
	}
	for lane.Snapshot().DecodeTokens == 0 || all[n-1].generated == 0 {
		if _, err := loop.Turn(); err != nil {
			b.Fatal(err)
		}
	}
	return all
}
