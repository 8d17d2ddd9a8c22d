package api

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"chimera/scheduler"
)

// This file owns the metrics: names, help, and the exposition.

// Metrics are the server's instruments, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	snapshot func() scheduler.Snapshot
	total    *prometheus.CounterVec
	ttft     prometheus.Histogram
	itl      prometheus.Histogram
}

// Buckets in seconds: from what a small model on an idle machine needs to what nobody waits for.
var (
	ttftBuckets = []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}
	itlBuckets  = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
)

// NewMetrics makes the instruments; snapshot is read at every scrape.
func NewMetrics(snapshot func() scheduler.Snapshot) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), snapshot: snapshot,
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chimera_requests_total", Help: "Requests answered, by HTTP status; 499 is a client that hung up."}, []string{"code"}),
		ttft:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chimera_ttft_seconds", Help: "Time from the last byte of a request to its first token event.", Buckets: ttftBuckets}),
		itl:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "chimera_itl_seconds", Help: "Time between two tokens of an answer.", Buckets: itlBuckets}),
	}
	m.registry.MustRegister(m.total, m.ttft, m.itl, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registerSnapshot(snapshot)
	return m
}

// registerSnapshot exposes what the scheduler counts.
func (m *Metrics) registerSnapshot(snapshot func() scheduler.Snapshot) {
	gauge := func(name, help string, read func(scheduler.Snapshot) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return read(snapshot()) }))
	}
	counter := func(name, help string, labels prometheus.Labels, read func(scheduler.Snapshot) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return float64(read(snapshot())) }))
	}
	gauge("chimera_requests_running", "Sequences in the batch.", func(s scheduler.Snapshot) float64 { return float64(s.Running) })
	gauge("chimera_requests_waiting", "Sequences waiting for a place; while the model loads, requests waiting for it.", func(s scheduler.Snapshot) float64 { return float64(s.Waiting) })
	gauge("chimera_kv_pages_used", "KV pages of all groups in use, cached prefixes not counted.", func(s scheduler.Snapshot) float64 { return float64(s.PagesUsed) })
	gauge("chimera_kv_pages_cached", "KV pages that hold prefixes nobody uses at the moment.", func(s scheduler.Snapshot) float64 { return float64(s.PagesCached) })
	gauge("chimera_kv_pages_total", "KV pages in the pools.", func(s scheduler.Snapshot) float64 { return float64(s.PagesTotal) })
	const computed = "Tokens computed."
	counter("chimera_tokens_computed_total", computed, prometheus.Labels{"phase": "prefill"}, func(s scheduler.Snapshot) uint64 { return s.PrefillTokens })
	counter("chimera_tokens_computed_total", computed, prometheus.Labels{"phase": "decode"}, func(s scheduler.Snapshot) uint64 { return s.DecodeTokens })
	counter("chimera_prefix_tokens_total", "Prompt tokens taken from the prefix cache.", nil, func(s scheduler.Snapshot) uint64 { return s.PrefixTokens })
	counter("chimera_tokens_discarded_total", "Rows computed ahead of the token that ended, stopped or preempted their sequence.", nil, func(s scheduler.Snapshot) uint64 { return s.DiscardedTokens })
	gauge("chimera_admission_limit", "Sequences that may run at once while a GPU's health cuts admission; 0: not cut.", func(s scheduler.Snapshot) float64 { return float64(s.Governance.MaxRunning) })
	counter("chimera_preemptions_total", "Sequences sent back to the queue for lack of KV pages.", nil, func(s scheduler.Snapshot) uint64 { return s.Preemptions })
	counter("chimera_aborts_total", "Background steps that gave way to others and were computed again.", nil, func(s scheduler.Snapshot) uint64 { return s.Aborts })
	counter("chimera_steps_total", "Steps computed.", nil, func(s scheduler.Snapshot) uint64 { return s.Steps })
}

func (m *Metrics) requests(status int) { m.total.WithLabelValues(strconv.Itoa(status)).Inc() }

func (s *Server) metrics(c *call) error {
	families, err := s.Metrics.registry.Gather()
	if err != nil {
		return err
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	c.SetContentType(string(format))
	e := expfmt.NewEncoder(c.Response.BodyWriter(), format)
	for _, f := range families {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	return nil
}
