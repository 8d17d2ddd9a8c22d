// This file owns the scanners of the pre-tokenizers that most models share. Each stands for a pattern of a tokenizer.json,
// written beside it, and gives what a backtracking engine would; but by hand, since such an engine is ten times slower
// and, on the wrong text, quadratic.
package tokenizer

import "unicode/utf8"

// splitter returns the size of the first part of text, which is not empty: between 1 and len(text). The text's end is the
// end of the previous splitter's part, and patterns that look ahead see no further. What a pattern leaves between two
// matches is a part too. A splitter looks at most at the part and the part after it, so that all parts together cost O(n).
type splitter func(text string) int

// splitGPT2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func splitGPT2(text string) int {
	if n := contraction(text, 0, false); n > 0 {
		return n
	}
	begin := optionalSpace(text)
	switch c, size := classAt(text, begin); {
	case c&letter != 0:
		return skip(text, begin, letter)
	case c&number != 0:
		return skip(text, begin, number)
	case size > 0 && c&space == 0:
		return skipNot(text, begin, space|letter|number)
	}
	return spaces(text)
}

// wordRules is the pattern of Llama 3 with what its relatives change:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
type wordRules struct {
	contractions bool
	letters      class // of which words consist: \p{L} or [\p{L}\p{M}]
	digits       int   // most in a part; 0: no limit
	breaks       class // what may follow punctuation: [\r\n]* or nothing
}

func (w wordRules) split(text string) int {
	if w.contractions {
		if n := contraction(text, 0, true); n > 0 {
			return n
		}
	}
	c, size := classAt(text, 0)
	if c&(lineBreak|number) == 0 {
		if next, _ := classAt(text, size); (c|next)&w.letters != 0 {
			return skip(text, size, w.letters)
		}
	}
	if c&number != 0 {
		return upTo(text, number, w.digits)
	}
	begin := optionalSpace(text)
	stop := space | number | w.letters
	if end := skipNot(text, begin, stop); end > begin {
		return skip(text, end, w.breaks)
	}
	return spacesOrBreaks(text)
}

// splitDeepSeek, after digits and kana:
//
//	[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
//	\s*[\r\n]+|\s+(?!\S)|\s+
//
// Control characters and digits are in none of these; matchDeepSeek returns 0 for them.
func matchDeepSeek(text string) int {
	c, size := classAt(text, 0)
	if text[0] < utf8.RuneSelf && c&(punct|sign) != 0 && len(text) > 1 && isASCIILetter(text[1]) {
		end := 2
		for end < len(text) && isASCIILetter(text[end]) {
			end++
		}
		return end
	}
	if c&(letter|mark) != 0 {
		return skip(text, size, letter|mark)
	}
	if next, _ := classAt(text, size); next&(letter|mark) != 0 && c&(lineBreak|punct|sign) == 0 {
		return skip(text, size, letter|mark)
	}
	begin := optionalSpace(text)
	if end := skip(text, begin, punct|sign); end > begin {
		return skip(text, end, lineBreak)
	}
	if c&space != 0 {
		return spacesOrBreaks(text)
	}
	return 0
}

// contraction returns the end of 's 't 're 've 'm 'll 'd at text[i:], 0 if there is none. Without case, U+017F is an s:
// simple case folding.
func contraction(text string, i int, anyCase bool) int {
	if i+1 >= len(text) || text[i] != '\'' {
		return 0
	}
	fold := byte(0)
	if anyCase {
		fold = 'a' - 'A'
		if len(text) >= i+3 && text[i+1:i+3] == "ſ" {
			return i + 3
		}
	}
	switch text[i+1] | fold {
	case 's', 't', 'm', 'd':
		return i + 2
	}
	if i+2 < len(text) {
		switch [2]byte{text[i+1] | fold, text[i+2] | fold} {
		case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
			return i + 3
		}
	}
	return 0
}

// optionalSpace is the size of " ?" at the beginning: 1 or 0.
func optionalSpace(text string) int {
	if text[0] == ' ' {
		return 1
	}
	return 0
}

// upTo is the end of [class]{0,most} at the beginning; 0 is no limit.
func upTo(text string, c class, most int) int {
	if most == 0 {
		return skip(text, 0, c)
	}
	end := 0
	for range most {
		next, size := classAt(text, end)
		if next&c == 0 {
			break
		}
		end += size
	}
	return end
}

// spaces is \s+(?!\S)|\s+ on a text that begins with white space: all of it, but the last character goes with the word that
// follows, if there is one and it is not alone.
func spaces(text string) int {
	end, last := 0, 0
	for {
		c, size := classAt(text, end)
		if c&space == 0 {
			if size > 0 && last > 0 {
				return last
			}
			return max(end, 1)
		}
		last = end
		end += size
	}
}

// spacesOrBreaks is \s*[\r\n]+|\s+(?!\S)|\s+ on a text that begins with white space: up to the last line break, if any.
func spacesOrBreaks(text string) int {
	end, afterBreak := 0, 0
	for {
		c, size := classAt(text, end)
		if c&space == 0 {
			break
		}
		end += size
		if c&lineBreak != 0 {
			afterBreak = end
		}
	}
	if afterBreak > 0 {
		return afterBreak
	}
	return spaces(text)
}

func isASCIILetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
