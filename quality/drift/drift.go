// Package drift tells when scores are no longer what they were. It is arithmetic: figures of windows and of suites' runs go in, and what is surely worse
// than before comes out. What is done about it is the daemon's.
//
// This file owns what is watched: a series, and how a metric's figures are read.
package drift

import (
	"math"
	"time"
)

// Key names a series: figures that may be compared with one another. Weights that were made twice from one source at one tier must be the same, so a series
// goes on over a reload and over a change of tier and back; of another source, suite or tier it is another, which learns anew.
type Key struct {
	Model  string
	Source string // the numerics id of the control, which is that of the model's file
	Tier   string
	Suite  string // "live" for clients' requests
	Digest string // of the suite's contents
	Metric string
	Tag    string // the part of the requests that it is of; empty: all
}

// Point is a figure of a series.
type Point struct {
	Time     time.Time
	Value    float64
	Error    float64 // its standard error; NaN: nobody knows
	N        int     // requests, or items
	Numerics string  // the numerics id of what answered
}

// Detectors, as alarms name them.
const (
	CUSUM  = "cusum"  // windows are surely worse than those that were learnt from
	Paired = "paired" // a suite's run is surely worse than the one that its series began with, of other weights
	Exact  = "exact"  // a suite's run of the same weights is another
)

// Finding is what an alarm goes by.
type Finding struct {
	Detector  string  `json:"detector"`
	Value     float64 `json:"value"`
	Baseline  float64 `json:"baseline"`
	Deviation float64 `json:"deviation"` // standard error of what lies between; 0 where there must be nothing
	Sum       float64 `json:"sum"`       // in standard deviations
	Threshold float64 `json:"threshold"`
	N         int     `json:"n"`
}

// State is how a series stands.
type State struct {
	Key
	Phase     string // Learning or Watching
	Last      Point
	Baseline  float64
	Deviation float64 // of a figure like the last, as it varies while all is well
	Windows   int     // that were learnt from
	Sum       float64 // of what figures were worse by, in standard deviations, beyond the slack
	Threshold float64
	Alarms    int // since the start, or since the earliest row that is known
}

// The phases.
const (
	Learning = "learning" // there is nothing yet to compare with
	Watching = "watching"
)

// lessIsBetter are the metrics that rise when answers become worse.
var lessIsBetter = map[string]bool{"kl": true, "ece": true, "fluency": true}

// worseBy is by how much a figure is worse than another; below 0 where it is better.
func worseBy(metric string, now, before float64) float64 {
	if lessIsBetter[metric] {
		return now - before
	}
	return before - now
}

// least is the smallest standard deviation that a metric is taken to have. A window in which nothing differed says that little did, and not that nothing
// ever will; and what is far below a change that anybody would notice is nobody's alarm.
func least(metric string, baseline float64) float64 {
	switch metric {
	case "kl":
		return 0.05*math.Abs(baseline) + 1e-6
	case "fluency": // a perplexity
		return 0.001 * math.Abs(baseline)
	case "chrf": // of 100
		return 0.1
	}
	return 0.001
}
