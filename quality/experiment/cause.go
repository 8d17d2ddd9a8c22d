package experiment

import (
	"fmt"
	"slices"

	"chimera/quality/stats"
)

// This file owns root causes: what of a loss of quality comes back when one factor alone is as for the control, over the same questions.

// All is the factor of the comparison in which everything is as for the control: what comes back then is the whole loss.
const All = "all"

// TagPrefix begins the factor that is one tag's questions alone: all else of them as for the control. Tags are parts of the loss by question, beside
// factors, which are parts of it by reason.
const TagPrefix = "tag:"

// Answers are what one way to serve has answered to all questions: the sufficient statistics of a score, a row a question. Questions that nobody could
// answer have no row in any.
type Answers [][]float64

// Causes holds each way to serve against what is served. restored is by factor, All among them; tags are those of each question.
func Causes(served Answers, restored map[string]Answers, tags [][]string, score stats.Score, seed uint64) (list []Effect, err error) {
	of := make([]int, len(served))
	for i := range of {
		of[i] = i
	}
	for _, name := range sortedFactors(restored, tags) {
		now, is := restored[name]
		if !is {
			now = onlyTag(name[len(TagPrefix):], served, restored[All], tags)
		}
		d, err := stats.PairedBootstrap(now, served, of, score, stats.Resampling{Seed: seed})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, Effect{Measure: name, Before: score(stats.Sum(served)), After: score(stats.Sum(now)), Difference: d})
	}
	return list, nil
}

// leastOfTag is how many questions a tag must bear to be told of.
const leastOfTag = 10

// sortedFactors are the factors with All last, behind tags that some questions bear and others don't.
func sortedFactors(restored map[string]Answers, tags [][]string) (names []string) {
	count := map[string]int{}
	for _, list := range tags {
		for _, tag := range list {
			count[tag]++
		}
	}
	for name := range restored {
		if name != All {
			names = append(names, name)
		}
	}
	for tag, n := range count {
		if n >= leastOfTag && n < len(tags) {
			names = append(names, TagPrefix+tag)
		}
	}
	slices.Sort(names)
	return append(names, All)
}

// onlyTag has the questions of one tag answered as by the control, and the others as they are.
func onlyTag(tag string, served, control Answers, tags [][]string) Answers {
	mixed := slices.Clone(served)
	for i, list := range tags {
		if slices.Contains(list, tag) {
			mixed[i] = control[i]
		}
	}
	return mixed
}
