package control

import (
	"errors"
	"fmt"
	"math"

	"chimera/quality/score"
)

// This file owns one answer as two models see it, both having read what was served.

// Likely is a token that a model expects, with its natural log-probability.
type Likely struct {
	Token          int32
	LogProbability float64
}

// Position is what a model expects at one position of an answer: its most likely tokens, the likeliest first.
type Position []Likely

// TopTokens is how many of the most likely tokens a position has: beyond them lies a thousandth of what a language model expects.
const TopTokens = 64

// Paired are the sums of one answer that scores are made of.
type Paired struct {
	Tokens float64
	Same   float64   // positions at which both have the same most likely token
	KL     float64   // nats: the sum of lower bounds of KL(control || tier), see Compare
	ChrF   []float64 // counts of the served text against the control's own; nil: it was not asked
	// Fluency are counts of the served tokens under the control, see score.FluencyCounts; nil: they were not read.
	Fluency []float64
}

// Compare holds a tier's expectations against the control's, position by position of what was served.
//
// The divergence of a position is that of score.Divergence over the tokens that both have among their most likely, with all others as one outcome: of any
// choice of outcomes it is a lower bound, and this one needs nothing of a model but its most likely tokens.
func Compare(control, tier []Position) (p Paired, err error) {
	if len(control) != len(tier) || len(control) == 0 {
		return p, fmt.Errorf("the control has %d positions and the tier %d: there must be as many, one at least", len(control), len(tier))
	}
	for i := range control {
		if len(control[i]) == 0 || len(tier[i]) == 0 {
			return p, fmt.Errorf("position %d has no likely token", i)
		}
		p.Tokens++
		if control[i][0].Token == tier[i][0].Token {
			p.Same++
		}
		kl, err := divergence(control[i], tier[i])
		if err != nil {
			return p, fmt.Errorf("position %d: %w", i, err)
		}
		p.KL += kl
	}
	if math.IsInf(p.KL, 0) || math.IsNaN(p.KL) {
		return p, errors.New("the divergence is no number")
	}
	return p, nil
}

// divergence is that of one position. Where both have no likely token in common, the tier expects the control's first no more than its own last.
func divergence(control, tier Position) (float64, error) {
	expects := make(map[int32]float64, len(tier))
	for _, t := range tier {
		expects[t.Token] = t.LogProbability
	}
	var p, q []float64
	for _, c := range control {
		if l, both := expects[c.Token]; both {
			p, q = append(p, c.LogProbability), append(q, l)
		}
	}
	if last := tier[len(tier)-1].LogProbability; len(p) == 0 {
		if last >= control[0].LogProbability { // it may be expected as much as by the control
			return 0, nil
		}
		p, q = []float64{control[0].LogProbability}, []float64{last}
	}
	return score.Divergence(p, q)
}
