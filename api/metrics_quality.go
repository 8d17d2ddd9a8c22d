package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of quality. No label is a tenant's or a client's.

// QualityScore is the last value of a metric of the tier that serves, on a suite; live stands for the clients' own requests.
type QualityScore struct {
	Model, Suite, Metric string
	Value                float64
}

// AlarmKind is what alarms are counted by.
type AlarmKind struct{ Model, Detector string }

// QualityFigures are read at every scrape.
type QualityFigures struct {
	Scores func() []QualityScore
	Alarms func() map[AlarmKind]int64 // since the start
	// Webhook counts events by what became of them: delivered, failed, dropped; nil where there is no webhook.
	Webhook func() map[string]int64
}

// qualityCollector reads them.
type qualityCollector struct {
	QualityFigures
	score, alarms, webhook *prometheus.Desc
}

// CountQuality has the metrics chimera_quality_score, chimera_quality_alarms_total and chimera_quality_webhook_total read.
func (m *Metrics) CountQuality(f QualityFigures) {
	m.registry.MustRegister(&qualityCollector{
		f,
		prometheus.NewDesc("chimera_quality_score", "Last score of the tier that serves, by suite; live: of clients' requests, beside the control.", []string{"model", "suite", "metric"}, nil),
		prometheus.NewDesc("chimera_quality_alarms_total", "Alarms raised: answers or scores that are no longer what they were, and requests that suites lack.", []string{"model", "detector"}, nil),
		prometheus.NewDesc("chimera_quality_webhook_total", "Alarms for the webhook, by what became of them.", []string{"outcome"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (c *qualityCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.score
	out <- c.alarms
	out <- c.webhook
}

// Collect implements prometheus.Collector.
func (c *qualityCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.Scores() {
		out <- prometheus.MustNewConstMetric(c.score, prometheus.GaugeValue, s.Value, s.Model, s.Suite, s.Metric)
	}
	for kind, n := range c.Alarms() {
		out <- prometheus.MustNewConstMetric(c.alarms, prometheus.CounterValue, float64(n), kind.Model, kind.Detector)
	}
	for outcome, n := range c.Webhook() {
		out <- prometheus.MustNewConstMetric(c.webhook, prometheus.CounterValue, float64(n), outcome)
	}
}
