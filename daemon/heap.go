package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"chimera/api"
	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the Go heap's share of memory: it is planned as all else is, and the collector is told.

// heapBase is what the daemon has on the heap whatever is asked of it: a vocabulary of 256,000 tokens with its tables, what
// waits in a full queue, and answers that slow clients have not taken.
const heapBase = 160 << 20

// heapBytes is what serve may take of the heap.
func (c *Config) heapBytes() int64 { return heapBase + api.HeapBytes(c.MaxBody) }

// limitHeap makes the collector work the harder the nearer the heap is to its plan. Who sets GOMEMLIMIT knows better.
func limitHeap(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
	slog.Info("heap", "limit_mib", debug.SetMemoryLimit(-1)>>20)
}

// fits refuses a plan that the backend's memory, or what it takes of the machine's, cannot hold beside such a heap.
func fits(plan *engine.Plan, b engine.Backend, heap int64) error {
	available, bound := b.Available()
	need := plan.TotalBytes()
	if plan.HostBytes == 0 { // the backend's memory is the machine's
		need += heap
	}
	if bound != "" && need > available {
		return fmt.Errorf("the model needs %d MiB (weights %d, KV %d, activations %d, batch %d, staging %d; requests %d), but %s leaves %d MiB: lower --ctx, --max-sequences or --max-body, or choose --kv-type q8_0",
			need>>20, plan.WeightBytes>>20, plan.KVBytes>>20, plan.ActBytes>>20, plan.BatchBytes>>20, plan.StagingBytes>>20, (need-plan.TotalBytes())>>20, bound, available>>20)
	}
	if available, bound = hostmem.Available(); plan.HostBytes > 0 && bound != "" && plan.HostBytes+heap > available {
		return fmt.Errorf("the model needs %d MiB of pinned memory for batches and staging, and requests %d MiB, but %s leaves %d MiB: lower --step-tokens, --max-sequences or --max-body",
			plan.HostBytes>>20, heap>>20, bound, available>>20)
	}
	return nil
}
