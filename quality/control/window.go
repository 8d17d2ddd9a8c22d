package control

import (
	"maps"
	"slices"

	"chimera/quality/score"
	"chimera/quality/stats"
)

// This file owns a window: what some requests' scores say of all the traffic that they were drawn from.
//
// Requests are drawn with a probability that is known, and some of them are lost before they are scored: more under load, more of long ones. So each scored request
// is weighted by the inverse of the probability that it was drawn with and, within its stratum, of the share that was scored (Horvitz and
// Thompson 1952, "A generalization of sampling without replacement from a finite universe"; weighting-class adjustment: Little and Rubin, Statistical
// Analysis with Missing Data, ch. 3).

// Metrics of windows.
const (
	Agreement = "agreement" // share of positions at which tier and control have the same most likely token
	KL        = "kl"        // nats a position, a lower bound
	ChrF      = "chrf"      // chrF2 of what was served against what the control answers by itself, 0 to 100
	Fluency   = "fluency"   // perplexity of what was served under the control, from 1 on; less is better
)

// Window is the requests that were scored or lost since the last one. Its zero value is empty.
type Window struct {
	scored []scored
	lost   map[Stratum]float64 // requests that they stand for
}

// scored is a request: what its answers come to, and how many requests it stands for, as it was drawn.
type scored struct {
	stratum Stratum
	stands  float64
	Paired
}

// Score adds a request that was drawn with a probability, by its answers together.
func (w *Window) Score(s Stratum, share float64, answers ...Paired) {
	w.scored = append(w.scored, scored{s, 1 / share, together(answers)})
}

// together are the sums of a request's answers.
func together(answers []Paired) (sum Paired) {
	for _, a := range answers {
		sum.Tokens, sum.Same, sum.KL = sum.Tokens+a.Tokens, sum.Same+a.Same, sum.KL+a.KL
		sum.ChrF, sum.Fluency = added(sum.ChrF, a.ChrF), added(sum.Fluency, a.Fluency)
	}
	return sum
}

// Figures are the metrics of one request, of its answers together, by their names. What nobody computed is not there.
func Figures(answers ...Paired) map[string]float64 {
	sum, figures := together(answers), map[string]float64{}
	for _, m := range metrics {
		if counts := m.counts(sum); counts != nil {
			figures[m.name] = m.score(counts)
		}
	}
	return figures
}

// added are counts of answers together; nil where none has any.
func added(sum, counts []float64) []float64 {
	if sum == nil {
		return slices.Clone(counts)
	}
	for i, n := range counts {
		sum[i] += n
	}
	return sum
}

// Lose takes note of a request that was drawn with a probability and will not be scored.
func (w *Window) Lose(s Stratum, share float64) {
	if w.lost == nil {
		w.lost = map[Stratum]float64{}
	}
	w.lost[s] += 1 / share
}

// Requests is how many were scored.
func (w *Window) Requests() int { return len(w.scored) }

// Clone is a window of its own.
func (w *Window) Clone() *Window { return &Window{slices.Clone(w.scored), maps.Clone(w.lost)} }

// weights are how many requests each scored one stands for. What was lost of a stratum that has a scored request is laid upon these; else upon those that
// came under the same load, which is what makes requests be lost; else upon all.
func (w *Window) weights() []float64 {
	list := make([]float64, len(w.scored))
	for i := range w.scored {
		list[i] = w.scored[i].stands
	}
	var rest map[Stratum]float64
	left := w.lost
	for _, class := range []func(Stratum) Stratum{
		func(s Stratum) Stratum { return s }, func(s Stratum) Stratum { return Stratum{Load: s.Load} }, func(Stratum) Stratum { return Stratum{} },
	} {
		rest = map[Stratum]float64{}
		for s, n := range left {
			rest[class(s)] += n
		}
		there := map[Stratum]float64{}
		for i := range w.scored {
			there[class(w.scored[i].stratum)] += w.scored[i].stands
		}
		for i := range w.scored {
			of := class(w.scored[i].stratum)
			list[i] += rest[of] * w.scored[i].stands / there[of]
		}
		for s := range there {
			delete(rest, s)
		}
		left = rest
	}
	return list
}

// Estimate is a metric of the traffic or, with a tag, of a part of it; its interval draws requests anew.
type Estimate struct {
	Metric string
	Tag    string // empty: of all
	stats.Interval
	Requests int // that were scored
}

// LeastRequests are what an interval means anything of; a part of the traffic with fewer has no estimate.
const LeastRequests = 20

// Overall are the estimates of all traffic; none where too few requests were scored.
func (w *Window) Overall() ([]Estimate, error) {
	all := make([]int, len(w.scored))
	for i := range all {
		all[i] = i
	}
	return w.estimates("", all, w.weights())
}

// Estimates are those of all traffic, and of each part that has enough requests.
func (w *Window) Estimates() (list []Estimate, err error) {
	if list, err = w.Overall(); err != nil {
		return nil, err
	}
	weights, parts := w.weights(), map[string][]int{}
	for i := range w.scored {
		for _, tag := range w.scored[i].stratum.Tags() {
			parts[tag] = append(parts[tag], i)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(parts)) {
		more, err := w.estimates(tag, parts[tag], weights)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// estimates are those of some requests.
func (w *Window) estimates(tag string, of []int, weights []float64) (list []Estimate, err error) {
	for _, m := range metrics {
		rows := w.rows(of, weights, m.counts)
		if len(rows) < LeastRequests {
			continue
		}
		requests := make([]int, len(rows))
		for i := range requests {
			requests[i] = i
		}
		interval, err := stats.Bootstrap(rows, requests, m.score, stats.Resampling{Seed: 1})
		if err != nil {
			return nil, err
		}
		list = append(list, Estimate{m.name, tag, interval, len(rows)})
	}
	return list, nil
}

// metrics are how each is made of sums.
var metrics = []struct {
	name   string
	counts func(Paired) []float64 // nil: the request has none
	score  stats.Score
}{
	{Agreement, func(p Paired) []float64 { return []float64{p.Same, p.Tokens} }, ratio},
	{KL, func(p Paired) []float64 { return []float64{p.KL, p.Tokens} }, ratio},
	{ChrF, func(p Paired) []float64 { return p.ChrF }, score.ChrF{}.Score},
	{Fluency, func(p Paired) []float64 { return p.Fluency }, score.Fluency},
}

func ratio(sum []float64) float64 { return sum[0] / sum[1] }

// rows are weighted counts of some requests, of those that have any.
func (w *Window) rows(of []int, weights []float64, counts func(Paired) []float64) (rows [][]float64) {
	for _, i := range of {
		have := counts(w.scored[i].Paired)
		if have == nil {
			continue
		}
		row := make([]float64, len(have))
		for j, n := range have {
			row[j] = weights[i] * n
		}
		rows = append(rows, row)
	}
	return rows
}
