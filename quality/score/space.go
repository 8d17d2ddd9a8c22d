package score

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file owns where the scorers' Python differs from Go: in what is a blank, what is a lower-case letter, and that its texts have no
// invalid bytes.

// valid has U+FFFD for each byte that is not UTF-8.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

// isSpace is Python's str.isspace: that of package unicode, and the four separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// words are Python's str.split().
func words(text string) []string { return strings.FieldsFunc(text, isSpace) }

// withoutSpaces are a text's characters but its blanks.
func withoutSpaces(text string) []int32 {
	characters := make([]int32, 0, len(text))
	for _, r := range text {
		if !isSpace(r) {
			characters = append(characters, r)
		}
	}
	return characters
}

// lower is Python's str.lower: that of package unicode, and the two special cases of the Unicode Standard (3.13) that depend on
// no language: İ keeps its dot, and a sigma at a word's end is another letter. golang.org/x/text/cases knows them, but forgets
// within long texts (0.43.0: where its buffer ends) that a word had begun.
func lower(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	var b strings.Builder
	inWord := false
	for i, r := range text {
		switch {
		case r == 'İ':
			b.WriteString("i\u0307")
		case r == 'Σ' && inWord && !wordGoesOn(text[i+len("Σ"):]):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		if !isCaseIgnorable(r) {
			inWord = isCased(r)
		}
	}
	return b.String()
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// wordGoesOn: a letter with case follows, at once or behind what is ignored.
func wordGoesOn(text string) bool {
	for _, r := range text {
		if !isCaseIgnorable(r) {
			return isCased(r)
		}
	}
	return false
}

// isCased is the property Cased.
func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// isCaseIgnorable is the property Case_Ignorable: what may stand within a word, such as accents, apostrophes and full stops.
func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune(midWord, r)
}

// midWord are the characters of the properties Word_Break=MidLetter, MidNumLet and Single_Quote.
const midWord = "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
