package report

import (
	"slices"

	"chimera/store"
)

// This file owns the Pareto table: what is served and each change as throughput, latency and quality, and which of them nothing beats in all
// three. A change is placed by what it does to what is served, so that experiments under different loads can stand in one table.

// Point is a row of the table.
type Point struct {
	Name        string `json:"name"` // AsServed, or the change
	QPS         Figure `json:"qps"`
	TTFT        Figure `json:"ttft"`
	Quality     Figure `json:"quality"`
	OnFront     bool   `json:"on_front"`
	DominatedBy string `json:"dominated_by,omitempty"` // a point that is as good in each and better in one
	Unplaced    string `json:"unplaced,omitempty"`     // why the point has no place
}

// AsServed names the point of what is served.
const AsServed = "as served"

// front places what is served and each trial, in that order.
func (m *modelInput) front(s serving, trials []*trial, quality string) []Point {
	now := Point{Name: AsServed, QPS: s.qps, TTFT: s.ttft, Quality: m.presentQuality(quality)}
	now.place()
	list := []Point{now}
	for _, t := range trials {
		p := Point{Name: t.factor + ": " + t.on}
		p.QPS = moved(now.QPS, t.measures[qpsMeasure], "throughput", true)
		p.TTFT = moved(now.TTFT, t.measures[ttftMeasure], "time to the first token", true) // which is of another load, and never below 0
		p.Quality = moved(now.Quality, t.measures[quality], "quality", false)
		p.place()
		list = append(list, p)
	}
	for i := range list {
		list[i].rank(list)
	}
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
	f := Figure{Name: now.Name, Label: now.Label, Unit: now.Unit, N: now.N, Of: now.Of, From: now.From, Until: now.Until, Method: "what is served, and what the experiment changed"}
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
	if byShare {
		return f.set(*now.Value*e.After/e.Before, "the experiment gave no number")
	}
	return f.set(*now.Value+e.After-e.Before, "the experiment gave no number")
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

// rank finds a point that beats this one.
func (p *Point) rank(all []Point) {
	if !p.placed() {
		return
	}
	p.OnFront = true
	for i := range all {
		if other := &all[i]; other.placed() && other.beats(p) {
			p.OnFront, p.DominatedBy = false, other.Name
			return
		}
	}
}

// beats tells whether p is as good as q in each and better in one.
func (p *Point) beats(q *Point) bool {
	differences := []float64{*p.QPS.Value - *q.QPS.Value, *q.TTFT.Value - *p.TTFT.Value, *p.Quality.Value - *q.Quality.Value}
	better := false
	for _, d := range differences {
		if d < 0 {
			return false
		}
		better = better || d > 0
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

// affordable tells whether all that gets worse has an objective that the change still meets.
func (m *modelInput) affordable(worse []string, at Point) bool {
	for _, label := range worse {
		var f Figure
		switch label {
		case "throughput":
			f = at.QPS.against("qps", m.Objectives.QPS, false)
		case "time to the first token":
			f = at.TTFT.against("ttft_ms", m.Objectives.TTFT, true)
		default:
			f = at.Quality
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
