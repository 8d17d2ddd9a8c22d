package stats

import "math"

// This file owns the paired test.

// PairedPermutation is the two-sided p-value of score(a) - score(b) by approximate randomisation (Noreen 1989; Riezler and Maxwell 2005,
// https://aclanthology.org/W05-0908): if the two systems are alike, it does not matter which of them gave an answer, so
// the answers to each request are exchanged by the toss of a coin, all its segments together, and the p-value is the share of tosses whose difference is
// as large as the one seen. That one is counted among them, so p is never 0: 1/(Count+1) at least.
func PairedPermutation[K comparable](a, b [][]float64, request []K, score Score, r Resampling) (p float64, err error) {
	ca, cb, err := newPair(a, b, request)
	if err != nil {
		return 0, err
	}
	count, err := r.count()
	if err != nil {
		return 0, err
	}
	difference := func(first, second []float64) float64 { return math.Abs(score(first) - score(second)) }
	once := ca.once()
	seen := difference(ca.sum(once), cb.sum(once))
	asLarge := 1
	for i := range count {
		first, second := exchanged(ca, cb, newDraws(r.Seed, i))
		// Sums in another order may be off by rounding; what is equal but for that is as large.
		if difference(first, second) >= seen-1e-12*max(1, seen) {
			asLarge++
		}
	}
	return float64(asLarge) / float64(count+1), nil
}

// exchanged are the sums of two systems whose clusters have changed sides by chance.
func exchanged(a, b clusters, d draws) (first, second []float64) {
	sums := [2][]float64{make([]float64, len(a[0])), make([]float64, len(a[0]))}
	for i := range a {
		side := d.coin()
		add(sums[side], a[i])
		add(sums[1-side], b[i])
	}
	return sums[0], sums[1]
}
