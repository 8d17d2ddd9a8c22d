package store

import (
	"path/filepath"
	"testing"
	"time"
)

// This file owns what the store costs: those who add, and the disk.

func receipt(i int) Receipt {
	return Receipt{
		Time: time.Unix(int64(i), 0), Answer: ID{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24), 1}, Model: "smollm2-135m", Numerics: "8f14e45fceea167a",
		Sampling: Sampling{Temperature: 1, TopP: 1, RepetitionPenalty: 1, Seed: uint64(i)}, PromptTokens: 300, AnswerTokens: 100, Queue: 1e6, Prefill: 2e7, Decode: 3e8, Tier: "q4", CoreSeconds: 0.7,
	}
}

// BenchmarkAdd is what the caller pays; the writer is given time apart.
func BenchmarkAdd(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "history.db"), Options{})
	defer s.Close()
	b.ReportAllocs()
	for i := range b.N {
		if i%(maxRows/4) == 0 {
			b.StopTimer()
			flush(b, s)
			b.StartTimer()
		}
		must(b, s.AddReceipt(receipt(i)))
	}
}

// BenchmarkWrite is a row's way to the file, with its three indices.
func BenchmarkWrite(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "history.db"), Options{})
	defer s.Close()
	for i := range b.N {
		if i%(maxRows/4) == 0 {
			flush(b, s)
		}
		must(b, s.AddReceipt(receipt(i)))
	}
	flush(b, s)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkDecide waits for the disk each time.
func BenchmarkDecide(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "history.db"), Options{})
	defer s.Close()
	for range b.N {
		_, err := s.Decide(b.Context(), Decision{Model: "m", From: "q8", To: "q4"})
		must(b, err)
	}
}
