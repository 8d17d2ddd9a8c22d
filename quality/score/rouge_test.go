package score

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// This file owns the tests of the longest common subsequence.

// tableLongestCommon is the algorithm of text books.
func tableLongestCommon(a, b []string) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func TestLongestCommon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SampledFrom(strings.Fields("a b c d e f g h i j k l m n o p")[:rapid.IntRange(1, 16).Draw(t, "words")])
		text := func(name string) []string {
			n := rapid.IntRange(0, 200).Draw(t, "length of "+name) // rows of up to 4 words of bits
			return rapid.SliceOfN(words, n, n).Draw(t, name)
		}
		a, b := text("a"), text("b")
		if got, want := longestCommon(a, b), tableLongestCommon(a, b); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

// A file's longest lines take seconds at most: of all pairs of places only a 64th is walked.
func TestLongestCommonOfLongTexts(t *testing.T) {
	n := 100_000
	begin := time.Now()
	same := longestCommon(strings.Fields(strings.Repeat("a ", n)), strings.Fields(strings.Repeat("a ", n)))
	turned := longestCommon(strings.Fields(strings.Repeat("a b ", n/2)), strings.Fields(strings.Repeat("b a ", n/2)))
	if same != n || turned != n-1 {
		t.Errorf("%d and %d of %d", same, turned, n)
	}
	if took := time.Since(begin); took > 30*time.Second { // 0.4 s here; pair by pair it would be minutes
		t.Errorf("it took %v", took)
	}
}
