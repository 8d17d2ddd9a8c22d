package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of off-heap memory.

// MemoryUse is what one purpose of off-heap memory holds, in bytes, and how often it fell back to
// pageable memory since the process began.
type MemoryUse struct {
	Purpose                                string
	Mapped, Huge, Locked, Pinned, Fallback int64
	Fallbacks                              int64
}

// memoryCollector reads the accounting at every scrape: it is kept elsewhere.
type memoryCollector struct {
	bytes, fallbacks *prometheus.Desc
	read             func() []MemoryUse
}

// RegisterMemory exposes what read returns; it is called at every scrape.
func (m *Metrics) RegisterMemory(read func() []MemoryUse) {
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
