package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of answers that are escalated.

// escalationCollector reads them at every scrape.
type escalationCollector struct {
	answers, tokens *prometheus.Desc
	states          func() []EscalationState
}

func newEscalationCollector(states func() []EscalationState) *escalationCollector {
	return &escalationCollector{
		states: states,
		answers: prometheus.NewDesc("chimera_escalations_total",
			"Answers that the serving tier was least sure of, by what became of them: escalated, or given as they were because of budget, deadline, control (it is not there) or failed.", []string{"model", "result"}, nil),
		tokens: prometheus.NewDesc("chimera_escalation_tokens_total",
			"Tokens of prompts and answers while a tier below the source serves: given to clients, or computed besides (extra).", []string{"model", "kind"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *escalationCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.answers
	out <- c.tokens
}

// Collect implements prometheus.Collector.
func (c *escalationCollector) Collect(out chan<- prometheus.Metric) {
	count := func(desc *prometheus.Desc, n int64, model, label string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), model, label)
	}
	for _, s := range c.states() {
		count(c.answers, s.Escalated, s.Model, "escalated")
		for reason, n := range s.FellBack {
			count(c.answers, n, s.Model, reason)
		}
		count(c.tokens, s.Tokens, s.Model, "given")
		count(c.tokens, s.Extra, s.Model, "extra")
	}
}
