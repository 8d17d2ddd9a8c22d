// Package control owns what a control group is, as rules: which answers are drawn, what is said of those that nobody came to score, how a
// tier's answer is held against the control's, and what all of that says of the whole traffic. It is arithmetic and a bounded store of samples: who
// asks models, and when, is the daemon's.
//
// This file owns the strata: what is known of an answer before anybody scores it.
package control

import (
	"strings"
	"unicode"
)

// Stratum is what an answer was like and under what load it was asked for. Answers of a stratum stand for one another where some of them were never scored:
// scoring falls behind under load and drops what is long, and both are other answers than the rest.
type Stratum struct {
	Load      string // Idle, Busy or Queued
	Class     string // of scheduling
	Length    string // Short, Medium or Long
	Script    string // of the text; see ScriptOf
	Truncated bool   // it was cut off, by its length or by its client
}

// What a request found when it came.
const (
	Idle   = "idle"   // nobody
	Busy   = "busy"   // others were being answered
	Queued = "queued" // others waited
)

// LoadOf is the load of so many answers under way, and so many that wait.
func LoadOf(running, waiting int) string {
	switch {
	case waiting > 0:
		return Queued
	case running > 0:
		return Busy
	}
	return Idle
}

// How long prompt and answer are together: a question, a page, more than that.
const (
	Short  = "short"  // up to shortTokens
	Medium = "medium" // up to mediumTokens
	Long   = "long"

	shortTokens  = 64
	mediumTokens = 1024
)

// LengthOf is the bucket of so many tokens.
func LengthOf(tokens int) string {
	switch {
	case tokens <= shortTokens:
		return Short
	case tokens <= mediumTokens:
		return Medium
	}
	return Long
}

// scripts are those that have a bucket of their own: of languages that models are asked in most. Kana are Japanese, which has Han too.
var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"latin", unicode.Latin}, {"cyrillic", unicode.Cyrillic}, {"han", unicode.Han}, {"kana", unicode.Hiragana}, {"kana", unicode.Katakana}, {"hangul", unicode.Hangul},
	{"arabic", unicode.Arabic}, {"hebrew", unicode.Hebrew}, {"greek", unicode.Greek}, {"devanagari", unicode.Devanagari}, {"thai", unicode.Thai},
}

// mostScript is the share of letters that a script needs for a text to be of it.
const mostScript = 0.7

// ScriptOf is the script that most letters of a text are of; "mixed" where none has most, "other" for scripts without a bucket, "none" for a text without letters.
func ScriptOf(text string) string {
	counts, letters := map[string]int{}, 0
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		counts[scriptOf(r)]++
	}
	if letters == 0 {
		return "none"
	}
	for name, n := range counts {
		if float64(n) >= mostScript*float64(letters) {
			return name
		}
	}
	return "mixed"
}

func scriptOf(r rune) string {
	if r <= unicode.MaxASCII {
		return "latin"
	}
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			return s.name
		}
	}
	return "other"
}

// Tags are the parts of the traffic that an answer belongs to, one of each kind, the load's first.
func (s Stratum) Tags() []string {
	end := "end:whole"
	if s.Truncated {
		end = "end:truncated"
	}
	return []string{"load:" + s.Load, "class:" + s.Class, "length:" + s.Length, "script:" + s.Script, end}
}

// String names the stratum in one word.
func (s Stratum) String() string { return strings.Join(s.Tags(), " ") }
