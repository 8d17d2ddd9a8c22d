package experiment

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// This file owns tests of which questions are asked.

// tagged are items of three kinds, those of the rare one first, some with a second tag.
func tagged() (tags [][]string) {
	for i := range 500 {
		kind := "often"
		if i < 50 {
			kind = "rare"
		} else if i%5 == 0 {
			kind = "now and then"
		}
		if tags = append(tags, []string{kind}); i%2 == 0 {
			tags[i] = append(tags[i], "second")
		}
	}
	return tags
}

// Each kind has its part, whatever the seed, and the seed decides which items.
func TestDraw(t *testing.T) {
	tags := tagged()
	kinds := func(items []int) map[string]float64 {
		n := map[string]float64{}
		for _, i := range items {
			n[fmt.Sprint(tags[i])]++
		}
		return n
	}
	all := kinds(Draw(tags, 500, 1))
	for seed := range uint64(50) {
		items := Draw(tags, 200, seed)
		if len(items) != 200 || !slices.IsSorted(items) || len(slices.Compact(slices.Clone(items))) != 200 {
			t.Fatalf("seed %d: %v", seed, items)
		}
		for kind, n := range kinds(items) {
			if want := all[kind] * 200 / 500; !(math.Abs(n-want) < 1) {
				t.Errorf("seed %d: %v of %s, whose part is %v", seed, n, kind, want)
			}
		}
		if !slices.Equal(items, Draw(tags, 200, seed)) || slices.Equal(items, Draw(tags, 200, seed+1)) {
			t.Errorf("seed %d does not decide", seed)
		}
	}
	for i := range tags {
		tags[i] = append([]string{fmt.Sprint("an item's own ", i)}, tags[i]...) // as the package that a sentence is from
	}
	rare := 0.0
	for _, i := range Draw(tags, 200, 3) {
		if tags[i][1] == "rare" {
			rare++
		}
	}
	if !(math.Abs(rare-20) <= 2) { // two groups of it
		t.Errorf("with tags that nobody else has, %v of the rare kind, whose part is 20", rare)
	}
	if got := Draw(tags[:3], 200, 7); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("of three: %v", got)
	}
}

// Each item is as likely as any other, also where each is of a kind of its own.
func TestDrawIsFair(t *testing.T) {
	var alone [][]string
	for i := range 60 {
		alone = append(alone, []string{fmt.Sprint("kind ", i)})
	}
	for name, tags := range map[string][][]string{"kinds": tagged()[:60], "each its own": alone, "none": make([][]string, 60)} {
		const seeds, n = 3000, 25
		times := make([]float64, len(tags))
		for seed := range uint64(seeds) {
			for _, i := range Draw(tags, n, seed) {
				times[i]++
			}
		}
		const share = float64(n) / 60
		for i, k := range times {
			if got := k / seeds; !(math.Abs(got-share) <= 4.5*math.Sqrt(share*(1-share)/seeds)) {
				t.Errorf("%s: item %d is asked in %.3f of cases, not in %.3f", name, i, got, share)
			}
		}
	}
}
