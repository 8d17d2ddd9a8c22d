// This file owns the way back: what each token stands for, and text that grows token by token without ever showing half
// a character.
package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// buildPieces fills pieces; spell appends what an ordinary token of the family stands for.
func (t *Tokenizer) buildPieces(spell func(dst []byte, text string) []byte) {
	bytes := 0
	for _, text := range t.tokens {
		bytes += len(text)
	}
	pieces := make([]byte, 0, bytes)
	t.ends = make([]int32, len(t.tokens))
	for id, text := range t.tokens {
		switch k := t.kinds[id]; {
		case k.literal():
			pieces = append(pieces, text...)
		case k == kindNormal:
			pieces = spell(pieces, text)
		case k == kindByte:
			value, _ := parseByteToken(text)
			pieces = append(pieces, value)
		}
		begin := 0
		if id > 0 {
			begin = int(t.ends[id-1])
		}
		t.ends[id] = int32(len(pieces))
		t.longest = max(t.longest, len(pieces)-begin)
	}
	t.pieces = string(pieces)
}

// Piece is what a token stands for: bytes, that need not be whole characters. It is empty for control tokens (and UNK)
// unless special is set, for unused tokens, and for ids out of range.
func (t *Tokenizer) Piece(id int32, special bool) string {
	if !t.valid(id) || !special && t.kinds[id].hidden() {
		return ""
	}
	if id == 0 {
		return t.pieces[:t.ends[0]]
	}
	return t.pieces[t.ends[id-1]:t.ends[id]]
}

// LongestPiece is the number of bytes of the longest token's text: a text of n bytes has n/LongestPiece tokens at least, but
// for what normalisation, or a special token that swallows white space, takes away.
func (t *Tokenizer) LongestPiece() int { return t.longest }

// Decode turns ids into text. The space that Encode puts before a text is taken away, ids out of range are passed over, and
// what is not UTF-8 becomes U+FFFD. For byte-level vocabularies Decode(Encode(s)) is s, or its NFC if the model wants that.
func (t *Tokenizer) Decode(ids []int32, showSpecial bool) string {
	var out strings.Builder
	s := t.NewStream(showSpecial)
	for _, id := range ids {
		out.WriteString(s.Push(id))
	}
	out.WriteString(s.Flush())
	return out.String()
}

// Stream decodes tokens one by one. What it returns, joined, is what Decode gives for all of them; a character whose bytes
// come in several tokens is held back until it is whole.
type Stream struct {
	t           *Tokenizer
	showSpecial bool
	// dropSpace: the next piece that is not empty begins the text, so it loses the space that Encode put there.
	dropSpace bool
	held      string // begin of a character; at most 3 bytes
}

// NewStream decodes a text from its beginning.
func (t *Tokenizer) NewStream(showSpecial bool) *Stream {
	return &Stream{t: t, showSpecial: showSpecial, dropSpace: t.spacePrefix}
}

// NewContinuation decodes the continuation of a text, such as an answer to a prompt: a leading space belongs to it.
func (t *Tokenizer) NewContinuation(showSpecial bool) *Stream {
	return &Stream{t: t, showSpecial: showSpecial}
}

// Push adds a token and returns the text that is now complete, often "".
func (s *Stream) Push(id int32) string {
	piece := s.t.Piece(id, s.showSpecial)
	if piece == "" {
		return ""
	}
	if s.dropSpace {
		s.dropSpace = false
		piece = strings.TrimPrefix(piece, " ")
	}
	if s.held != "" {
		piece = s.held + piece
	}
	whole := len(piece) - incomplete(piece)
	s.held = piece[whole:]
	return repair(piece[:whole])
}

// Flush ends the text: a character that is still incomplete becomes U+FFFD.
func (s *Stream) Flush() string {
	rest := repair(s.held)
	s.held = ""
	return rest
}

// incomplete counts the bytes at the end of text that are the beginning of a character.
func incomplete(text string) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// repair replaces what is not UTF-8 by U+FFFD, one for each longest beginning of a character, as the Unicode standard
// recommends (chapter 3, "U+FFFD Substitution of Maximal Subparts").
func repair(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			for n < len(text) && n < utf8.UTFMax-1 && !utf8.FullRuneInString(text[:n+1]) {
				n++
			}
		}
		out.WriteRune(r)
		text = text[n:]
	}
	return out.String()
}
