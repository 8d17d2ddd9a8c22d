package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metric of the models' tiers.

// tierCollector reads them at every scrape.
type tierCollector struct {
	desc  *prometheus.Desc
	tiers Tiers
}

func newTierCollector(t Tiers) *tierCollector {
	return &tierCollector{prometheus.NewDesc("chimera_tier", "1 for the quantisation tier that a loaded model answers at.", []string{"model", "tier"}, nil), t}
}

// Describe implements prometheus.Collector.
func (c *tierCollector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c *tierCollector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.tiers.Tiers() {
		if m.Generation > 0 {
			out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, 1, m.Model, m.Tier)
		}
	}
}
