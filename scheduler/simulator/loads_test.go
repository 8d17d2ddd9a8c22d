package simulator

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the loads of docs/POLICY.md that chimera simulate --synthetic has no words for.

// made are they, by name.
var made = map[string]func() *trace.Trace{"crowd": crowd, "read twice": readTwice}

// poisson gives the times of arrivals at random, so many a second.
func poisson(rng *rand.Rand, rate float64, length time.Duration, do func(at time.Duration)) {
	for at := time.Duration(rng.ExpFloat64() / rate * 1e9); at < length; at += time.Duration(rng.ExpFloat64() / rate * 1e9) {
		do(at)
	}
}

func inOrder(t *trace.Trace) *trace.Trace {
	slices.SortStableFunc(t.Requests, func(a, b trace.Request) int { return cmp.Compare(a.At, b.At) })
	return t
}

// crowd is ten tenants of whom each asks more than the device computes for all, beside one that asks two dozen things at once every half minute.
func crowd() *trace.Trace {
	const length = 10 * time.Minute
	rng, t := rand.New(rand.NewPCG(1, 3)), &trace.Trace{BlockTokens: 16}
	for i := range 10 {
		poisson(rng, 3, length, func(at time.Duration) {
			t.Requests = append(t.Requests, trace.Request{At: at, Prompt: 120, Answer: 40, Tenant: fmt.Sprint("large ", i), Priority: scheduler.DefaultPriority})
		})
	}
	for at := 45 * time.Second; at < length; at += 30 * time.Second {
		t.Requests = append(t.Requests, slices.Repeat([]trace.Request{{At: at, Prompt: 120, Answer: 40, Tenant: "small", Priority: scheduler.DefaultPriority}}, 24)...)
	}
	return inOrder(t)
}

// readTwice is batch work that reads documents of 480 tokens, of each of which somebody asks something with priority 9 a moment later, beside people who
// chat. Who asks is a tenant for the report's sake.
func readTwice() *trace.Trace {
	const length, pages = 40 * time.Minute, 30
	rng, t := rand.New(rand.NewPCG(1, 4)), &trace.Trace{BlockTokens: 16}
	poisson(rng, 3.2, length, func(at time.Duration) {
		t.Requests = append(t.Requests, trace.Request{At: at, Prompt: 150, Answer: 64, Priority: scheduler.DefaultPriority})
	})
	document := uint64(0)
	poisson(rng, 0.2, length, func(at time.Duration) {
		document++
		blocks := make([]uint64, pages)
		for i := range blocks {
			blocks[i] = document<<24 | uint64(i)
		}
		reads := trace.Request{At: at, Prompt: pages*16 + 20, Answer: 40, Class: scheduler.Batch, Blocks: blocks, Priority: scheduler.DefaultPriority}
		asks := reads
		asks.At, asks.Class, asks.Tenant, asks.Priority = at+50*time.Millisecond, scheduler.Interactive, "asks", 9
		t.Requests = append(t.Requests, reads, asks)
	})
	return inOrder(t)
}
