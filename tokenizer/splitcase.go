// This file owns the scanner of the pre-tokenizers that cut by case, o200k (GPT-4o, gpt-oss, Llama 4) and Tekken (Mistral).
package tokenizer

// caseRules is the pattern of o200k:
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
//	\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Tekken has no contractions and single digits. llama.cpp (commit 0c1e57098) leaves marks out of both patterns; this is the
// pattern that the models were trained with.
type caseRules struct {
	contractions bool
	digits       int // most in a part
}

func (r caseRules) split(text string) int {
	if end := r.word(text); end > 0 {
		return end
	}
	if c, _ := classAt(text, 0); c&number != 0 {
		return upTo(text, number, r.digits)
	}
	begin := optionalSpace(text)
	if end := skipNot(text, begin, space|letter|number); end > begin {
		for end < len(text) && (text[end] == '\r' || text[end] == '\n' || text[end] == '/') {
			end++
		}
		return end
	}
	return spacesOrBreaks(text)
}

// word is the two alternatives for words; 0 if neither matches. The character before a word is tried first, as the
// pattern is greedy. A word without it can only begin with a mark, which is in both sets: then the first alternative matches.
func (r caseRules) word(text string) int {
	begin := 0
	if c, size := classAt(text, 0); c&(lineBreak|letter|number) == 0 {
		begin = size
	}
	end := lowerWord(text, begin)
	if end == 0 && begin > 0 {
		end = lowerWord(text, 0)
	}
	if end == 0 {
		if end = skip(text, begin, upper); end == begin {
			return 0
		}
	}
	if r.contractions {
		if n := contraction(text, end, true); n > 0 {
			return n
		}
	}
	return end
}

// lowerWord is upper*lower+ at text[begin:], 0 if it does not match. Where no lower-case letter follows the upper ones, a
// backtracking engine gives some of those back until one is left that is in both sets (marks, letters without case).
func lowerWord(text string, begin int) int {
	i, both := begin, 0
	for {
		c, size := classAt(text, i)
		if c&upper == 0 {
			break
		}
		i += size
		if c&lower != 0 {
			both = i
		}
	}
	if end := skip(text, i, lower); end > i {
		return end
	}
	return both
}
