package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of off-heap memory.

// MemoryUse is what one purpose of off-heap memory holds, in bytes, and how often it fell back to
// pageable memory since the process began.
type MemoryUse struct {
	Purpose   string `json:"purpose"`
	Mapped    int64  `json:"mapped_bytes"`
	Huge      int64  `json:"huge_bytes"`
	Locked    int64  `json:"locked_bytes"`
	Pinned    int64  `json:"pinned_bytes"`
	Fallback  int64  `json:"fallback_bytes"`
	Fallbacks int64  `json:"fallbacks"`
}

// memoryCollector reads the accounting at every scrape: it is kept elsewhere.
type memoryCollector struct {
	bytes, fallbacks *prometheus.Desc
	read             func() []MemoryUse
}

// registerMemory exposes what read returns; it is called at every scrape.
func (m *Metrics) registerMemory(read func() []MemoryUse) {
	m.registry.MustRegister(&memoryCollector{
		bytes: prometheus.NewDesc("chimera_host_memory_bytes",
			"Off-heap memory by purpose: mapped in all; of it advised huge, locked, pinned for a GPU, and pageable although it was to be locked or pinned.",
			[]string{"purpose", "kind"}, nil),
		fallbacks: prometheus.NewDesc("chimera_host_memory_fallbacks_total",
			"Times that memory which was to be locked or pinned was not.", []string{"purpose"}, nil),
		read: read,
	})
}

// Describe implements prometheus.Collector.
func (c *memoryCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.bytes
	out <- c.fallbacks
}

// Collect implements prometheus.Collector.
func (c *memoryCollector) Collect(out chan<- prometheus.Metric) {
	for _, u := range c.read() {
		for _, k := range []struct {
			kind  string
			bytes int64
		}{{"mapped", u.Mapped}, {"huge", u.Huge}, {"locked", u.Locked}, {"pinned", u.Pinned}, {"fallback", u.Fallback}} {
			out <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(k.bytes), u.Purpose, k.kind)
		}
		out <- prometheus.MustNewConstMetric(c.fallbacks, prometheus.CounterValue, float64(u.Fallbacks), u.Purpose)
	}
}
