package escalate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// This file owns tests of the rule: which answers it claims, and that no traffic makes it spend more than its budget.

// whole is an answer of 10 + 10 tokens.
func whole(confidence float64) Answer { return Answer{"q2_k", Whole, confidence, 10, 10} }

// taught has answered n times, with confidences from -1 up to 0.
func taught(budget float64, n int) *Rule {
	r := New(budget)
	for i := range n {
		r.Answered(whole(float64(i*7919%n)/float64(n)-1), 10)
	}
	return r
}

// Nothing is escalated before there are 256 answers; then those below the confidence that the budget pays for, and no other.
func TestThreshold(t *testing.T) {
	for _, c := range []struct {
		budget     float64
		answers    int
		confidence float64
		claimed    bool
	}{
		{0.05, 255, -0.999, false},
		{0.05, 256, -0.999, true},
		{0.05, 6400, -0.955, true},
		{0.05, 6400, -0.945, false},
		{0.2, 6400, -0.81, true},
		{0.2, 6400, -0.79, false},
		{0.2, 6400, math.NaN(), false},
		{0, 6400, -5, false},
	} {
		if claim := taught(c.budget, c.answers).Claim(whole(c.confidence)); (claim != nil) != c.claimed {
			t.Errorf("at %g after %d answers one of %g is claimed: %t", c.budget, c.answers, c.confidence, claim != nil)
		}
	}
	if r := taught(0.05, 6400); r.Claim(Answer{"q4_k", Whole, -0.999, 10, 10}) != nil || r.Claim(Answer{"q2_k", Opening, -0.999, 10, 10}) != nil || r.Claim(Answer{"q2_k", None, -0.999, 10, 10}) != nil {
		t.Error("another tier's or kind's answer is held against a threshold that is not its own")
	}
}

// Of answers that are all alike none is worth more than another; what has no number is none.
func TestThresholdOfTies(t *testing.T) {
	r := New(0.05)
	for range 640 {
		r.Answered(whole(-1), 10)
	}
	if r.Claim(whole(-1)) != nil || r.Claim(whole(-1.001)) == nil {
		t.Error("of equal answers one is claimed, or of those below none")
	}
	r = New(0.05)
	for range 6400 {
		r.Answered(whole(math.NaN()), 10)
	}
	if s := r.Of("q2_k"); !math.IsNaN(s.Whole) || s.Tokens != 128_000 {
		t.Errorf("%+v", s)
	}
	for i := range 6400 { // half of the traffic pays for the other
		r.Answered(whole(math.NaN()), 10)
		r.Answered(whole(float64(i*7919%6400)/6400-1), 10)
	}
	if s := r.Of("q2_k"); !(math.Abs(s.Whole+0.9) < 0.01) {
		t.Errorf("%+v", s)
	}
}

// What can't be escalated pays for what can, and each kind has its part.
func TestThresholdsOfKinds(t *testing.T) {
	r := New(0.02)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 16 * recent {
		a := Answer{"q2_k", Kind(i % 4), -rng.Float64(), 30, 10}
		if a.Kind > Opening {
			a.Kind = None
		}
		r.Answered(a, 10)
	}
	// Half of the traffic can be escalated, so 4 % of it may be extra: of Whole 4 in 100, of Opening, which costs 31 of 40 tokens, 5.2.
	s := r.Of("q2_k")
	if !(math.Abs(s.Whole+0.96) < 0.012 && math.Abs(s.Opening+0.948) < 0.014) {
		t.Errorf("thresholds %g and %g", s.Whole, s.Opening)
	}
}

// The threshold is that of late: when traffic becomes less sure, what was little becomes ordinary.
func TestThresholdFollows(t *testing.T) {
	r := taught(0.05, 6400)
	for i := range recent {
		r.Answered(whole(-5-float64(i%1000)/1000), 10)
	}
	if s := r.Of("q2_k"); !(s.Whole > -5.96 && s.Whole < -5.94) {
		t.Errorf("threshold %g", s.Whole)
	}
}

// Claims are paid from what was saved, and settled by what they cost.
func TestClaims(t *testing.T) {
	r := taught(0.1, 400) // 8,000 tokens, 800 saved
	if s := r.Of("q2_k"); s.Tokens != 8000 || math.Abs(s.Saved-800) > 1e-6 {
		t.Fatalf("%+v", s)
	}
	first, second := r.Claim(whole(-2)), r.Claim(Answer{"q2_k", Whole, -2, 700, 50})
	if first == nil || second == nil {
		t.Fatal("they were left")
	}
	if r.Claim(whole(-2)) == nil || r.Claim(whole(-2)) != nil { // 10 are left
		t.Error("it has more than it saved, or less")
	}
	if first.Needs(31) || !first.Needs(20) {
		t.Error("a claim has more than was left, or not what it had")
	}
	second.FellBack(700, Failed)
	first.Escalated(20)
	if s := r.Of("q2_k"); s.Extra != 720 || s.Escalated != 1 || s.FellBack[Failed] != 1 || s.FellBack[OverBudget] != 1 || math.Abs(s.Saved-60) > 1e-6 {
		t.Errorf("%+v", s)
	}
	third := r.Claim(whole(-2))
	third.Needs(35)
	third.Left(30)
	if s := r.Of("q2_k"); s.Extra != 750 || s.Escalated != 1 || len(s.FellBack) != 2 || math.Abs(s.Saved-30) > 1e-6 {
		t.Errorf("%+v", s)
	}
}

// Another budget begins anew: what was saved under a larger one is not spent under a smaller one, not by claims that are settled later either.
func TestSetBudget(t *testing.T) {
	r := taught(0.5, 6400)
	claim := r.Claim(whole(-2))
	r.SetBudget(0.05)
	claim.FellBack(0, Late)
	if s := r.Of("q2_k"); s.Saved != 0 || !(math.Abs(s.Whole+0.95) < 0.01) {
		t.Errorf("%+v", s)
	}
	r.SetBudget(0.05)
	r.Answered(whole(0), 10)
	if s := r.Of("q2_k"); math.Abs(s.Saved-1) > 1e-9 {
		t.Errorf("%+v", s)
	}
	if r.SetBudget(0); r.On() || r.Claim(whole(-9)) != nil {
		t.Error("it is off")
	}
}

// adversary makes traffic that tries to make the rule overspend.
type adversary func(rng *rand.Rand, i int) Answer

var adversaries = map[string]adversary{
	"steady":  func(rng *rand.Rand, i int) Answer { return Answer{"q2_k", Whole, -rng.Float64(), 20, 10} },
	"falling": func(rng *rand.Rand, i int) Answer { return Answer{"q2_k", Whole, -float64(i), 20, 10} },
	"bursts":  func(rng *rand.Rand, i int) Answer { return Answer{"q2_k", Whole, -float64(i / 1000 % 2 * 10), 20, 10} },
	"long": func(rng *rand.Rand, i int) Answer {
		return Answer{"q2_k", Whole, -rng.Float64(), 1 + i%10*i%10*500, 10}
	},
	"streams": func(rng *rand.Rand, i int) Answer { return Answer{"q2_k", Opening, -rng.ExpFloat64(), 20, 1 + i%300} },
	"mixed": func(rng *rand.Rand, i int) Answer {
		return Answer{[]string{"q2_k", "q4_k"}[i/900%2], Kind(rng.IntN(3)), -rng.ExpFloat64(), rng.IntN(2000), rng.IntN(500)}
	},
	"one huge": func(rng *rand.Rand, i int) Answer {
		return Answer{"q2_k", Whole, -float64(i%2000) / 2000, 20 + 1_000_000*(i%3000/2999), 10}
	},
}

// At any time since the start no more than the share was extra, and in any stretch no more than its share and what a purse holds; yet where
// something is there to be escalated most of the budget is used.
func TestNeverOverBudget(t *testing.T) {
	for name, next := range adversaries {
		for seed := range uint64(4) {
			budget := []float64{0.01, 0.02, 0.05, 0.3}[seed]
			rng := rand.New(rand.NewPCG(seed, 1))
			r := New(budget)
			var open []*Claim
			worst, low := 0.0, 0.0 // of what is spent or put by, less the share, since any earlier time; the least of that so far
			for i := range 6000 {
				a := next(rng, i)
				given := a.Tokens
				if claim := r.Claim(a); claim != nil {
					if open = append(open, claim); claim.Needs(a.cost() + rng.IntN(200)) {
						given = rng.IntN(300)
					}
				}
				for len(open) > rng.IntN(8) {
					claim := open[0]
					open = open[1:]
					extra := rng.IntN(claim.held + 1)
					[]func(){func() { claim.Escalated(claim.held) }, func() { claim.FellBack(extra, Failed) }, func() { claim.Left(extra) }}[rng.IntN(3)]()
				}
				r.Answered(a, given)
				over := float64(r.extraTotal) - budget*float64(r.total)
				for _, claim := range open {
					over += float64(claim.held)
				}
				if !(over <= 1e-3) {
					t.Fatalf("%s at %g: %d of %d tokens are extra, and %d claims open", name, budget, r.extraTotal, r.total, len(open))
				}
				worst, low = max(worst, over-low), min(low, over)
			}
			if !(worst <= budget*window+1e-3) {
				t.Errorf("%s at %g: in a stretch %g tokens more than the share are extra", name, budget, worst)
			}
			s := r.Of("q2_k")
			if used := float64(s.Extra) / float64(s.Tokens); name == "steady" && !(used > budget/3) || s.Escalated == 0 && name != "bursts" {
				t.Errorf("%s at %g: %g used, %d escalated", name, budget, used, s.Escalated)
			}
		}
	}
}
