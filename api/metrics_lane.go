package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of what the models' schedulers count: one series for each model that there is.

// laneMetric is one of them.
type laneMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	phase []string // the value of the label phase, where the metric has it
	read  func(LaneState) float64
}

// laneCollector reads them at every scrape, from one look at each model.
type laneCollector struct {
	metrics []laneMetric
	lanes   func() []LaneState
}

func newLaneCollector(lanes func() []LaneState) *laneCollector {
	c := &laneCollector{lanes: lanes}
	add := func(kind prometheus.ValueType, name, help string, read func(LaneState) float64) {
		c.metrics = append(c.metrics, laneMetric{desc: prometheus.NewDesc(name, help, []string{"model"}, nil), kind: kind, read: read})
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "chimera_requests_running", "Clients' sequences in the batch.", func(s LaneState) float64 { return float64(s.Running) })
	add(gauge, "chimera_requests_waiting", "Clients' sequences waiting for a place; while the model loads, requests waiting for it.", func(s LaneState) float64 { return float64(s.Waiting) })
	add(gauge, "chimera_own_requests_running", "Sequences in the batch that the daemon asks itself, to measure its models or to see that they answer.", func(s LaneState) float64 { return float64(s.Own.Running) })
	add(gauge, "chimera_own_requests_waiting", "Such sequences waiting for a place, or for idle time.", func(s LaneState) float64 { return float64(s.Own.Waiting) })
	add(gauge, "chimera_kv_pages_used", "KV pages of all groups in use, cached prefixes not counted.", func(s LaneState) float64 { return float64(s.PagesUsed) })
	add(gauge, "chimera_kv_pages_cached", "KV pages that hold prefixes nobody uses at the moment.", func(s LaneState) float64 { return float64(s.PagesCached) })
	add(gauge, "chimera_kv_pages_total", "KV pages in the pools.", func(s LaneState) float64 { return float64(s.PagesTotal) })
	add(counter, "chimera_prefix_tokens_total", "Prompt tokens taken from the prefix cache.", func(s LaneState) float64 { return float64(s.PrefixTokens) })
	add(counter, "chimera_kv_pages_copied_total", "KV pages copied for their beginning, which a prompt shares with another.", func(s LaneState) float64 { return float64(s.CopiedPages) })
	add(counter, "chimera_tokens_discarded_total", "Rows computed ahead of the token that ended, stopped or preempted their sequence.", func(s LaneState) float64 { return float64(s.DiscardedTokens) })
	add(gauge, "chimera_admission_limit", "Sequences that may run at once while a GPU's health cuts admission; 0: not cut.", func(s LaneState) float64 { return float64(s.Governance.MaxRunning) })
	add(counter, "chimera_preemptions_total", "Sequences sent back to the queue for lack of KV pages.", func(s LaneState) float64 { return float64(s.Preemptions) })
	add(counter, "chimera_aborts_total", "Background steps that gave way to others and were computed again.", func(s LaneState) float64 { return float64(s.Aborts) })
	add(counter, "chimera_steps_total", "Steps computed.", func(s LaneState) float64 { return float64(s.Steps) })
	computed := prometheus.NewDesc("chimera_tokens_computed_total", "Tokens computed.", []string{"model", "phase"}, nil)
	c.metrics = append(c.metrics,
		laneMetric{computed, counter, []string{"prefill"}, func(s LaneState) float64 { return float64(s.PrefillTokens) }},
		laneMetric{computed, counter, []string{"decode"}, func(s LaneState) float64 { return float64(s.DecodeTokens) }})
	return c
}

// Describe implements prometheus.Collector.
func (c *laneCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *laneCollector) Collect(out chan<- prometheus.Metric) {
	for _, lane := range c.lanes() {
		for _, m := range c.metrics {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.read(lane), append([]string{lane.Model}, m.phase...)...)
		}
	}
}
