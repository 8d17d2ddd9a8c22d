package api

import "github.com/prometheus/client_golang/prometheus"

// This file owns the metrics of what serving costs, and of how busy it is.

// Payer is whom something was computed for, as labels. Tenants are those of the settings, so that no client makes a series.
type Payer struct{ Model, Tier, Tenant, Class string }

func (p *Payer) labels(more ...string) []string {
	return append(more, p.Model, p.Tier, p.Tenant, p.Class)
}

// payerLabels are their names.
var payerLabels = []string{"model", "tier", "tenant", "class"}

// CoreSeconds is what steps have taken of the CPU for a payer, from the start of the server on.
type CoreSeconds struct {
	Payer
	Seconds float64
}

// Joules is the energy that a payer's requests have taken since the start.
type Joules struct {
	Payer
	Source string // cpu or gpu
	Joules float64
}

// WorkCounts is how steps were under way since the start, in seconds.
type WorkCounts struct {
	Busy    float64            // of any model
	Crowded map[string]float64 // by model, with requests left waiting for which there was no room
}

// CostFigures are read at every scrape.
type CostFigures struct {
	Spent  func() (steps []CoreSeconds, overhead float64)
	Joules func() []Joules // none where nobody can read them
	Work   func() WorkCounts
	Cores  func() float64 // that the process may use
}

// costCollector gives them.
type costCollector struct {
	CostFigures
	seconds, joules, busy, crowded, cores *prometheus.Desc
}

// overheadClass is the label class of what no step was charged, and of energy that is nobody's.
const overheadClass = "overhead"

// CountCosts has the metrics of costs read.
func (m *Metrics) CountCosts(f CostFigures) {
	m.registry.MustRegister(&costCollector{
		CostFigures: f,
		seconds: prometheus.NewDesc("chimera_core_seconds_total",
			"CPU seconds of the process, by whom steps were computed for; those of no step have the class overhead. But for a step under way the sum is the process's CPU time.", payerLabels, nil),
		joules: prometheus.NewDesc("chimera_joules_total",
			"Energy that the process is taken to have used, with overhead, counted once a minute: cpu is processors and their memory, gpu graphics cards. There is none where it can't be read.", append([]string{"source"}, payerLabels...), nil),
		busy:    prometheus.NewDesc("chimera_device_busy_seconds_total", "Time in which steps were under way.", nil, nil),
		crowded: prometheus.NewDesc("chimera_crowded_seconds_total", "Time of steps that left requests waiting for which there was no room, background work not counted.", []string{"model"}, nil),
		cores:   prometheus.NewDesc("chimera_usable_cores", "CPU seconds that the process may take a second.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (c *costCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.seconds, c.joules, c.busy, c.crowded, c.cores} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *costCollector) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	steps, overhead := c.Spent()
	for _, s := range steps {
		count(c.seconds, s.Seconds, s.labels()...)
	}
	count(c.seconds, overhead, "", "", "", overheadClass)
	for _, j := range c.Joules() {
		if j.Payer == (Payer{}) {
			j.Class = overheadClass
		}
		count(c.joules, j.Joules, j.labels(j.Source)...)
	}
	work := c.Work()
	count(c.busy, work.Busy)
	for model, seconds := range work.Crowded {
		count(c.crowded, seconds, model)
	}
	out <- prometheus.MustNewConstMetric(c.cores, prometheus.GaugeValue, c.Cores())
}
