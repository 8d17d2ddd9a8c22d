package drift

import "math"

// This file owns how rare false alarms are: one budget, which all series that are watched at a time share.

// Budget is how many false alarms there may be in a window, over all series: a quarter of one in 500, which is what is promised. Figures of windows have longer
// tails than the normal distribution that thresholds are made of, and means that are learnt are a little off: the simulation (docs/QUALITY.md) shows what
// that comes to.
const Budget = 1.0 / 2000

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
