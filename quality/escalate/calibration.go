package escalate

import (
	"cmp"
	"math"
	"slices"
)

// This file owns the threshold: the confidence below which lie as many answers of late as the budget pays for.

const (
	// recent is how many answers a threshold is found of: at 1 % some 40 lie below it, whose number then is right within a sixth.
	recent = 4096
	// least is how many answers of a kind there must be: at 1 % two or three lie below the threshold.
	least = 256
	// again is after how many answers it is found anew: sorting 4,096 takes a third of a millisecond, which each answer then pays a sixty-fourth of.
	again = 64
)

// seen is an answer as the calibration remembers it.
type seen struct {
	kind       Kind
	confidence float64
	tokens     int // with the prompt's
	cost       int
}

// calibration are the recent answers of a tier, and the thresholds of each kind that follow.
type calibration struct {
	ring       []seen
	next       int // place of the oldest, when it is full
	unseen     int // answers since the thresholds were found
	thresholds [Opening + 1]float64
}

func newCalibration() *calibration {
	c := &calibration{}
	c.calibrate(0)
	return c
}

// add takes note of an answer.
func (c *calibration) add(a Answer, budget float64) {
	s := seen{a.Kind, a.Confidence, a.Prompt + a.Tokens, a.cost()}
	if len(c.ring) < recent {
		c.ring = append(c.ring, s)
	} else {
		c.ring[c.next] = s
		c.next = (c.next + 1) % recent
	}
	if c.unseen++; c.unseen == again {
		c.calibrate(budget)
	}
}

// threshold is what a confidence must lie below; minus infinity as long as it is not known.
func (c *calibration) threshold(k Kind) float64 { return c.thresholds[k] }

// calibrate finds the thresholds.
func (c *calibration) calibrate(budget float64) {
	c.unseen = 0
	all, able := 0, 0
	for _, s := range c.ring {
		all += s.tokens
		if s.kind != None {
			able += s.tokens
		}
	}
	for k := range c.thresholds {
		c.thresholds[k] = math.Inf(-1)
	}
	if able == 0 || budget == 0 {
		return
	}
	// Each kind has a part of the budget like its part of the traffic that can be escalated at all.
	share := budget * float64(all) / float64(able)
	for _, k := range []Kind{Whole, Opening} {
		c.thresholds[k] = c.find(k, share)
	}
}

// find is the confidence of the first answer that is not paid for, when those of the least confidence are paid first. Answers of that same confidence
// are not worth more than it, so they do not lie below.
func (c *calibration) find(k Kind, share float64) float64 {
	var list []seen
	left := 0.0
	for _, s := range c.ring {
		if s.kind == k {
			list = append(list, s)
			left += share * float64(s.tokens)
		}
	}
	if len(list) < least {
		return math.Inf(-1)
	}
	slices.SortFunc(list, func(a, b seen) int { return cmp.Compare(a.confidence, b.confidence) })
	for _, s := range list {
		if left -= float64(s.cost); left < 0 {
			return s.confidence
		}
	}
	return math.Inf(1)
}
