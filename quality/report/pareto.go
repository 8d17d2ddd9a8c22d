package report

import (
	"math"
	"slices"

	"chimera/store"
)

// This file owns the Pareto table: what is served and each change as throughput, latency and quality, and which of them nothing surely beats in all
// three. A change is placed by what it does to what is served, so that experiments under different loads can stand in one table.
//
// Rejected: to take what is not surely worse for as good. A wide interval would then beat others by being wide.

// Point is a row of the table.
type Point struct {
	Name        string `json:"name"` // AsServed, or the change
	QPS         Figure `json:"qps"`
	TTFT        Figure `json:"ttft"`
	Quality     Figure `json:"quality"`
	OnFront     bool   `json:"on_front"`
	DominatedBy string `json:"dominated_by,omitempty"` // a point that is surely as good in each and better in one
	Unplaced    string `json:"unplaced,omitempty"`     // why the point has no place
}

// edges are by how much a change is better than what is served, in throughput, time and quality.
type edges [3]edge

// edge is by how much a change is better than what is served, with the ends of its 95 % interval. What is served is so by nothing, surely.
type edge struct{ value, low, high float64 }

// edgeOf is what an experiment says: as a share of what there was, or as a difference.
func edgeOf(e *store.Experiment, byShare bool) edge {
	value, low, high := gain(e)
	if byShare {
		return edge{value / e.Before, low / e.Before, high / e.Before}
	}
	return edge{value, low, high}
}

// over is the lower end of the interval by which a change is better than another, whose experiment errs by itself; NaN where either has none
// (Zou and Donner 2008, "Construction of confidence limits about effect measures": the limits' distances add up as squares).
func (e edge) over(other edge) float64 {
	return e.value - other.value - math.Hypot(e.value-e.low, other.high-other.value)
}

// AsServed names the point of what is served.
const AsServed = "as served"

// front places what is served and each trial, in that order.
func (m *modelInput) front(s serving, trials []*trial, quality string) []Point {
	now := Point{Name: AsServed, QPS: s.qps, TTFT: s.ttft, Quality: m.presentQuality(quality)}
	now.place()
	list, by := []Point{now}, make([]edges, 1+len(trials))
	for i, t := range trials {
		p := Point{Name: t.factor + ": " + t.on}
		p.QPS = moved(now.QPS, t.measures[qpsMeasure], "throughput", true)
		p.TTFT = moved(now.TTFT, t.measures[ttftMeasure], "time to the first token", true) // which is of another load, and never below 0
		p.Quality = moved(now.Quality, t.measures[quality], "quality", false)
		if p.place(); p.placed() {
			by[1+i] = edges{edgeOf(t.measures[qpsMeasure], true), edgeOf(t.measures[ttftMeasure], true), edgeOf(t.measures[quality], false)}
		}
		list = append(list, p)
	}
	rank(list, by)
	return list
}

// presentQuality is the newest score of the metric on the tier that answers.
func (m *modelInput) presentQuality(metric string) Figure {
	var newest *store.Score
	for _, suite := range m.suites() {
		if row := m.latest(suite, metric, "", m.served()); row != nil && (newest == nil || row.Time.After(newest.Time)) {
			newest = row
		}
	}
	if newest == nil {
		f := Figure{Name: "quality", Label: "quality", Unit: metricOf(metric).unit, Of: "items", From: m.From, Until: m.Until, Method: "run of a suite"}
		return f.missing("no score of what is served")
	}
	return scored(newest)
}

// moved is a figure as an experiment says that it would be: by the same share, or by the same difference.
func moved(now Figure, e *store.Experiment, what string, byShare bool) Figure {
	f := Figure{Name: now.Name, Label: now.Label, Unit: now.Unit, N: now.N, Of: now.Of, From: now.From, Until: now.Until, Method: "what is served, and what the experiment changed, whose interval it is"}
	switch {
	case now.Value == nil:
		return f.missing(now.Missing)
	case e == nil:
		return f.missing(what + " was not measured")
	}
	f.N, f.Of, f.Until = e.N, "pairs", e.Time
	if f.Until.Before(f.From) {
		f.From, f.Until = f.Until, f.From
	}
	f.Sources = append(slices.Clone(now.Sources), rowsOf(store.Experiments, []int64{e.Row})...)
	at := func(difference float64) float64 {
		if byShare {
			return *now.Value * (e.Before + difference) / e.Before
		}
		return *now.Value + difference
	}
	return f.set(at(e.After-e.Before), "the experiment gave no number").between(at(e.Low), at(e.High))
}

// place says why the point has no place, if it has none.
func (p *Point) place() {
	for _, f := range []*Figure{&p.QPS, &p.TTFT, &p.Quality} {
		if f.Value == nil {
			p.Unplaced = f.Missing
			return
		}
	}
}

// placed tells whether the point has a place; a report that was read may also lack what it says that it has.
func (p *Point) placed() bool {
	return p.Unplaced == "" && p.QPS.Value != nil && p.TTFT.Value != nil && p.Quality.Value != nil
}

// rank finds for each point one that beats it.
func rank(list []Point, by []edges) {
	for i := range list {
		p := &list[i]
		if !p.placed() {
			continue
		}
		p.OnFront = true
		for j := range list {
			if list[j].placed() && by[j].beat(by[i]) {
				p.OnFront, p.DominatedBy = false, list[j].Name
				break
			}
		}
	}
}

// beat tells whether a change is surely as good as another in each and better in one.
func (e edges) beat(other edges) bool {
	better := false
	for i := range e {
		by := e[i].over(other[i])
		if !(by >= 0) {
			return false
		}
		better = better || by > 0
	}
	return better
}

// wanted tells whether something that gets better misses its objective.
func (m *modelInput) wanted(better, missed []string) bool {
	for _, label := range better {
		for _, name := range missed {
			if objectiveOf(label, name) {
				return true
			}
		}
	}
	return false
}

// objectiveOf tells whether the objective of a name is about what a label says.
func objectiveOf(label, name string) bool {
	switch label {
	case "throughput":
		return name == "qps"
	case "time to the first token":
		return name == "ttft_ms" || name == "ttft_p95_ms"
	}
	for _, about := range known {
		if about.label == label {
			return about.objective != "" && about.objective == name
		}
	}
	return false
}

// affordable tells whether all that gets worse has an objective that the change still meets, by the worse end of its interval.
func (m *modelInput) affordable(worse []string, at Point) bool {
	for _, label := range worse {
		var f Figure
		switch label {
		case "throughput":
			f = at.QPS.worst(false).against("qps", m.Objectives.QPS, false)
		case "time to the first token":
			f = at.TTFT.worst(true).against("ttft_ms", m.Objectives.TTFT, true)
		default:
			f = at.Quality.worst(false)
			for _, about := range known {
				if about.label == label && about.target != nil {
					f = f.against(about.objective, about.target(&m.Objectives), false)
				}
			}
		}
		if f.Objective == nil || f.Objective.Status != Met {
			return false
		}
	}
	return true
}

// worst is the figure at the worse end of its interval, if it has one.
func (f Figure) worst(lessIsBetter bool) Figure {
	if end := f.Low; end != nil && !lessIsBetter {
		f.Value = end
	}
	if end := f.High; end != nil && lessIsBetter {
		f.Value = end
	}
	return f
}
