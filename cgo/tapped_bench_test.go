//go:build cgo

package cgo

import (
	"testing"
	"time"

	"chimera/engine"
)

// This file measures, with a real model, what it spares that no logits are formed of rows which are there for their states. docs/BENCHMARKS.md has the figure.

// BenchmarkStates computes steps of 64 tokens of which all states are asked for, in turn with and without a pass over their logits, and tells how long those
// without take of those with.
func BenchmarkStates(b *testing.B) {
	const rows = 64
	p, w := smolLM2(b)
	device, err := Open(Options{Threads: 1, ISA: "auto"})
	if err != nil {
		b.Fatal(err)
	}
	defer device.Close()
	pages := make([]int, len(p.Groups))
	for i, g := range p.Groups {
		pages[i] = g.PagesFor(rows, rows)
	}
	in, err := device.Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, Pages: pages, MaxTokens: rows, MaxSequences: 1, MaxOutputs: rows, MaxContext: rows})
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	batch, err := in.NewBatch()
	if err != nil {
		b.Fatal(err)
	}
	var tables []engine.PageTable
	for range p.Groups {
		tables = append(tables, engine.PageTable{Pages: []int32{0, 1, 2, 3}})
	}
	tokens := make([]int32, rows)
	for i := range tokens {
		tokens[i] = int32(1000 + 17*i)
	}
	step := func(mode engine.OutputMode) time.Duration {
		batch.Reset()
		batch.Generation = in.Generation()
		if _, err := batch.AddSequence(tokens, 0, tables); err != nil {
			b.Fatal(err)
		}
		for row := range rows {
			if _, err := batch.AddOutput(engine.Output{Row: int32(row), Mode: mode}, nil, nil); err != nil {
				b.Fatal(err)
			}
		}
		began := time.Now()
		if err := in.Submit(batch); err != nil {
			b.Fatal(err)
		}
		if err := in.Wait(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var alone, with time.Duration
	for b.Loop() {
		alone += step(engine.Tapped)
		with += step(engine.Tapped | engine.Score)
		with += step(engine.Tapped | engine.Score)
		alone += step(engine.Tapped)
	}
	b.ReportMetric(alone.Seconds()/with.Seconds(), "of-with-logits")
}
