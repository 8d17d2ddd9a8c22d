// This file owns byte-level BPE: a text is cut into words by the pre-tokenizer, and the bytes of each word are merged.
package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// byteLevel is the family "gpt2". A byte without a token, which some vocabularies have for bytes that are rare in UTF-8,
// is left out, as in llama.cpp and Hugging Face tokenizers.
type byteLevel struct {
	split     []splitter
	nfc       bool
	wholeWord bool // a word that is a token stays one, whatever the merges say
	bytes     [256]int32
	merges    mergeTable
	index     *textIndex
	kinds     []kind
}

// byteRune is the letter that stands for a byte in the file: printable Latin-1 for itself, all others from U+0100 on
// (GPT-2's bytes_to_unicode). runeByte is the reverse, -1 for runes that stand for no byte.
var byteRune, runeByte = byteAlphabet()

func byteAlphabet() (toRune [256]rune, toByte [0x144]int16) {
	for i := range toByte {
		toByte[i] = -1
	}
	next := rune(0x100)
	for b := range rune(256) {
		r := b
		if b < '!' || b > '~' && b < 0xA1 || b == 0xAD {
			r = next
			next++
		}
		toRune[b] = r
		toByte[r] = int16(b)
	}
	return toRune, toByte
}

// spell appends the bytes that a token of the file stands for; ok is false if it uses a letter outside the alphabet.
func spell(dst []byte, text string) (out []byte, ok bool) {
	for _, r := range text {
		if int(r) >= len(runeByte) || runeByte[r] < 0 {
			return dst, false
		}
		dst = append(dst, byte(runeByte[r]))
	}
	return dst, true
}

func (t *Tokenizer) buildByteLevel(v *Vocab) error {
	pre, ok := preTokenizers[v.Pre]
	if !ok {
		return fmt.Errorf("%w: tokenizer.ggml.pre is %q", ErrUnsupported, v.Pre)
	}
	t.addBOS = flag(v.AddBOS, pre.addBOS && t.bos != None)
	t.spacePrefix = false
	f := &byteLevel{split: pre.split, nfc: pre.nfc, wholeWord: pre.wholeWord, index: &t.index, kinds: t.kinds}
	for b := range f.bytes {
		f.bytes[b] = t.index.find(string(byteRune[b]))
	}
	if err := f.readMerges(v.Merges); err != nil {
		return err
	}
	t.model = f
	t.buildPieces(func(dst []byte, text string) []byte {
		spelled, ok := spell(dst, text)
		if !ok {
			return append(dst, text...)
		}
		return spelled
	})
	return nil
}

// readMerges requires both sides and the outcome of every merge to be tokens: a text that is none has no id.
func (f *byteLevel) readMerges(merges []string) error {
	if len(merges) == 0 { // every text would be single bytes, which the model was never trained with
		return invalid("merges", "is missing or empty: the file was converted wrongly, convert it again")
	}
	f.merges = newMergeTable(len(merges))
	var joined []byte
	for rank, text := range merges {
		// A token may begin with a space of its own only if it is one of the first byte, so the search starts after it.
		space := strings.IndexByte(text[min(1, len(text)):], ' ') + 1
		if space == 0 {
			return invalid("merges", "has %q at %d, which is not two tokens with a space between", text, rank)
		}
		left, right := f.index.find(text[:space]), f.index.find(text[space+1:])
		joined = append(append(joined[:0], text[:space]...), text[space+1:]...)
		id := f.index.findBytes(joined)
		if left == None || right == None || id == None {
			return invalid("merges", "has %q at %d, whose parts and outcome are not all in tokenizer.ggml.tokens", text, rank)
		}
		f.merges.add(left, right, merge{rank: int32(rank), id: id})
	}
	return nil
}

func (f *byteLevel) encode(ids []int32, text string, m *merger) []int32 {
	if f.nfc {
		text = norm.NFC.String(text)
	}
	return f.encodeSplit(ids, text, f.split, m)
}

// encodeSplit cuts text by the first splitter, each part by the next, and so on.
func (f *byteLevel) encodeSplit(ids []int32, text string, split []splitter, m *merger) []int32 {
	if len(split) == 0 {
		return f.encodeWord(ids, text, m)
	}
	for len(text) > 0 {
		n := split[0](text)
		ids = f.encodeSplit(ids, text[:n], split[1:], m)
		text = text[n:]
	}
	return ids
}

func (f *byteLevel) encodeWord(ids []int32, word string, m *merger) []int32 {
	if f.wholeWord {
		if id := f.wholeToken(word, m); id != None {
			return append(ids, id)
		}
	}
	m.reserve(len(word))
	for i := range len(word) {
		m.push(1, f.bytes[word[i]])
	}
	m.merge(word, f)
	for at := int32(0); at >= 0; at = m.symbols[at].next {
		if id := m.symbols[at].id; id != None {
			ids = append(ids, id)
		}
	}
	return ids
}

// wholeToken finds the token that spells exactly word.
func (f *byteLevel) wholeToken(word string, m *merger) int32 {
	if len(word) > f.index.longest {
		return None
	}
	m.text = m.text[:0]
	for i := range len(word) {
		m.text = utf8.AppendRune(m.text, byteRune[word[i]])
	}
	id := f.index.findBytes(m.text)
	if id != None && f.kinds[id].hidden() {
		return None
	}
	return id
}

func (f *byteLevel) pair(_ string, left, right *symbol) (priority uint32, id int32, ok bool) {
	m, ok := f.merges.find(left.id, right.id)
	return uint32(m.rank), m.id, ok
}
