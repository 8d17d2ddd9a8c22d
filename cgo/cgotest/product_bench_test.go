//go:build cgo

package cgotest

import (
	"testing"
	"time"
)

// This file owns the measurement of products that docs/BENCHMARKS.md has: 256 rows x 1,024 columns by 32 tokens, in cache.

// BenchmarkProducts reports the best of its rounds, since other programs use a machine too: run it with -benchtime 200x, on
// one pinned core.
func BenchmarkProducts(b *testing.B) {
	const rows, cols, tokens = 256, 1024, 32
	have, _ := probeISAs()
	for _, k := range have {
		for _, weight := range blockTypes {
			b.Run(k.name+"/"+weight.dtype.String(), func(b *testing.B) {
				m, r := &probeMemory{}, random(uint64(weight.dtype))
				defer m.free()
				w := probePack(m, uint32(weight.dtype), weight.rawMatrix(r, rows, cols, false), rows, cols)
				a := probeRound(m, k, inputs[0].make(r, tokens*cols), tokens)
				out, best := probeTake[float32](m, rows*tokens), time.Hour
				for b.Loop() {
					begun := time.Now()
					k.product(w, a, 0, rows/16, 0, tokens, out, rows)
					best = min(best, time.Since(begun))
				}
				b.ReportMetric(rows*cols*tokens/best.Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
