// This file owns SentencePiece BPE: the characters of the whole text are merged, the pair that makes the token with the
// best score first; a character that is in no token is spelled in byte tokens, or is UNK.
package tokenizer

import (
	"math"
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

func (f *sentencePiece) encode(ids []int32, text string, m *merger) []int32 {
	text = f.prefix + strings.ReplaceAll(text, " ", wordMark)
	m.symbols = m.symbols[:0]
	for _, r := range text {
		m.push(utf8.RuneLen(r), None)
	}
	m.merge(text, f)
	begin := len(ids)
	for at := int32(0); at >= 0; at = m.symbols[at].next {
		s := &m.symbols[at]
		if s.id == None {
			s.id = f.find(text[s.start : s.start+s.size])
		}
		if s.id != None {
			ids = append(ids, s.id)
			continue
		}
		ids = f.spell(ids, begin, text[s.start:s.start+s.size])
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
