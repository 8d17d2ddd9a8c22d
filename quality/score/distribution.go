package score

import (
	"errors"
	"fmt"
	"math"
)

// This file owns how far a tier's expectations are from the control's, position by position, both having read the same text.

// tailFloor is what the tier's tail is taken to hold at least: log-probabilities are computed in float32, so 1 less their sum is
// exact to about this, and a tail of 0 is no proof that the tier rules something out.
const tailFloor = 1.0 / (1 << 24)

// Divergence is the Kullback-Leibler divergence KL(control || tier) in nats, of what both expect at a position, as far as it is seen:
// given are the log-probabilities of the control's most likely tokens (64 are stored), and those that the tier gives to
// these same tokens; all others are one outcome, the tail.
//
// That is a lower bound of the divergence over the whole vocabulary, by the data-processing inequality (Cover and Thomas, Elements of
// Information Theory, 2.8): tokens were mapped to outcomes, which can lose what tells the two apart and add nothing. It
// is equal to it where both spread their tails over tokens alike, and the nearer the less the control's tail holds. It is 0 or
// more, and infinite if the tier rules out a token that the control does not.
func Divergence(control, tier []float64) (float64, error) {
	if len(control) == 0 || len(control) != len(tier) {
		return 0, fmt.Errorf("%d log-probabilities of the control and %d of the tier: there must be as many, one at least", len(control), len(tier))
	}
	p, q, sum := 0.0, 0.0, 0.0
	for i := range control {
		if !(control[i] <= logSlack && tier[i] <= logSlack) {
			return 0, fmt.Errorf("token %d has log-probabilities %v and %v: they must be numbers that are not above 0", i, control[i], tier[i])
		}
		a := math.Exp(control[i])
		p, q = p+a, q+math.Exp(tier[i])
		if a > 0 {
			sum += a * (control[i] - tier[i])
		}
	}
	if p > 1+probabilitySlack || q > 1+probabilitySlack {
		return 0, fmt.Errorf("probabilities add up to %v and %v: these are no log-probabilities of different tokens", p, q)
	}
	if tail := 1 - p; tail > 0 {
		sum += tail * math.Log(tail/max(1-q, tailFloor))
	}
	return max(0, sum), nil
}

// What float32 may be off: a log-probability, and the sum of some.
const (
	logSlack         = 1e-6
	probabilitySlack = 1e-4
)

// Agreement is the share of positions at which both have the same most likely token. control and tier hold those tokens' ids.
func Agreement(control, tier []int32) (float64, error) {
	if len(control) != len(tier) {
		return 0, fmt.Errorf("the control has %d positions and the tier %d", len(control), len(tier))
	}
	if len(control) == 0 {
		return 0, errors.New("there is no position to agree on")
	}
	same := 0
	for i := range control {
		if control[i] == tier[i] {
			same++
		}
	}
	return float64(same) / float64(len(control)), nil
}
