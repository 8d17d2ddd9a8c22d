package score

import (
	"math/bits"
	"strings"
)

// This file owns ROUGE-L.

// rougeL is the F-score of the longest common subsequence of words (Lin 2004, https://aclanthology.org/W04-1013), as Google's
// rouge_score has it without its stemmer: words are runs of a-z and 0-9 in what is lower-cased first, so that text in other
// scripts has none and scores 0.
func rougeL(hypothesis, reference string) float64 {
	h, r := asciiWords(hypothesis), asciiWords(reference)
	return fScore(longestCommon(h, r), len(h), len(r))
}

func asciiWords(text string) []string {
	return strings.FieldsFunc(lower(text), func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') })
}

// fScore is the harmonic mean of precision and recall where so many words are common.
func fScore(common, hypothesis, reference int) float64 {
	if common == 0 {
		return 0
	}
	precision, recall := float64(common)/float64(hypothesis), float64(common)/float64(reference)
	return 2 * precision * recall / (precision + recall)
}

// longestCommon is the length of the longest common subsequence. A row of the table of the usual algorithm is a bit for each
// word of a, cleared where the row grows by one, and 64 of them are computed by an addition (Hyyrö 2004, "Bit-parallel
// LCS-length computation revisited"). It takes len(a)·len(b)/64 steps and memory of len(a).
func longestCommon(a, b []string) (n int) {
	places := map[string][]int{}
	for i, word := range a {
		places[word] = append(places[word], i)
	}
	row := make([]uint64, (len(a)+63)/64)
	for i := range row {
		row[i] = ^uint64(0)
	}
	m := newMatches(len(row), places)
	for _, word := range b {
		if len(places[word]) > 0 {
			advance(row, m.of(word))
		}
	}
	for _, bits64 := range row {
		n += bits.OnesCount64(^bits64)
	}
	return n
}

// advance goes to the next row. The carry of a word of bits goes into the next one. Bits beyond a's end match nothing and stay set.
func advance(row, match []uint64) {
	carry := uint64(0)
	for i, v := range row {
		u := v & match[i]
		sum, c := bits.Add64(v, u, carry)
		row[i], carry = sum|v&^match[i], c
	}
}

// matches are the bits of a's places that hold a word. Those of a word that takes more than a 64th of a are kept; there can be
// 64 of these. Those of others are quickly set and cleared.
type matches struct {
	places map[string][]int
	kept   map[string][]uint64
	bits   []uint64
	last   []int // the places that are set in bits
}

func newMatches(size int, places map[string][]int) *matches {
	m := &matches{places: places, kept: map[string][]uint64{}, bits: make([]uint64, size)}
	for word, at := range places {
		if len(at) > size {
			m.kept[word] = make([]uint64, size)
			set(m.kept[word], at)
		}
	}
	return m
}

func set(to []uint64, places []int) {
	for _, at := range places {
		to[at/64] |= 1 << (at % 64)
	}
}

func (m *matches) of(word string) []uint64 {
	if kept := m.kept[word]; kept != nil {
		return kept
	}
	for _, at := range m.last {
		m.bits[at/64] = 0
	}
	m.last = m.places[word]
	set(m.bits, m.last)
	return m.bits
}
