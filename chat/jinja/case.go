package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// This file owns upper and lower case as Python has them: one character may become several (ß, SS), and a sigma that ends a
// word has a form of its own.

// casing begins a text and gives what becomes of the character at a place in it.
type casing func(s string) func(at int, r rune) string

// stringMapping are methods from string to string without arguments.
var stringMapping = map[string]casing{
	"upper":      upperCase,
	"lower":      lowerCase,
	"casefold":   foldCase,
	"capitalize": capitalize,
	"title":      titleCase,
	"swapcase":   swapCase,
}

// single applies a caser to one character after the other, so that each keeps its mark; ascii does the same of ASCII's, soon.
func single(c cases.Caser, ascii func(rune) rune) func(int, rune) string {
	return func(_ int, r rune) string {
		if r < utf8.RuneSelf {
			return string(ascii(r))
		}
		return c.String(string(r))
	}
}

func upperCase(string) func(int, rune) string {
	return single(cases.Upper(language.Und), unicode.ToUpper)
}
func initial(string) func(int, rune) string {
	return single(cases.Title(language.Und), unicode.ToUpper)
}
func foldCase(string) func(int, rune) string { return single(cases.Fold(), unicode.ToLower) }

func lowerCase(s string) func(int, rune) string {
	lower := single(cases.Lower(language.Und), unicode.ToLower)
	return func(at int, r rune) string {
		if r == 'Σ' && endsWord(s, at) {
			return "ς"
		}
		return lower(at, r)
	}
}

// endsWord tells whether the character at a place has a letter before it and none behind.
func endsWord(s string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	_, n := utf8.DecodeRuneInString(s[at:])
	behind, _ := utf8.DecodeRuneInString(s[at+n:])
	return unicode.IsLetter(before) && !unicode.IsLetter(behind)
}

func capitalize(s string) func(int, rune) string {
	lower, upper := lowerCase(s), initial(s)
	return func(at int, r rune) string {
		if at == 0 {
			return upper(at, r)
		}
		return lower(at, r)
	}
}

func titleCase(s string) func(int, rune) string {
	lower, upper, inside := lowerCase(s), initial(s), false
	return func(at int, r rune) string {
		f := upper
		if inside {
			f = lower
		}
		inside = unicode.IsLetter(r)
		return f(at, r)
	}
}

// filterTitle capitalises after spaces, hyphens and brackets.
func filterTitle(s string) func(int, rune) string {
	lower, upper, inside := lowerCase(s), upperCase(s), false
	return func(at int, r rune) string {
		f := upper
		if inside {
			f = lower
		}
		inside = !strings.ContainsRune("-([{<", r) && !unicode.IsSpace(r)
		return f(at, r)
	}
}

func swapCase(s string) func(int, rune) string {
	lower, upper := lowerCase(s), upperCase(s)
	return func(at int, r rune) string {
		if unicode.IsUpper(r) {
			return lower(at, r)
		}
		return upper(at, r)
	}
}

// isLower and isUpper hold if some characters have that case and none has another.
func isLower(s string) bool { return hasCase(s, lowerLetter) }
func isUpper(s string) bool { return hasCase(s, upperLetter) }

func hasCase(s string, is func(rune) bool) bool {
	some := false
	for _, r := range s {
		if !is(r) && (lowerLetter(r) || upperLetter(r) || unicode.IsTitle(r)) {
			return false
		}
		some = some || is(r)
	}
	return some
}

func lowerLetter(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func upperLetter(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }

// recased is a string in another case.
func recased(s string, c casing) string {
	f := c(s)
	var b strings.Builder
	for i, r := range s {
		b.WriteString(f(i, r))
	}
	return b.String()
}

// cased is the text in another case.
func (e *evaluation) cased(t text, c casing) text {
	e.allocate(len(t.s))
	f := c(t.s)
	var b builder
	for i, r := range t.s {
		b.marked(f(i, r), t.mark(i))
	}
	out := b.text()
	out.safe = t.safe
	return out
}
