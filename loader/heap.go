package loader

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"chimera/api"
	"chimera/config"
	"chimera/engine"
	"chimera/hostmem"
)

// This file owns the Go heap's share of memory: it is planned as all else is, and the collector is told.

// heapBase is what the daemon has on the heap whatever is asked of it: a vocabulary of 256,000 tokens with its tables, what
// waits in a full queue, answers that slow clients have not taken, and those that somebody may rate.
const heapBase = 160<<20 + RatedBytes

// RatedBytes is what whoever serves may keep of answers that somebody may rate.
const RatedBytes = 8 << 20

// vocabularyHeap is what each further model's vocabulary takes: one of 256,000 tokens 35 MiB, and the collector room to work in.
const vocabularyHeap = 64 << 20

// HeapBytes is what serve may take of the heap.
func HeapBytes(c *config.Config) int64 {
	return heapBase + api.HeapBytes(c.MaxBody) + int64(max(0, len(c.Model)-1))*vocabularyHeap
}

// LimitHeap makes the collector work the harder the nearer the heap is to its plan. Who sets GOMEMLIMIT knows better.
func LimitHeap(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
	slog.Info("heap", "limit_mib", debug.SetMemoryLimit(-1)>>20)
}

// NoRoomError refuses a plan that does not fit.
type NoRoomError struct {
	Need, Available int64
	Text            string
}

func (e *NoRoomError) Error() string { return e.Text }

// Short is how much is missing of what it needs itself.
func (e *NoRoomError) Short() int64 { return e.Need - e.Available }

// CheckRoom refuses a plan that the backend's memory, or what it takes of the machine's, cannot hold beside what is promised: the heap,
// and what is planned for other models and not taken yet. ahead is what others are to have of the backend's before it.
func CheckRoom(plan *engine.Plan, b engine.Backend, promised, ahead int64) error {
	available, bound := b.Available()
	need := plan.TotalBytes()
	if plan.HostBytes == 0 { // the backend's memory is the machine's
		need += promised
	}
	if bound != "" && need+ahead > available {
		others, lower := "", "--ctx" // of a verb that takes no requests
		if promised > 0 {
			others, lower = fmt.Sprintf("; requests and models that are loaded %d", (need-plan.TotalBytes())>>20), "--ctx, --max-sequences or --max-body"
		}
		return &NoRoomError{need, available, fmt.Sprintf("the model needs %d MiB (weights %d, KV %d, activations %d, batch %d, staging %d%s), but %s leaves %d MiB: lower %s, or choose --kv-type q8_0",
			need>>20, plan.WeightBytes>>20, plan.KVBytes>>20, plan.ActBytes>>20, plan.BatchBytes>>20, plan.StagingBytes>>20, others, bound, available>>20, lower)}
	}
	if available, bound = hostmem.Available(); plan.HostBytes > 0 && bound != "" && plan.HostBytes+promised > available {
		return &NoRoomError{plan.HostBytes + promised, available, fmt.Sprintf("the model needs %d MiB of pinned memory for batches and staging, and requests and models that are loaded %d MiB, but %s leaves %d MiB: lower --step-tokens, --max-sequences or --max-body",
			plan.HostBytes>>20, promised>>20, bound, available>>20)}
	}
	return nil
}

// ServingBytes is what a model takes of its device's memory once it is loaded.
func ServingBytes(p *engine.Plan) int64 { return p.TotalBytes() - p.StagingBytes }

// MemoryPromised is what is planned of the machine's memory and not taken yet, beside a heap of so many bytes: the kernel gives a page
// of a model's KV cache when it is first written to, and until then it counts as free.
func MemoryPromised(heap int64) int64 {
	planned := heap
	for _, u := range hostmem.Usage() {
		planned += u.Bytes - u.PinnedBytes // the driver has taken what it has pinned
	}
	return max(0, planned-residentBytes())
}

// residentBytes is how much the process has taken that is its own: heap, stacks and off-heap memory. 0 where that is not known.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}
