package mix

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// This file owns tests of the choice, against trying all of them.

// sum is what a choice takes and costs.
func sum(tensors [][]Option, picks []int) (bytes int64, cost float64) {
	for i, options := range tensors {
		bytes, cost = bytes+options[picks[i]].Bytes, cost+options[picks[i]].Cost
	}
	return bytes, cost
}

// cheapest is the least cost of all choices within a budget, by trying each.
func cheapest(tensors [][]Option, budget int64) float64 {
	if budget < 0 {
		return math.Inf(1)
	}
	if len(tensors) == 0 {
		return 0
	}
	best := math.Inf(1)
	for _, o := range tensors[0] {
		best = min(best, o.Cost+cheapest(tensors[1:], budget-o.Bytes))
	}
	return best
}

// random makes tensors whose sizes are multiples of unit.
func random(r *rand.Rand, unit int64) (tensors [][]Option, least, most int64) {
	for range 1 + r.IntN(5) {
		var options []Option
		low, high := int64(math.MaxInt64), int64(0)
		for range 1 + r.IntN(5) {
			o := Option{Bytes: unit * r.Int64N(20), Cost: float64(r.IntN(1000)) / 64} // exact in any order
			options = append(options, o)
			low, high = min(low, o.Bytes), max(high, o.Bytes)
		}
		tensors = append(tensors, options)
		least, most = least+low, most+high
	}
	return tensors, least, most
}

// TestChooseIsBest: within each budget nothing costs less, and what fits no mix is refused.
func TestChooseIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 2000 {
		tensors, least, most := random(r, 1+r.Int64N(1000))
		for _, budget := range []int64{least, most, most + 1, least + r.Int64N(most-least+1), least - 1} {
			picks, err := Choose(tensors, budget)
			want := cheapest(tensors, budget)
			if err != nil {
				if !math.IsInf(want, 1) {
					t.Fatalf("case %d, budget %d: %v, want %v", n, budget, err, want)
				}
				continue
			}
			if bytes, cost := sum(tensors, picks); bytes > budget || cost != want {
				t.Fatalf("case %d, budget %d: %d bytes cost %v, want %v: %v of %v", n, budget, bytes, cost, want, picks, tensors)
			}
		}
	}
}

// TestChooseOfManySteps: where sizes have no common divisor the table is coarser: the budget holds all the same, and what is lost is no more than what a step
// for each tensor could have bought.
func TestChooseOfManySteps(t *testing.T) {
	over := [][]Option{{{0, 1}, {131074, 0}}, {{0, 0}, {1, 0}}} // by a byte, which is less than a step
	if picks, err := Choose(over, 131073); err != nil || picks[0] != 0 {
		t.Errorf("a byte more than the budget is chosen: %v, %v", picks, err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 20 {
		tensors, least, most := random(r, 999_983)
		for _, options := range tensors {
			for i := range options {
				options[i].Bytes += r.Int64N(1000)
			}
		}
		most += int64(1000 * len(tensors))
		budget := least + int64(1000*len(tensors)) + r.Int64N(most-least)
		picks, err := Choose(tensors, budget)
		if err != nil {
			t.Fatal(err)
		}
		step := (most-least)/(mostCells-1) + 1
		bytes, cost := sum(tensors, picks)
		if worst := cheapest(tensors, budget-step*int64(len(tensors)+1)); bytes > budget || !(cost <= worst) || !(cost >= cheapest(tensors, budget)) {
			t.Fatalf("case %d, budget %d: %d bytes cost %v, with some steps less it would be %v", n, budget, bytes, cost, worst)
		}
	}
}

// TestChooseIsOne: among mixes that cost alike it is always the same one.
func TestChooseIsOne(t *testing.T) {
	tensors := [][]Option{{{10, 1}, {20, 0}}, {{10, 1}, {20, 0}}}
	for range 10 {
		picks, err := Choose(tensors, 30)
		if err != nil || picks[0] != 1 || picks[1] != 0 {
			t.Fatalf("%v %v", picks, err)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	for _, c := range []struct {
		tensors [][]Option
		budget  int64
		says    string
	}{
		{[][]Option{{}}, 1, "tensor 0 has 0 options"},
		{[][]Option{{{1, 0}}, make([]Option, 256)}, 1, "tensor 1 has 256 options"},
		{[][]Option{{{1, math.NaN()}}}, 1, "costs NaN"},
		{[][]Option{{{1, math.Inf(1)}}}, 1, "costs +Inf"},
		{[][]Option{{{1, -1}}}, 1, "costs -1"},
		{[][]Option{{{-1, 0}}}, 1, "takes -1 bytes"},
		{[][]Option{{{10, 0}, {8, 1}}, {{7, 1}}}, 14, "the smallest mix takes 15 bytes, 1 more than there are"},
	} {
		if picks, err := Choose(c.tensors, c.budget); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, %v, want %q", c.tensors, picks, err, c.says)
		}
	}
	if picks, err := Choose(nil, 0); err != nil || len(picks) != 0 {
		t.Errorf("of no tensor: %v, %v", picks, err)
	}
}
