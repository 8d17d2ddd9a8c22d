package suite

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// This file owns checks: properties of an answer that a program can tell. An item of kind edge scores the share of its checks that pass.
//
// Rejected: a model as judge. Its word changes with its version, and it is swayed by what it reads.

// Check is one property. Texts are compared in NFKC, without regard to case, curly quotes or how wide a blank is.
type Check struct {
	Name   string   `json:"check"`
	Any    []string `json:"any,omitempty"`    // of contains, absent, begins and is
	Number *float64 `json:"number,omitempty"` // of number
	Words  int      `json:"words,omitempty"`  // of words: how many at most
	Script string   `json:"script,omitempty"` // of script, as Unicode names it: Latin, Cyrillic, Han
}

// checks are the names, with what each must have, and how it is told.
var checks = map[string]struct {
	has   func(Check) bool
	needs string
	holds func(c Check, answer string) bool
}{
	// contains: one of the texts stands in the answer, as whole words.
	"contains": {hasTexts, textsNeeded, func(c Check, answer string) bool { return c.anyText(answer, hasWords) }},
	// absent: none of them does.
	"absent": {hasTexts, textsNeeded, func(c Check, answer string) bool { return !c.anyText(answer, hasWords) }},
	// begins: the answer begins with one of them.
	"begins": {hasTexts, textsNeeded, func(c Check, answer string) bool { return c.anyText(answer, beginsWith) }},
	// is: the answer is one of them, but for what stands around it: quotes, a full stop.
	"is": {hasTexts, textsNeeded, func(c Check, answer string) bool { return c.anyText(answer, isAlike) }},
	// number: the number stands in the answer, in digits: 1234.5, 1,234.5 and 1.234,5 are the same.
	"number": {func(c Check) bool { return c.Number != nil && !math.IsInf(*c.Number, 0) }, "a number", func(c Check, answer string) bool { return hasNumber(answer, *c.Number) }},
	// words: the answer has at most so many.
	"words": {func(c Check) bool { return c.Words > 0 }, "words, from 1", func(c Check, answer string) bool { return len(strings.Fields(answer)) <= c.Words }},
	// script: nine in ten of its letters, and one at least, are of the script.
	"script": {func(c Check) bool { return unicode.Scripts[c.Script] != nil }, "script, as Unicode names one, such as Latin", func(c Check, answer string) bool { return isWritten(answer, c.Script) }},
	// asks: it has a question mark.
	"asks": {func(Check) bool { return true }, "", func(_ Check, answer string) bool { return strings.ContainsAny(answer, "?\u061f") }},
	// no-loop: no four words stand in it more than four times, as in answers that go in circles.
	"no-loop": {func(Check) bool { return true }, "", func(_ Check, answer string) bool { return !loops(answer) }},
}

const textsNeeded = "any, a list of texts that are not empty"

func hasTexts(c Check) bool {
	return len(c.Any) > 0 && !slices.ContainsFunc(c.Any, func(text string) bool { return strings.TrimSpace(alike(text)) == "" })
}

// valid refuses a check that nobody knows, or that lacks what it compares with.
func (c Check) valid() error {
	known, ok := checks[c.Name]
	switch {
	case !ok:
		return fmt.Errorf("check %q: use one of %s", c.Name, joined(Checks()))
	case !known.has(c):
		return fmt.Errorf("check %q needs %s", c.Name, known.needs)
	}
	return nil
}

// Checks are the names of all checks, in order.
func Checks() (names []string) {
	for name := range checks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Passes is how many of an item's checks an answer passes. One without a text passes none: it would have no fault to be found with.
func (i *Item) Passes(answer string) (passed int) {
	text := alike(answer)
	if text == "" {
		return 0
	}
	for _, c := range i.Checks {
		if checks[c.Name].holds(c, text) {
			passed++
		}
	}
	return passed
}

// anyText tells whether the answer stands to one of the check's texts as relation says.
func (c Check) anyText(answer string, relation func(answer, text string) bool) bool {
	return slices.ContainsFunc(c.Any, func(text string) bool { return relation(answer, alike(text)) })
}

var straight = strings.NewReplacer("\u2018", "'", "\u2019", "'", "\u201c", `"`, "\u201d", `"`, "\u2212", "-")

// alike is a text in the form that is compared.
func alike(text string) string {
	return strings.Join(strings.Fields(strings.ToLower(straight.Replace(norm.NFKC.String(text)))), " ")
}

// partsWords tells of a letter whether words end where it meets none: scripts without blanks, and those whose articles and
// prepositions are written on to the word, are searched letter by letter.
func partsWords(r rune) bool {
	return unicode.IsDigit(r) || unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}

// hasWords tells whether text stands in answer with no word going on at its ends.
func hasWords(answer, text string) bool {
	for from := 0; ; {
		at := strings.Index(answer[from:], text)
		if at < 0 {
			return false
		}
		at += from
		if !goesOn(answer[:at], text) && !goesOn(text, answer[at+len(text):]) {
			return true
		}
		_, width := utf8.DecodeRuneInString(text)
		from = at + width
	}
}

// goesOn tells whether a word goes on from the end of one text to the beginning of another.
func goesOn(left, right string) bool {
	last, _ := utf8.DecodeLastRuneInString(left) // of no text, what is no letter
	first, _ := utf8.DecodeRuneInString(right)
	return partsWords(last) && partsWords(first)
}

func beginsWith(answer, text string) bool {
	answer = strings.TrimLeft(answer, "\"'*_ ")
	return strings.HasPrefix(answer, text) && !goesOn(text, answer[len(text):])
}

func isAlike(answer, text string) bool {
	around := func(s string) string {
		return strings.TrimFunc(s, func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSpace(r) || r == '`' })
	}
	return around(answer) == around(text)
}

// isWritten tells whether nine in ten of a text's letters are of a script, and one at least.
func isWritten(answer, script string) bool {
	letters, of := 0, 0
	for _, r := range answer {
		if unicode.IsLetter(r) {
			letters++
			if unicode.Is(unicode.Scripts[script], r) {
				of++
			}
		}
	}
	return of > 0 && 10*of >= 9*letters
}

// Words in a row, and how often they may come back.
const (
	loopWords = 4
	loopTimes = 4
)

func loops(answer string) bool {
	words, times := strings.Fields(answer), map[string]int{}
	for i := loopWords; i <= len(words); i++ {
		run := strings.Join(words[i-loopWords:i], " ")
		if times[run]++; times[run] > loopTimes {
			return true
		}
	}
	return false
}
