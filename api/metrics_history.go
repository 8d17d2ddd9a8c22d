package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of the history.

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
