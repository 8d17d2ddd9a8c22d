// This file owns the splitters of pre-tokenizers that cut several times, each part again by the next pattern.
package tokenizer

import (
	"strings"
	"unicode"
)

// isolate makes a splitter of a pattern that leaves text between its matches. match returns the size of the match at the
// beginning of text, 0 if there is none; it must find that out from the first few characters, else the gap costs O(n²).
// begins is what a match can begin with; 0 is any character.
func isolate(begins class, match func(text string) int) splitter {
	return func(text string) int {
		if n := match(text); n > 0 {
			return n
		}
		_, end := classAt(text, 0)
		for end < len(text) {
			if begins != 0 {
				end = skipNot(text, end, begins)
			}
			if end < len(text) && match(text[end:]) > 0 {
				return end
			}
			_, size := classAt(text, end)
			end += size
		}
		return end
	}
}

// isolateRun is [class]{1,most} by itself; 0 is no limit.
func isolateRun(c class, most int) splitter {
	return func(text string) int {
		if end := upTo(text, c, most); end > 0 {
			return end
		}
		return skipNot(text, 0, c)
	}
}

// spaceAnd is \s?[class]+, where the class holds no white space.
func spaceAnd(c class) func(text string) int {
	return func(text string) int {
		begin := 0
		if first, size := classAt(text, 0); first&space != 0 && first&c == 0 {
			begin = size
		}
		if end := skip(text, begin, c); end > begin {
			return end
		}
		return 0
	}
}

// splitTrailingSpace is \s+$.
func splitTrailingSpace(text string) int {
	if n := len(strings.TrimRightFunc(text, unicode.IsSpace)); n > 0 {
		return n
	}
	return len(text)
}

// matchThreeDigits is [0-9][0-9][0-9].
func matchThreeDigits(text string) int {
	if len(text) < 3 {
		return 0
	}
	for i := range 3 {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
	}
	return 3
}

// matchPunctuation is [\p{P}signs]+.
func matchPunctuation(signs string) func(text string) int {
	return func(text string) int {
		end := 0
		for {
			c, size := classAt(text, end)
			if size == 0 || c&punct == 0 && strings.IndexByte(signs, text[end]) < 0 {
				return end
			}
			end += size
		}
	}
}

// matchBloom is " ?[^(\s|.,!?…。，、।۔،)]+".
func matchBloom(text string) int {
	begin := optionalSpace(text)
	end := begin
	for end < len(text) {
		c, size := classAt(text, end)
		if c&space != 0 || strings.Contains("(|.,!?…。，、।۔،)", text[end:end+size]) {
			break
		}
		end += size
	}
	if end == begin {
		return 0
	}
	return end
}
