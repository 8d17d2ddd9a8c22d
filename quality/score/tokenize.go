package score

import (
	"fmt"
	"strings"
)

// This file owns BLEU's tokenizers, but for the international one. They put blanks between characters and take none of
// these away: what differs between them is where words end.

// defaultTokenizer is sacrebleu's.
const defaultTokenizer = "13a"

var tokenizers = map[string]func(string) []string{
	"13a": mteval13a, "intl": international, "char": characters, "zh": chinese, "none": words,
}

// Tokenizers are the names that NewBLEU knows.
func Tokenizers() []string { return []string{"13a", "intl", "char", "zh", "none"} }

func tokenizerOf(name string) (func(string) []string, error) {
	if f := tokenizers[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("tokenizer %q: use %s", name, oneOf(Tokenizers()))
}

// entities are taken one after the other, so that &amp;lt; becomes <.
var entities = [...][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}}

// mteval13a is that of mteval-v13a.pl (NIST, 2009), which WMT scores with, as sacrebleu has it.
func mteval13a(text string) []string {
	text = strings.TrimRightFunc(text, isSpace)
	text = strings.ReplaceAll(text, "<skipped>", "")
	text = strings.ReplaceAll(text, "-\n", "")
	text = strings.ReplaceAll(text, "\n", " ")
	if strings.Contains(text, "&") {
		for _, e := range entities {
			text = strings.ReplaceAll(text, e[0], e[1])
		}
	}
	return western(" " + text + " ")
}

// characters makes each of them a word.
func characters(text string) []string {
	var list []string
	for _, r := range text {
		if !isSpace(r) {
			list = append(list, string(r))
		}
	}
	return list
}

// chinese makes each Chinese character a word, and of the rest what western does.
func chinese(text string) []string {
	var b strings.Builder
	for _, r := range strings.TrimFunc(text, isSpace) {
		if isChinese(r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		} else {
			b.WriteRune(r)
		}
	}
	return western(b.String())
}

// chineseRanges are sacrebleu's. Two of them are meant for what lies above U+FFFF, but are written there in four digits and a
// literal fifth, which compares as U+2001 to U+2A6D (arrows, mathematics, dashes) and U+2F81 to U+2FA1: scores of all who use
// it depend on that. The latter lies in the radicals.
var chineseRanges = [...][2]rune{
	{0x2001, 0x2a6d}, {0x2e80, 0x2fdf}, {0x2ff0, 0x303f}, {0x3100, 0x312f}, {0x31a0, 0x31bf}, {0x31c0, 0x31ef}, {0x3200, 0x4db5}, {0x4e00, 0x9fbb},
	{0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f}, {0xff00, 0xffef},
}

func isChinese(r rune) bool {
	for _, of := range chineseRanges {
		if of[0] <= r && r <= of[1] {
			return true
		}
	}
	return false
}

// western separates ASCII's punctuation: all of it but apostrophes; full stops and commas unless both neighbours are digits; dashes
// behind digits. Each pass reads what the one before wrote, from left to right, and what a match took is not looked at
// again: so ".." between letters parts otherwise than "." does. A byte of a longer character counts as what stands there.
func western(text string) []string {
	separated := make([]byte, 0, 3*len(text))
	for i := range len(text) {
		if c := text[i]; isSeparate(c) {
			separated = append(separated, ' ', c, ' ')
		} else {
			separated = append(separated, c)
		}
	}
	separated = pairs(separated, func(a, b byte) bool { return !isDigit(a) && isPoint(b) }, func(to []byte, a, b byte) []byte { return append(to, a, ' ', b, ' ') })
	separated = pairs(separated, func(a, b byte) bool { return isPoint(a) && !isDigit(b) }, func(to []byte, a, b byte) []byte { return append(to, ' ', a, ' ', b) })
	separated = pairs(separated, func(a, b byte) bool { return isDigit(a) && b == '-' }, func(to []byte, a, b byte) []byte { return append(to, a, ' ', b, ' ') })
	return words(string(separated))
}

// pairs rewrites neighbours that match, from left to right; matches do not overlap.
func pairs[C byte | rune](text []C, match func(a, b C) bool, write func(to []C, a, b C) []C) []C {
	to := make([]C, 0, 2*len(text)) // a matched pair becomes four
	for i := 0; i < len(text); i++ {
		if i+1 < len(text) && match(text[i], text[i+1]) {
			to = write(to, text[i], text[i+1])
			i++
		} else {
			to = append(to, text[i])
		}
	}
	return to
}

func isSeparate(c byte) bool {
	return ' ' <= c && c <= '~' && c != '\'' && c != ',' && c != '-' && c != '.' && !isDigit(c) && !('A' <= c && c <= 'Z') && !('a' <= c && c <= 'z')
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isPoint(c byte) bool { return c == '.' || c == ',' }
