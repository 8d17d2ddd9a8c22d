package api

import (
	"strings"
	"testing"
)

// Every kind of every purpose shows, zeros too, and what changes shows at the next scrape.
func TestMemoryMetrics(t *testing.T) {
	h := newBench(t, letters)
	uses := []MemoryUse{
		{Purpose: "weights", Mapped: 1 << 40, Huge: 1 << 39, Locked: 7, Fallback: 5, Fallbacks: 2},
		{Purpose: "staging", Mapped: 64, Pinned: 64},
	}
	h.Metrics.registerMemory(func() []MemoryUse { return uses })
	for range 2 {
		text := string(h.do("GET", "/metrics", "").body)
		for _, line := range []string{
			`chimera_host_memory_bytes{kind="mapped",purpose="weights"} 1.099511627776e+12`,
			`chimera_host_memory_bytes{kind="huge",purpose="weights"} 5.49755813888e+11`,
			`chimera_host_memory_bytes{kind="locked",purpose="weights"} 7`,
			`chimera_host_memory_bytes{kind="fallback",purpose="weights"} 5`,
			`chimera_host_memory_bytes{kind="pinned",purpose="weights"} 0`,
			`chimera_host_memory_bytes{kind="pinned",purpose="staging"} 64`,
			`chimera_host_memory_fallbacks_total{purpose="weights"} 2`,
			`chimera_host_memory_fallbacks_total{purpose="staging"} 0`,
			"# TYPE chimera_host_memory_fallbacks_total counter",
		} {
			if uses[1].Fallbacks > 0 {
				line = strings.Replace(line, `{purpose="staging"} 0`, `{purpose="staging"} 3`, 1)
			}
			if !strings.Contains(text, line+"\n") {
				t.Errorf("no line %q", line)
			}
		}
		uses[1].Fallbacks = 3
	}
}
