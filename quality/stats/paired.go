package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// This file owns intervals of what two systems differ by that answered the same requests. All verdicts (worse, sure to hold, the largest cause) go by
// them.
//
// Most requests are answered alike, so a difference may rest on a handful of them, and of a handful the plain bootstrap makes too much. Of four that
// differ, all to one side, among hundreds that do not, it draws none in 1.8 % of replicates, so that its interval excludes 0; a coin falls so in 6 %
// of cases. Two things make up for that:
//
//   - Two requests more are drawn from: one that differs as much as those do that matter, as it is and exchanged, so that they change nothing of the
//     difference. What was seen a few times may have been seen a few times more or less, and to the other side; for shares of pairs this is known as adding
//     pseudo-observations (Agresti and Min 2005, https://doi.org/10.1002/sim.1781). With six that differ, all to one side, the interval excludes 0, with five it does
//     not, which is where the exact test of signs has its limit. Where hundreds differ the interval is a few hundredths wider than it would be.
//   - Where fewer than six requests differ at all the interval holds 0, whatever they differ by: the exact test of signs can't exclude it (2^-5 is 3.1 %).
//
// TestSparseLevel has how often 0 is excluded where it is true: in 2.5 % of cases to either side at most, also by sizes that are skewed. What no method tells from
// the data alone is a loss that is so rare that no request shows it: where losses are three times as rare and as large as gains, half a dozen requests that
// differ are all gains too often (4.7 % of cases, by the plain bootstrap 13.7 %). Where none differs the interval is 0 to 0, and its number of requests n says what that is worth: fewer than 3.7/n of all differ.

// leastDiffering is how many requests must differ for an interval to exclude 0.
const leastDiffering = 6

// PairedBootstrap is the interval of score(a) - score(b), of two systems' answers to the same requests: the same requests are drawn for both
// (Koehn 2004, https://aclanthology.org/W04-3250), since what makes a request hard does so for both and is no difference between them.
func PairedBootstrap[K comparable](a, b [][]float64, request []K, score Score, r Resampling) (Interval, error) {
	p, err := newPairing(a, b, request, score)
	if err != nil {
		return Interval{}, err
	}
	figure := func(times []int) float64 { return p.difference(times, score) }
	drawn, err := replicates([]int{len(p.a)}, r, figure)
	if err != nil {
		return Interval{}, err
	}
	i := about(p.seen(score), figure(p.a.once()), drawn)
	// No further than any replicate, as it is: where all that is right becomes wrong, no more can.
	most := float64(p.requests) / float64(len(p.a))
	i.Low, i.High = max(i.Low, min(i.Estimate, most*drawn[0])), min(i.High, max(i.Estimate, most*drawn[len(drawn)-1]))
	return i.unlessFew(p.differing), nil
}

// PairedGap is the interval of a difference of differences: score(a) - score(b) on the requests of tuning, less the same on those of sealed. A and b are two
// systems that answered both. The halves are drawn each for itself, in pairs within each, since they have no request in common.
func PairedGap[K comparable](tuningA, tuningB, sealedA, sealedB [][]float64, tuning, sealed []K, score Score, r Resampling) (Interval, error) {
	t, err := newPairing(tuningA, tuningB, tuning, score)
	if err != nil {
		return Interval{}, fmt.Errorf("tuning half: %w", err)
	}
	s, err := newPairing(sealedA, sealedB, sealed, score)
	if err != nil {
		return Interval{}, fmt.Errorf("sealed half: %w", err)
	}
	figure := func(times []int) float64 {
		return t.difference(times[:len(t.a)], score) - s.difference(times[len(t.a):], score)
	}
	drawn, err := replicates([]int{len(t.a), len(s.a)}, r, figure)
	if err != nil {
		return Interval{}, err
	}
	return about(t.seen(score)-s.seen(score), figure(append(t.a.once(), s.a.once()...)), drawn).unlessFew(t.differing + s.differing), nil
}

// about is the interval of an estimate by replicates, which lie about a centre: that of a mean is the estimate, that of another score is a little off it by what
// the two requests more weigh.
func about(estimate, centre float64, drawn []float64) Interval {
	low, high := ends(drawn)
	return Interval{Estimate: estimate, Low: min(low+estimate-centre, estimate), High: max(high+estimate-centre, estimate)}
}

// unlessFew is an interval that holds 0 where too few requests differ.
func (i Interval) unlessFew(differing int) Interval {
	if differing < leastDiffering {
		i.Low, i.High = min(i.Low, 0), max(i.High, 0)
	}
	return i
}

// pairing is two systems' answers to the same requests, each with its statistics.
type pairing struct {
	a, b      clusters
	requests  int // that were answered; where any differ there are two more behind them
	differing int // of them
}

func newPairing[K comparable](a, b [][]float64, request []K, score Score) (*pairing, error) {
	ca, cb, err := newPair(a, b, request)
	if err != nil {
		return nil, err
	}
	p := &pairing{a: ca, b: cb, requests: len(ca)}
	for i := range ca {
		if !slices.Equal(ca[i], cb[i]) {
			p.differing++
		}
	}
	if p.differing > 0 {
		at := large(p.effects(score))
		p.a, p.b = append(ca, ca[at], cb[at]), append(cb, cb[at], ca[at])
	}
	return p, nil
}

// difference is that of what was drawn. Two of the requests have none together, which is made up for.
func (p *pairing) difference(times []int, score Score) float64 {
	return (score(p.a.sum(times)) - score(p.b.sum(times))) * float64(len(p.a)) / float64(p.requests)
}

// seen is the difference of the requests that were answered.
func (p *pairing) seen(score Score) float64 {
	return score(Sum(p.a[:p.requests])) - score(Sum(p.b[:p.requests]))
}

// effects are by request how much of the difference is its own: half of what the difference loses where its two answers change sides. So a request may
// have any statistics, also such that without it there is no score.
func (p *pairing) effects(score Score) []float64 {
	sumA, sumB := Sum(p.a), Sum(p.b)
	whole, list := score(sumA)-score(sumB), make([]float64, len(p.a))
	first, second := make([]float64, len(sumA)), make([]float64, len(sumB))
	for i := range p.a {
		if slices.Equal(p.a[i], p.b[i]) {
			continue
		}
		for j := range first {
			change := p.b[i][j] - p.a[i][j]
			first[j], second[j] = sumA[j]+change, sumB[j]-change
		}
		if half := (whole - score(first) + score(second)) / 2; !math.IsNaN(half) {
			list[i] = half
		}
	}
	return list
}

// mattering is the part of the effects' sum of squares that requests as large as large, or smaller, have. Those that are larger have too little of it to make
// the interval another.
const mattering = 0.7

// large is the request whose effect is as large as the largest that matter.
func large(effects []float64) int {
	order, squares := make([]int, len(effects)), 0.0
	for i, e := range effects {
		order[i], squares = i, squares+e*e
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(effects[i]), math.Abs(effects[j])) })
	sum := 0.0
	for _, i := range order {
		if sum += effects[i] * effects[i]; sum >= mattering*squares {
			return i
		}
	}
	return order[len(order)-1]
}
