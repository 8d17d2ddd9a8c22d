package api

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"chimera/scheduler"
)

// This file owns the metrics: names, help, and the exposition.

// Metrics are the server's instruments, in a registry of their own. What is a model's has its name as the label model.
type Metrics struct {
	registry *prometheus.Registry
	lanes    func() []LaneState
	code     *prometheus.CounterVec
	ttft     *prometheus.HistogramVec
	itl      *prometheus.HistogramVec
}

// LaneState is what a model's scheduler counts, from the start of the server on: also what it counted before the model was last
// unloaded.
type LaneState struct {
	Model string
	scheduler.Snapshot
}

// Buckets in seconds: from what a small model on an idle machine needs to what nobody waits for.
var (
	ttftBuckets = []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}
	itlBuckets  = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
)

// NewMetrics makes the instruments; lanes is read at every scrape.
func NewMetrics(lanes func() []LaneState) *Metrics {
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"model"})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), lanes: lanes,
		code: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chimera_requests_total", Help: "Requests answered, by HTTP status; 499 is a client that hung up."}, []string{"code"}),
		ttft: histogram("chimera_ttft_seconds", "Time from the last byte of a request to its first token event.", ttftBuckets),
		itl:  histogram("chimera_itl_seconds", "Time between two tokens of an answer.", itlBuckets),
	}
	m.registry.MustRegister(m.code, m.ttft, m.itl, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(newLaneCollector(lanes))
	return m
}

// total is the sum over all models. Admission is as that of the first whose is cut.
func (m *Metrics) total() (sum scheduler.Snapshot) {
	for _, lane := range m.lanes() {
		sum.Running += lane.Running
		sum.Waiting += lane.Waiting
		sum.Own.Running += lane.Own.Running
		sum.Own.Waiting += lane.Own.Waiting
		sum.PagesUsed += lane.PagesUsed
		sum.PagesCached += lane.PagesCached
		sum.PagesTotal += lane.PagesTotal
		sum.PrefillTokens += lane.PrefillTokens
		sum.DecodeTokens += lane.DecodeTokens
		sum.DiscardedTokens += lane.DiscardedTokens
		sum.PrefixTokens += lane.PrefixTokens
		if sum.Governance.MaxRunning == 0 {
			sum.Governance = lane.Governance
		}
	}
	return sum
}

func (m *Metrics) requests(status int) { m.code.WithLabelValues(strconv.Itoa(status)).Inc() }

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
