package coverage

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"unicode"
)

// This file owns topics: groups of texts that are alike, by the short runs of letters that they have.
//
// A text is a vector of hashed runs of four letters (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"; Damashek 1995, "Gauging
// similarity with n-grams"), and groups are those of spherical k-means (Dhillon and Modha 2001). Such vectors tell prose from code, one template from another
// and one subject's words from another's; they do not know that two words mean the same. A model's own hidden states would, at the price of
// computing for each sample what clients wait for.

const (
	dimensions = 256
	run        = 4
	// groups are how many topics there are at most: with more, a part of a twentieth falls apart into what is too small to be named.
	groups = 8
	// alike is the cosine from which two texts are of one kind: those of one template have more, those of two subjects in one language less than half of it.
	alike  = 0.5
	rounds = 10
	// mostItems bounds the items that are grouped: they are taken evenly.
	mostItems = 2000
)

// vector has the length 1, or 0 for a text that has nothing.
type vector [dimensions]float32

// vectorOf counts runs of letters. Counts are taken as their roots, so that a word that is written often does not make the text.
func vectorOf(text string) (v vector) {
	var letters []rune
	for _, r := range strings.ToLower(text) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			if r = ' '; len(letters) == 0 || letters[len(letters)-1] == ' ' {
				continue
			}
		}
		letters = append(letters, r)
	}
	for i := 0; i+run <= len(letters); i++ {
		h := fnv.New32a()
		h.Write([]byte(string(letters[i : i+run])))
		v[h.Sum32()%dimensions]++
	}
	for i := range v {
		v[i] = float32(math.Sqrt(float64(v[i])))
	}
	v.normalise()
	return v
}

func (v *vector) normalise() {
	length := math.Sqrt(v.dot(v))
	if length == 0 {
		return
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
}

func (v *vector) dot(w *vector) (sum float64) {
	for i := range v {
		sum += float64(v[i]) * float64(w[i])
	}
	return sum
}

// topics groups requests and items together, and tells of each which group it is of. A group is named by its number, the largest among requests first, and
// by what most of its requests are: nothing of their text.
func topics(requests, items []Features) func(*Features) string {
	all := slices.Clone(requests)
	for i := 0; i < len(items); i += 1 + len(items)/mostItems {
		all = append(all, items[i])
	}
	centres := spread(all)
	for range rounds {
		centres = moved(centres, all)
	}
	counts := make([]int, len(centres))
	languages := make([]map[string]int, len(centres))
	for i := range requests {
		at := nearest(centres, &requests[i].vector)
		counts[at]++
		if languages[at] == nil {
			languages[at] = map[string]int{}
		}
		languages[at][requests[i].Language]++
	}
	order := make([]int, len(centres))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
	names := make([]string, len(centres))
	for place, at := range order {
		names[at] = fmt.Sprintf("%d (%s)", place+1, most(languages[at]))
	}
	return func(f *Features) string { return names[nearest(centres, &f.vector)] }
}

// most is what there is most of.
func most(counts map[string]int) (name string) {
	for n, c := range counts {
		if c > counts[name] || c == counts[name] && n < name {
			name = n
		}
	}
	if name == "" {
		return "no requests"
	}
	return "mostly " + name
}

// spread are first centres that are far from one another: each next is what is least like those before (Gonzalez 1985). It draws nothing, so that the same
// requests have the same topics.
func spread(all []Features) []vector {
	centres := []vector{all[0].vector}
	like := make([]float64, len(all)) // the nearest centre
	for i := range like {
		like[i] = math.Inf(-1)
	}
	for len(centres) < groups {
		far := -1
		for i := range all {
			like[i] = max(like[i], centres[len(centres)-1].dot(&all[i].vector))
			if all[i].vector != (vector{}) && (far < 0 || like[i] < like[far]) {
				far = i
			}
		}
		if far < 0 || like[far] > alike { // there is nothing else
			break
		}
		centres = append(centres, all[far].vector)
	}
	return centres
}

// moved are centres in the middle of what is nearest to each. One that nothing is nearest to stays.
func moved(centres []vector, all []Features) []vector {
	sums, some := make([]vector, len(centres)), make([]bool, len(centres))
	for i := range all {
		at := nearest(centres, &all[i].vector)
		some[at] = true
		for d, x := range all[i].vector {
			sums[at][d] += x
		}
	}
	for at := range sums {
		if sums[at].normalise(); !some[at] {
			sums[at] = centres[at]
		}
	}
	return sums
}

func nearest(centres []vector, v *vector) (at int) {
	best := math.Inf(-1)
	for i := range centres {
		if like := centres[i].dot(v); like > best {
			at, best = i, like
		}
	}
	return at
}
