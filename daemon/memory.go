package daemon

import (
	"fmt"
	"log/slog"

	"chimera/api"
	"chimera/engine"
	"chimera/hostmem"
)

// This file owns what is said of off-heap memory: in the log and in the metrics.

// logFallbacks warns when a purpose first gets less than it asked for; the metrics go on counting.
func logFallbacks() {
	hostmem.OnFallback(func(p hostmem.Purpose, cause error) {
		slog.Warn("memory is pageable that should be locked or pinned", "purpose", p.String(), "cause", cause)
	})
}

// logGroups prints what each group's pages take: a window keeps few of a long context.
func logGroups(p *engine.Plan) {
	for _, g := range p.Groups {
		slog.Info("kv group", "group", g.Name, "layers", g.Layers, "pages", g.Pages, "page_bytes", g.PageBytes, "mib", mib(int64(g.Pages)*g.PageBytes))
	}
}

// mib is how the log gives sizes.
func mib(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

// logDeviceMemory prints what the model takes of a GPU's memory, by purpose; what it takes of the machine's
// is in logMemory.
func logDeviceMemory(bound string, p *engine.Plan) {
	if p.HostBytes == 0 {
		return
	}
	slog.Info("device memory", "device", bound, "weights_mib", mib(p.WeightBytes), "kv_mib", mib(p.KVBytes),
		"activations_mib", mib(p.ActBytes), "batch_mib", mib(p.BatchBytes))
}

// logMemory prints what is mapped, by purpose, and how much of it is special.
func logMemory() {
	attrs := []any{}
	for _, u := range hostmem.Usage() {
		for _, part := range []struct {
			suffix string
			bytes  int64
		}{{"_mib", u.Bytes}, {"_huge_mib", u.HugeBytes}, {"_locked_mib", u.LockedBytes}, {"_pinned_mib", u.PinnedBytes}, {"_fallback_mib", u.FallbackBytes}} {
			if part.bytes > 0 {
				attrs = append(attrs, u.Purpose.String()+part.suffix, mib(part.bytes))
			}
		}
	}
	slog.Info("memory", attrs...)
}

// memoryUse is the accounting in the words of the metrics.
func memoryUse() (all []api.MemoryUse) {
	for _, u := range hostmem.Usage() {
		all = append(all, api.MemoryUse{
			Purpose: u.Purpose.String(), Mapped: u.Bytes, Huge: u.HugeBytes, Locked: u.LockedBytes,
			Pinned: u.PinnedBytes, Fallback: u.FallbackBytes, Fallbacks: u.Fallbacks,
		})
	}
	return all
}
