package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of the history and of what serving costs.

// historyCollector reads the history's state at every scrape.
type historyCollector struct {
	state                 func() HistoryState
	rows, queued, failing *prometheus.Desc
}

func newHistoryCollector(state func() HistoryState) *historyCollector {
	return &historyCollector{
		state:   state,
		rows:    prometheus.NewDesc("chimera_history_rows_total", "Rows of the history that were written, dropped since the queue was full, or refused by the database.", []string{"result"}, nil),
		queued:  prometheus.NewDesc("chimera_history_queued_rows", "Rows that wait to be written.", nil, nil),
		failing: prometheus.NewDesc("chimera_history_failing", "1 while the history takes no rows, or could not be opened; else 0.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *historyCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.rows
	out <- c.queued
	out <- c.failing
}

// Collect implements prometheus.Collector.
func (c *historyCollector) Collect(out chan<- prometheus.Metric) {
	s := c.state()
	for result, n := range map[string]int64{"written": s.Written, "dropped": s.Dropped, "refused": s.Refused} {
		out <- prometheus.MustNewConstMetric(c.rows, prometheus.CounterValue, float64(n), result)
	}
	failing := 0.0
	if s.State == HistoryFailing || s.State == HistoryOff && s.Problem != "" {
		failing = 1
	}
	out <- prometheus.MustNewConstMetric(c.queued, prometheus.GaugeValue, float64(s.Queued))
	out <- prometheus.MustNewConstMetric(c.failing, prometheus.GaugeValue, failing)
}

// CoreSeconds is what steps have taken of the CPU for a tenant's requests of a class to a model, from the start of the server on. Tenants
// are those of the settings, so that no client makes a series.
type CoreSeconds struct {
	Model, Tenant, Class string
	Seconds              float64
}

// coreCollector reads them at every scrape, with what the process took besides.
type coreCollector struct {
	desc  *prometheus.Desc
	spent func() (steps []CoreSeconds, overhead float64)
}

// overheadClass is the label class of what no step was charged.
const overheadClass = "overhead"

// CountCores has the metric chimera_core_seconds_total read from spent.
func (m *Metrics) CountCores(spent func() (steps []CoreSeconds, overhead float64)) {
	m.registry.MustRegister(&coreCollector{spent: spent, desc: prometheus.NewDesc("chimera_core_seconds_total",
		"CPU seconds of the process, by whom steps were computed for; those of no step have the class overhead. But for a step under way the sum is the process's CPU time.",
		[]string{"model", "tenant", "class"}, nil)})
}

// Describe implements prometheus.Collector.
func (c *coreCollector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c *coreCollector) Collect(out chan<- prometheus.Metric) {
	steps, overhead := c.spent()
	for _, s := range steps {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, s.Seconds, s.Model, s.Tenant, s.Class)
	}
	out <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, overhead, "", "", overheadClass)
}
