package score

import (
	"math"
	"strings"
	"testing"
)

// This file owns tests of what answers are by themselves.

func TestFluency(t *testing.T) {
	// Two tokens of 1/2 and 1/8, and one of 1/2: exp(-(ln 1/2 + ln 1/8 + ln 1/2) / 3) = 2^(5/3). The mean of both answers' perplexities is 3.
	var sum []float64
	for _, answer := range []struct {
		logProbability float64
		tokens         int
	}{{math.Log(1.0 / 16), 2}, {math.Log(0.5), 1}} {
		counts, err := FluencyCounts(answer.logProbability, answer.tokens)
		if err != nil {
			t.Fatal(err)
		}
		sum = added(sum, counts)
	}
	if got := Fluency(sum); !near(got, math.Pow(2, 5.0/3)) {
		t.Errorf("%v, want 2^(5/3)", got)
	}
	if sure, err := FluencyCounts(0, 3); err != nil || Fluency(sure) != 1 {
		t.Errorf("what was sure has %v, %v", sure, err)
	}
	if never, err := FluencyCounts(-1e9, 1); err != nil || math.IsInf(Fluency(never), 0) {
		t.Errorf("%v is no number, %v", never, err)
	}
	for _, c := range []struct {
		logProbability float64
		tokens         int
	}{{0.1, 1}, {-1, 0}, {math.NaN(), 1}, {math.Inf(-1), 1}, {-1, -1}} {
		if _, err := FluencyCounts(c.logProbability, c.tokens); err == nil || !strings.Contains(err.Error(), "must") && !strings.Contains(err.Error(), "not above 0") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// By hand, with beta 2 and the orders that both have: "ab" against "abc" has precision 1 and recall 7/12, so 700/11; the other way round 7/12 and 1, so 87.5.
func TestConsistency(t *testing.T) {
	there, back := 700.0/11, 87.5
	for _, c := range []struct {
		answers []string
		want    float64
	}{
		{[]string{"ab", "abc"}, (there + back) / 2},
		{[]string{"ab", "abc", "ab"}, (2*100 + 2*there + 2*back) / 6},
		{[]string{"ab", " ab\n", "ab"}, 100},
		{[]string{"", " "}, 100},
		{[]string{"ab", ""}, 0},
		{[]string{"ab", "cd"}, 0},
		{[]string{"x", "x", "y"}, 100.0 / 3},
	} {
		if got, err := Consistency(c.answers); err != nil || !near(got, c.want) {
			t.Errorf("%q: %v, %v, want %v", c.answers, got, err, c.want)
		}
	}
	for _, none := range [][]string{nil, {"ab"}} {
		if _, err := Consistency(none); err == nil {
			t.Errorf("%q passes", none)
		}
	}
}

// sacrebleu's chrF2 of a pair, either way round, is what a pair's consistency is made of.
func TestConsistencyIsSacrebleus(t *testing.T) {
	pairs, verdict := ask(t)
	compared := 0
	for i, p := range pairs {
		if len(p.references) != 1 || strings.TrimSpace(p.hypothesis) == strings.TrimSpace(p.references[0]) {
			continue
		}
		compared++
		there, _ := alike(p.hypothesis, p.references[0])
		_, back := alike(p.references[0], p.hypothesis)
		if want := verdict.ChrF[i]; !near(there, want) || !near(back, want) {
			t.Fatalf("%q against %q: %v and %v, sacrebleu has %v", p.hypothesis, p.references[0], there, back, want)
		}
	}
	if compared < 1000 {
		t.Errorf("%d pairs were compared", compared)
	}
}
