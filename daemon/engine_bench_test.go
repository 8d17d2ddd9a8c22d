package daemon

import (
	"os"
	"testing"

	"chimera/engine"
)

// Speed of the engine without scheduler or network, as other engines' own benchmarks measure it:
// CHIMERA_SMOLLM2=model.gguf go test ./daemon -run - -bench Engine

func benchModel(b *testing.B) *evaluator {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" {
		b.Skip("set CHIMERA_SMOLLM2 to a model file")
	}
	l, err := Load(path, EngineOptions{Threads: 2, KVType: "f16", ISA: "auto", StepTokens: 512, MaxSequences: 4, MaxLogprobs: 8, Context: 2048})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	e, err := newEvaluator(l.Instance)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func tokensUpTo(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i*7919%30000 + 100)
	}
	return ids
}

func BenchmarkEnginePrefill512(b *testing.B) {
	e, ids := benchModel(b), tokensUpTo(512)
	b.ResetTimer()
	for range b.N {
		if err := e.step(ids, 0, []engine.Output{{Row: 511, Mode: engine.Sample}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkEngineDecode64(b *testing.B) {
	e, ids := benchModel(b), tokensUpTo(64)
	b.ResetTimer()
	for range b.N {
		for i := range ids {
			if err := e.step(ids[i:i+1], i, []engine.Output{{Mode: engine.Sample}}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
