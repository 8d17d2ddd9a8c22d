// This file owns SentencePiece BPE: the characters of the whole text are merged, the pair that makes the token with the
// best score first; a character that is in no token is spelled in byte tokens, or is UNK.
package tokenizer

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// wordMark is how SentencePiece writes a space.
const wordMark = "▁"

// sentencePiece is the family "llama".
type sentencePiece struct {
	index  *textIndex
	kinds  []kind
	scores []float32
	bytes  [256]int32 // byte tokens; all None if one is missing
	unk    int32
	prefix string // what goes before a text: wordMark or nothing
	// byWord: no token goes on across the beginning of a word, so that words can be merged one by one, with the same result
	// as the whole text in less memory.
	byWord bool
}

func (t *Tokenizer) buildSentencePiece(v *Vocab) error {
	t.addBOS = flag(v.AddBOS, t.bos != None)
	t.spacePrefix = flag(v.AddSpacePrefix, true)
	f := &sentencePiece{index: &t.index, kinds: t.kinds, scores: v.Scores, unk: t.unk}
	if t.spacePrefix {
		f.prefix = wordMark
	}
	if !f.findByteTokens() && t.unk == None {
		return invalid("unknown_token_id", "is missing, and so is a byte token, so that some text has no ids")
	}
	f.byWord = !slices.ContainsFunc(v.Tokens, func(text string) bool { return wordEnd(text) < len(text) })
	t.model = f
	t.buildPieces(func(dst []byte, text string) []byte {
		return append(dst, strings.ReplaceAll(text, wordMark, " ")...)
	})
	return nil
}

func (f *sentencePiece) findByteTokens() bool {
	const digits = "0123456789ABCDEF"
	for b := range f.bytes {
		f.bytes[b] = f.index.find("<0x" + digits[b>>4:b>>4+1] + digits[b&15:b&15+1] + ">")
		if f.bytes[b] == None {
			for b := range f.bytes {
				f.bytes[b] = None
			}
			return false
		}
	}
	return true
}

// wordEnd is where the first word of text ends: before the first mark that follows something else.
func wordEnd(text string) int {
	begin := len(text) - len(strings.TrimLeft(text, wordMark))
	if n := strings.Index(text[begin:], wordMark); n >= 0 {
		return begin + n
	}
	return len(text)
}

func (f *sentencePiece) encode(ids []int32, text string, m *merger) []int32 {
	text = f.prefix + strings.ReplaceAll(text, " ", wordMark)
	begin := len(ids)
	for len(text) > 0 {
		end := len(text)
		if f.byWord {
			end = wordEnd(text)
		}
		ids = f.encodeWord(ids, begin, text[:end], m)
		text = text[end:]
	}
	return ids
}

func (f *sentencePiece) encodeWord(ids []int32, begin int, word string, m *merger) []int32 {
	m.reserve(utf8.RuneCountInString(word))
	for _, r := range word {
		m.push(utf8.RuneLen(r), None)
	}
	m.merge(word, f)
	for at := int32(0); at >= 0; at = m.symbols[at].next {
		s := &m.symbols[at]
		piece := word[s.start : s.start+s.size]
		if s.id == None {
			s.id = f.find(piece)
		}
		if s.id == None {
			ids = f.spell(ids, begin, piece)
			continue
		}
		ids = append(ids, s.id)
	}
	return ids
}

// spell appends a character that is in no token. Neighbouring UNK are one, as in SentencePiece.
func (f *sentencePiece) spell(ids []int32, begin int, character string) []int32 {
	if f.bytes[0] == None {
		if len(ids) > begin && ids[len(ids)-1] == f.unk {
			return ids
		}
		return append(ids, f.unk)
	}
	for i := range len(character) {
		ids = append(ids, f.bytes[character[i]])
	}
	return ids
}

// find returns the token with that text, unless it is one that no text may become.
func (f *sentencePiece) find(text string) int32 {
	id := f.index.find(text)
	if id != None && (f.kinds[id].hidden() || f.kinds[id] == kindByte) {
		return None
	}
	return id
}

func (f *sentencePiece) pair(text string, left, right *symbol) (priority uint32, id int32, ok bool) {
	id = f.find(text[left.start : right.start+right.size])
	if id == None {
		return 0, None, false
	}
	return scorePriority(f.scores[id]), id, true
}

// scorePriority maps a score to a number that falls as the score rises: the bits of a float32 order like integers once the
// sign bit is flipped and negative numbers are reversed.
func scorePriority(score float32) uint32 {
	bits := math.Float32bits(score + 0) // -0 becomes 0
	if bits>>31 == 0 {
		return ^(bits | 1<<31)
	}
	return bits
}
