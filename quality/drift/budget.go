package drift

import "math"

// This file owns how rare false alarms are: one budget of windows and one of suites' runs, which all series of each that are watched at a time share.

// Budget is how many false alarms there may be in a window, over all series: a quarter of one in 500, which is what is promised. Figures of windows have longer
// tails than the normal distribution that thresholds are made of, and means that are learnt are a little off: the simulation (docs/QUALITY.md) shows what
// that comes to.
const Budget = 1.0 / 2000

// runBudget is how many false alarms there may be in a run of a suite whose weights are others than the reference's, over all its series: 7 in 10,000, for the
// tails of items' figures too, of which 12 are promised. Runs of the same weights have none. Such a run is rare, as weights of one source and tier are the same
// but for another program, and there is one to find a change by: the next is of the same weights, and says the same. So it is less strict than a window.
const runBudget = 7.0 / 10_000

// part is what of the budget of runs the series of a metric share, of whichever suites: agreement's, chrF's, or that of all others together. However many of
// these there are, they take nothing away from the two that changes are promised to be found by: two points of agreement are six deviations of a run of 500
// items, and two of BLEU five of 1,000 items' chrF.
type part struct {
	of    string
	share float64
}

func partOf(metric string) part {
	switch metric {
	case "agreement":
		return part{metric, 1.0 / 7}
	case "chrf":
		return part{metric, 4.0 / 7}
	}
	return part{"others", 2.0 / 7}
}

// isWatchedOfRuns tells whether runs are judged by a metric. By BLEU they are not: chrF is of the same texts, and what is lost in noise is to it
// almost twice as many deviations. Nor by calibration: a sum of small absolute values has no normal error, and a bootstrap makes it a fifth too small; accuracy
// is of the same choices.
func isWatchedOfRuns(metric string) bool { return metric != "bleu" && metric != "ece" }

// runRate is the part of the budget that one series of runs has, of so many that are alike.
func runRate(metric string, alike int) float64 {
	return partOf(metric).share * runBudget / float64(max(1, alike))
}

// wholeShare is the part of the budget that the series of all requests share; the rest is for parts of them, of which there are many and none alone is
// what a model is judged by.
const wholeShare = 0.5

// slack is what CUSUM takes off each figure, in standard deviations: half of the change that is found soonest. Two points of agreement are three to five
// deviations of a window of 200 requests, and anything smaller takes some windows more.
const slack = 1.5

// mostStep is how many standard deviations a figure counts as at most. Requests' figures have long tails, in which one window in some thousand is ten deviations
// off by chance and two in a row are not: no window raises an alarm alone, and one that is far off needs but one more.
const mostStep = 4

// rate is the part of the budget that one series has, of so many that are watched beside it and are of all requests, or of a part, as it is.
func rate(tag string, alike int) float64 {
	share := wholeShare
	if tag != "" {
		share = 1 - wholeShare
	}
	return Budget * share / float64(max(1, alike))
}

// threshold is the sum at which CUSUM raises an alarm as rarely as that, by Siegmund's approximation of its mean run length on normal figures
// (Siegmund 1985, Sequential Analysis, ch. 2): (exp(2kb) - 2kb - 1) / 2k² with b = h + 1.166.
func threshold(rate float64) float64 {
	low, high := 0.0, 50.0
	for range 60 {
		h := (low + high) / 2
		if b := 2 * slack * (h + 1.166); (math.Exp(b)-b-1)/(2*slack*slack) < 1/rate {
			low = h
		} else {
			high = h
		}
	}
	return max(high, mostStep-slack)
}

// quantile is how many standard deviations a normal figure exceeds as rarely as that.
func quantile(rate float64) float64 { return math.Sqrt2 * math.Erfinv(1-2*rate) }
