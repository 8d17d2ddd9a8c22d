package guard

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chimera/quality/stats"
)

// This file owns tests of the rule: cases with their outcome, and what must hold for any figures.

var noFloor = math.Inf(-1)

// chrf may lose one point, agreement five hundredths.
var criteria = Criteria{{"chrf", 1, noFloor}, {"agreement", 0.05, noFloor}}

// measured is a rung whose chrF2 lies so far from the control's, with an interval of half a point about it; its agreement is perfect.
func measured(tier string, difference float64, speed float64, bytes int64) Rung {
	return Rung{tier, bytes, speed, []Evidence{
		{"mt", "chrf", 500, 52 + difference, 52, stats.Interval{Estimate: difference, Low: difference - 0.5, High: difference + 0.5}},
		{"mt", "agreement", 500, 1, 1, stats.Interval{}},
	}}
}

func unmeasured(tier string) Rung { return Rung{Tier: tier} }

func TestDecide(t *testing.T) {
	source := measured("source", 0, 100, 1000)
	source.Evidence[0].Difference = stats.Interval{}
	missed := []string{"ttft_ms"}
	for _, c := range []struct {
		name   string
		ladder Ladder
		s      Situation
		action Action
		tier   string
		reason string
	}{
		{"the source first", Ladder{unmeasured("source"), measured("q8_0", 0, 1, 1)}, Situation{At: "q8_0"}, Measure, "source", "before it is measured"},
		{"what serves next", Ladder{source, unmeasured("q8_0")}, Situation{At: "q8_0"}, Measure, "q8_0", "nobody knows"},
		{"all is well", Ladder{source, measured("q8_0", -0.1, 200, 500)}, Situation{At: "source"}, Stay, "source", "objectives are met"},
		{"all is well below", Ladder{source, measured("q8_0", -0.1, 200, 500)}, Situation{At: "q8_0"}, Stay, "q8_0", "objectives are met"},
		{"down where it holds", Ladder{source, measured("q8_0", -0.4, 200, 500)}, Situation{At: "source", Missed: missed}, Down, "q8_0", "ttft_ms missed in two windows running"},
		{"not onto the bound itself", Ladder{source, measured("q8_0", -0.5, 200, 500)}, Situation{At: "source", Missed: missed}, Stay, "source", "would not surely keep"},
		{"one step, measured first", Ladder{source, unmeasured("q8_0"), measured("q4_k", 0, 300, 250)}, Situation{At: "source", Missed: missed}, Measure, "q8_0", ""},
		{"over what is no faster", Ladder{source, measured("q8_0", 0, 101, 500), measured("q4_k", 0, 300, 250)}, Situation{At: "source", Missed: missed}, Down, "q4_k", ""},
		{"none is faster", Ladder{source, measured("q8_0", 0, 90, 500)}, Situation{At: "source", Missed: missed}, Stay, "source", "no lower tier relieves"},
		{"not below what does not hold", Ladder{source, measured("q8_0", -0.9, 200, 500), measured("q4_k", 0, 300, 250)}, Situation{At: "source", Missed: missed}, Stay, "source", ""},
		{"own speed first", Ladder{measured("source", 0, 0, 1000), measured("q8_0", 0, 200, 500)}, Situation{At: "source", Missed: missed}, Measure, "source", "faster"},
		{"speed of the next", Ladder{source, measured("q8_0", 0, 0, 500)}, Situation{At: "source", Missed: missed}, Measure, "q8_0", ""},
		{"memory asks for less of it", Ladder{source, measured("q8_0", 0, 0, 1000), measured("q4_k", 0, 0, 250)}, Situation{At: "source", Short: true}, Down, "q4_k", "memory is short"},
		{"up to the first that holds", Ladder{source, measured("q6_k", -0.2, 1, 1), measured("q4_k", -0.4, 1, 1), measured("q3_k", -0.8, 1, 1), measured("q2_k", -1.1, 1, 1)}, Situation{At: "q2_k", Verified: true}, Up, "q4_k", "chrf of q2_k is 50.9"},
		{"up although speed is missed", Ladder{source, measured("q4_k", -0.4, 1, 1), measured("q2_k", -1.1, 9, 1)}, Situation{At: "q2_k", Missed: missed, Verified: true}, Up, "q4_k", ""},
		{"up one at a time", Ladder{source, unmeasured("q4_k"), measured("q3_k", -0.8, 1, 1), measured("q2_k", -1.1, 1, 1)}, Situation{At: "q2_k", Verified: true}, Measure, "q4_k", ""},
		{"up to the source", Ladder{source, measured("q4_k", -0.7, 1, 1), measured("q2_k", -1.1, 1, 1)}, Situation{At: "q2_k", Verified: true}, Up, "source", ""},
		{"between it stays", Ladder{source, measured("q4_k", -0.1, 1, 1), measured("q2_k", -0.99, 1, 1)}, Situation{At: "q2_k"}, Stay, "q2_k", ""},
		{"no number fails", Ladder{source, measured("q2_k", math.NaN(), 1, 1)}, Situation{At: "q2_k", Verified: true}, Up, "source", ""},
		{"its weights before the tier", Ladder{source, measured("q6_k", -0.2, 1, 1), measured("q2_k", -1.1, 1, 1)}, Situation{At: "q2_k"}, Verify, "q2_k", "chrf of q2_k is 50.9"},
		{"also where nothing above is known", Ladder{source, unmeasured("q6_k"), measured("q2_k", -1.1, 1, 1)}, Situation{At: "q2_k", Missed: missed}, Verify, "q2_k", ""},
		{"what is not sure needs no proof", Ladder{source, measured("q2_k", -0.9, 1, 1)}, Situation{At: "q2_k"}, Stay, "q2_k", ""},
		{"nothing is gone down to that is no number", Ladder{source, measured("q2_k", math.NaN(), 900, 1)}, Situation{At: "source", Missed: missed}, Stay, "source", ""},
	} {
		got, err := c.ladder.Decide(criteria, c.s)
		if err != nil || got.Action != c.action || got.Tier != c.tier || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: %s %s (%s), %v; want %s %s (%s)", c.name, got.Action, got.Tier, got.Reason, err, c.action, c.tier, c.reason)
		}
		if moves := got.Action == Up || got.Action == Down; moves && len(got.Evidence) == 0 {
			t.Errorf("%s: there is no evidence", c.name)
		}
	}
}

// A floor is held against the estimate, of tier and control.
func TestFloors(t *testing.T) {
	floors := Criteria{{"chrf", math.Inf(1), 50}}
	for _, c := range []struct {
		name          string
		control, tier float64
		at            string
		action        Action
		to            string
	}{
		{"above", 52, 50, "q4_k", Stay, "q4_k"},
		{"below", 52, 49.9, "q4_k", Up, "source"},
		{"the control too", 49, 48, "q4_k", Up, "source"},
		{"the control alone", 49, 51, "q4_k", Up, "source"},
		{"the control serves", 49, 51, "source", Stay, "source"},
	} {
		source, tier := measured("source", c.control-52, 1, 1), measured("q4_k", c.tier-52, 1, 1)
		got, err := Ladder{source, tier}.Decide(floors, Situation{At: c.at, Verified: true})
		if err != nil || got.Action != c.action || got.Tier != c.to {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		if says := strings.Contains(got.Reason, "the source itself"); says != (c.control < 50) {
			t.Errorf("%s: %s", c.name, got.Reason)
		}
		if c.name == "below" && !strings.Contains(got.Reason, "below the floor of 50") {
			t.Errorf("%s: %s", c.name, got.Reason)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	ladder := Ladder{measured("source", 0, 1, 1)}
	for _, c := range []struct {
		criteria Criteria
		at       string
		want     string
	}{
		{nil, "source", "needs a criterion"},
		{Criteria{{"chrf", 0, noFloor}}, "source", "more than 0"},
		{Criteria{{"chrf", math.NaN(), noFloor}}, "source", "more than 0"},
		{Criteria{{"chrf", 1, math.NaN()}}, "source", "no number"},
		{criteria, "q1_k", `"q1_k" is not on the ladder source`},
	} {
		if got, err := ladder.Decide(c.criteria, Situation{At: c.at}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v at %s: %+v, %v", c.criteria, c.at, got, err)
		}
	}
	if got := criteria.Judge([]Evidence{{Metric: "chrf"}}); got != Unmeasured {
		t.Errorf("without evidence of agreement the tier %s", got)
	}
}

// anyLadder has a source and up to seven tiers, each measured or not.
func anyLadder(t *rapid.T) Ladder {
	l := Ladder{measured("source", 0, rapid.Float64Range(1, 300).Draw(t, "speed"), 1000)}
	l[0].Evidence[0].Difference = stats.Interval{}
	for i := range rapid.IntRange(1, 7).Draw(t, "tiers") {
		r := measured(string(rune('a'+i)), rapid.Float64Range(-2, 0.5).Draw(t, "difference"), rapid.Float64Range(1, 300).Draw(t, "speed"), int64(999-i))
		l = append(l, r)
	}
	return l
}

// follow does what the rule says until it rests, with figures that come when they are asked for.
func follow(t *rapid.T, all Ladder, c Criteria, s Situation) (moves []Decision) {
	known := make(Ladder, len(all))
	for i := range all {
		known[i] = Rung{Tier: all[i].Tier, Bytes: all[i].Bytes}
	}
	for range 4 * len(all) {
		d, err := known.Decide(c, s)
		if err != nil {
			t.Fatal(err)
		}
		to := all.find(d.Tier)
		if to < 0 {
			t.Fatalf("%s is not on the ladder", d.Tier)
		}
		switch d.Action {
		case Stay:
			if d.Tier != s.At {
				t.Fatalf("at %s it stays at %s", s.At, d.Tier)
			}
			return moves
		case Measure:
			if known[to].Evidence != nil {
				t.Fatalf("%s is to be measured twice", d.Tier)
			}
			known[to] = all[to]
		case Verify:
			if s.Verified || d.Tier != s.At || criteria.Judge(known[to].Evidence) != Fails {
				t.Fatalf("%s is to be verified at %s, which %s", d.Tier, s.At, criteria.Judge(known[to].Evidence))
			}
			s.Verified = true
		default:
			from := all.find(s.At)
			if (d.Action == Up) != (to < from) || to == from {
				t.Fatalf("%s from %s to %s", d.Action, s.At, d.Tier)
			}
			if d.Action == Up && from > 0 && !s.Verified {
				t.Fatalf("it leaves %s before its weights are known to be its own", s.At)
			}
			moves, s.At, s.Verified = append(moves, d), d.Tier, false
		}
	}
	t.Fatalf("it does not come to rest: %+v", moves)
	return nil
}

// Whatever was measured and wherever it begins: it rests, never on what fails, and goes onto what holds alone.
func TestComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ladder := anyLadder(t)
		s := Situation{At: rapid.SampledFrom(ladder).Draw(t, "at").Tier, Short: rapid.Bool().Draw(t, "short")}
		if rapid.Bool().Draw(t, "slow") {
			s.Missed = []string{"qps"}
		}
		began := s.At
		moves := follow(t, ladder, criteria, s)
		at, seen := began, []string{began}
		for _, d := range moves {
			to, from := &ladder[ladder.find(d.Tier)], &ladder[ladder.find(at)]
			if verdict := criteria.Judge(to.Evidence); verdict != Holds {
				t.Fatalf("to %s, which %s", d.Tier, verdict)
			}
			if up := d.Action == Up; up != (criteria.Judge(from.Evidence) == Fails) {
				t.Fatalf("%s from %s, which %s", d.Action, at, criteria.Judge(from.Evidence))
			}
			if slices.Contains(seen, d.Tier) {
				t.Fatalf("%s comes twice: %v, then %+v", d.Tier, seen, d)
			}
			at, seen = d.Tier, append(seen, d.Tier)
		}
		if criteria.Judge(ladder[ladder.find(at)].Evidence) == Fails {
			t.Fatalf("it rests at %s, which fails", at)
		}
		if len(s.Missed) == 0 && !s.Short && len(moves) > 1 {
			t.Fatalf("nothing is asked for, and it goes %+v", moves)
		}
	})
}

func TestPressure(t *testing.T) {
	var p Pressure
	for i, c := range []struct {
		missed []string
		want   []string
	}{
		{nil, nil}, {[]string{"qps"}, nil}, {[]string{"ttft_ms"}, nil}, {[]string{"qps", "ttft_ms"}, []string{"ttft_ms"}},
		{[]string{"qps", "ttft_ms"}, []string{"qps", "ttft_ms"}}, {nil, nil}, {[]string{"qps"}, nil}, {[]string{"qps"}, []string{"qps"}},
	} {
		if p.Add(c.missed); !slices.Equal(p.Missed(), c.want) {
			t.Errorf("window %d: %v, want %v", i, p.Missed(), c.want)
		}
	}
	p.Forget()
	if p.Add([]string{"qps"}); p.Missed() != nil {
		t.Error("one window of a new tier counts")
	}
}

// The evidence of two runs is that of their sums, item by item.
func TestPaired(t *testing.T) {
	var tier, control [][]float64
	for i := range 200 {
		control = append(control, []float64{10, 10})
		tier = append(tier, []float64{float64(10 - i%2), 10})
	}
	share := func(sum []float64) float64 { return sum[0] / sum[1] }
	e, err := Paired("dev", "agreement", tier, control, share, stats.Resampling{Seed: 1})
	if err != nil || e.Items != 200 || e.Value != 0.95 || e.Control != 1 || !(math.Abs(e.Difference.Estimate+0.05) <= 1e-12) {
		t.Fatalf("%+v, %v", e, err)
	}
	// Half of the items lose a tenth: the mean's standard error is 0.05/sqrt(200).
	if want := 1.96 * 0.05 / math.Sqrt(200); !(math.Abs(e.Difference.High-e.Difference.Low-2*want) <= 0.15*want) {
		t.Errorf("the interval is %+v, want half of %g", e.Difference, want)
	}
	if got := (Criteria{{"agreement", 0.052, noFloor}}).Judge([]Evidence{e}); got != Unsure {
		t.Errorf("the tier %s", got)
	}
	if got := (Criteria{{"agreement", 0.06, noFloor}}).Judge([]Evidence{e}); got != Holds {
		t.Errorf("the tier %s", got)
	}
	if _, err := Paired("dev", "agreement", tier[:1], control[:1], share, stats.Resampling{}); err == nil || !strings.Contains(err.Error(), "dev, agreement") {
		t.Errorf("of one item: %v", err)
	}
}
