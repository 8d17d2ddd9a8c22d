package score

import (
	"strings"
	"unicode"
)

// This file owns what is counted of short answers: exact match and the F1 of tokens, as SQuAD's evaluation of v1.1 has them
// (Rajpurkar et al. 2016, https://aclanthology.org/D16-1264). Its percentages are shares here.

const squadProperties = "norm:squad-v1.1"

// exactMatch is 1 where both are the same once they are normalised, also where nothing is left of either.
func exactMatch(hypothesis, reference string) float64 {
	if strings.Join(normalised(hypothesis), " ") == strings.Join(normalised(reference), " ") {
		return 1
	}
	return 0
}

// tokenF1 counts the words that both have, in any order. Without a word in common it is 0, also where neither has any: that is
// v1.1, in which each question has an answer.
func tokenF1(hypothesis, reference string) float64 {
	h, r := normalised(hypothesis), normalised(reference)
	left := map[string]int{}
	for _, word := range r {
		left[word]++
	}
	common := 0
	for _, word := range h {
		if left[word] > 0 {
			left[word]--
			common++
		}
	}
	return fScore(common, len(h), len(r))
}

// normalised are a text's words in lower case, without ASCII's punctuation and without English articles.
func normalised(text string) []string {
	text = strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
			return -1
		}
		return r
	}, lower(valid(text)))
	return words(withoutArticles(text))
}

// withoutArticles blanks a, an and the where they are whole runs of letters and digits: next to a dash, too. Punctuation has gone
// before, so "the." is one, and "a.b" is none.
func withoutArticles(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := runLength(text)
		switch run := text[:n]; run {
		case "a", "an", "the":
			b.WriteByte(' ')
		default:
			b.WriteString(run)
		}
		text = text[n:]
	}
	return b.String()
}

// runLength is how many bytes at a text's beginning are letters and digits, or are none.
func runLength(text string) int {
	first, inRun := true, false
	for i, r := range text {
		if is := unicode.IsLetter(r) || unicode.IsNumber(r); first {
			first, inRun = false, is
		} else if is != inRun {
			return i
		}
	}
	return len(text)
}
