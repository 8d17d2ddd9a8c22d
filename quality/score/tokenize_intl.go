package score

import (
	"strings"
	"unicode"
)

// This file owns the international tokenizer.

// international is that of mteval-v14.pl (NIST, 2017): punctuation of any script is separated unless digits stand on both sides of
// it, and each symbol is. A number's full stop at the end of a text stays with it, as there. sacrebleu asks its regular
// expressions' Unicode what is punctuation, which may be newer than Go's: characters that Go does not know are none.
func international(text string) []string {
	runes := []rune(strings.TrimRightFunc(text, isSpace))
	runes = pairs(runes, func(a, b rune) bool { return !unicode.IsNumber(a) && unicode.IsPunct(b) }, func(to []rune, a, b rune) []rune { return append(to, a, ' ', b, ' ') })
	runes = pairs(runes, func(a, b rune) bool { return unicode.IsPunct(a) && !unicode.IsNumber(b) }, func(to []rune, a, b rune) []rune { return append(to, ' ', a, ' ', b) })
	var b strings.Builder
	for _, r := range runes {
		if unicode.IsSymbol(r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		} else {
			b.WriteRune(r)
		}
	}
	return words(b.String())
}
