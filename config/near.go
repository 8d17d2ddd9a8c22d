package config

import (
	"cmp"
	"slices"
	"strings"
)

// This file owns which name was meant by one that does not exist: of a flag, a key of the file, an environment variable.

// Near returns those of names that are likely to be meant by name, best first. Dashes, underscores and case do not
// count. A third of a name's letters may be wrong, whole words of it may be missing, and one may be too many: kv for kv-type,
// num-threads for threads.
func Near(name string, names []string) (near []string) {
	typed := plainName(name)
	distances := map[string]int{}
	for _, candidate := range names {
		d := distance(typed, plainName(candidate))
		limit := min(max(len(typed)/3, 1), 3)
		if d > limit && (wordsOf(typed, plainName(candidate)) || oneMore(typed, plainName(candidate))) {
			d = limit
		}
		if d <= limit && len(typed) > 1 {
			distances[candidate] = d
			near = append(near, candidate)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distances[a], distances[b]) })
	return near
}

func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// wordsOf tells whether each word of name is one of candidate's.
func wordsOf(name, candidate string) bool {
	words := strings.Split(candidate, "-")
	for _, word := range strings.Split(name, "-") {
		if !slices.Contains(words, word) {
			return false
		}
	}
	return true
}

// oneMore tells whether name is candidate with one word more, wherever that stands.
func oneMore(name, candidate string) bool {
	words := strings.Split(name, "-")
	for i := range words {
		if strings.Join(slices.Delete(slices.Clone(words), i, i+1), "-") == candidate {
			return true
		}
	}
	return false
}

// distance counts the letters to insert, delete, replace or swap with their neighbour that make a into b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		earlier := before
		before, row = row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := before[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], earlier[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// meant is the end of an error about a name that does not exist: empty where none is near.
func meant(name string, names []string) string {
	if near := Near(name, names); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
