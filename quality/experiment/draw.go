package experiment

import (
	"math/rand/v2"
	"slices"
)

// This file owns which questions are asked where a suite has more than there is time for: neither the first nor the easiest, but of each kind its part.

// Draw chooses n items of those whose tags are given, in their order: at random by a seed, each as likely as any other, and of each group that has the same tags its
// part of all, give or take one. Tags that few items bear make no group. All are chosen where there are no more than n.
//
// Items are put in order by their tags, those with the same ones by chance, and every so-manieth is taken from a place that is drawn: systematic sampling of a
// list that is sorted by stratum (Cochran 1977, Sampling Techniques, section 8.5). So groups that are like each other make up for each other, where there are more
// of them than questions.
func Draw(tags [][]string, n int, seed uint64) []int {
	draw, group := rand.New(rand.NewPCG(seed, 2)), common(tags)
	order := draw.Perm(len(tags))
	slices.SortStableFunc(order, func(i, j int) int { return slices.Compare(group[i], group[j]) })
	if n < len(order) {
		step, start := float64(len(order))/float64(n), draw.Float64()
		for k := range n {
			order[k] = order[min(int((float64(k)+start)*step), len(order)-1)] // never behind k, so none is lost
		}
		order = order[:n]
	}
	slices.Sort(order)
	return order
}

// common are the tags of each item that enough items bear to be told of.
func common(tags [][]string) [][]string {
	count, list := map[string]int{}, make([][]string, len(tags))
	for _, of := range tags {
		for _, tag := range of {
			count[tag]++
		}
	}
	for i, of := range tags {
		for _, tag := range of {
			if count[tag] >= leastOfTag {
				list[i] = append(list[i], tag)
			}
		}
	}
	return list
}
