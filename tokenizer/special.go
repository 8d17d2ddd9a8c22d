// This file owns the cutting of a text at special tokens, and Encode, which joins the parts.
package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// special is a token that is matched in the text before anything else.
type special struct {
	id int32
	// always: matched even where special tokens are not to be parsed (user-defined: for the model they are words).
	always bool
	// stripLeft, stripRight: swallows the white space beside it.
	stripLeft, stripRight bool
}

// matcher finds special tokens: at each byte the longest that begins there, as Hugging Face tokenizers does. llama.cpp
// takes the longest of the whole text first, a pass over the text per token; the two differ only where the end of one token
// is the beginning of another, which no known vocabulary has.
type matcher struct {
	// begins marks the bytes with which a token can begin: [1] all, [0] those always matched.
	begins [2][256]bool
	nodes  map[trieEdge]int32
	tokens map[int32]special // by the node in which they end
}

// trieEdge leads from a node (0 is the root) to the next by one byte of the text.
type trieEdge struct {
	node int32
	b    byte
}

// whiteSpace is what stripLeft and stripRight swallow: C's isspace.
const whiteSpace = " \t\n\v\f\r"

// maxSpecialBytes bounds the trie, which takes some 40 bytes for one of text. Gemma's 6,000 special tokens have 80 kB.
const maxSpecialBytes = 4 << 20

func newMatcher(v *Vocab, kinds []kind) (matcher, error) {
	bytes := 0
	for id, text := range v.Tokens {
		if kinds[id].literal() {
			bytes += len(text)
		}
	}
	if bytes > maxSpecialBytes {
		return matcher{}, invalid("token_type", "marks %d bytes of text as special tokens; the limit is %d", bytes, maxSpecialBytes)
	}
	m := matcher{nodes: map[trieEdge]int32{}, tokens: map[int32]special{}}
	name := strings.ToLower(v.Name)
	phi3 := strings.Contains(name, "phi-3") || strings.Contains(name, "phi3")
	jina := strings.HasPrefix(v.Pre, "jina-v2-")
	for id, text := range v.Tokens {
		if !kinds[id].literal() || text == "" {
			continue
		}
		m.add(text, special{
			id:         int32(id),
			always:     !kinds[id].hidden(),
			stripLeft:  jina && text == "<mask>",
			stripRight: phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>",
		})
	}
	return m, nil
}

func (m *matcher) add(text string, s special) {
	node := int32(0)
	for i := range len(text) {
		edge := trieEdge{node, text[i]}
		next, ok := m.nodes[edge]
		if !ok {
			next = int32(len(m.nodes) + 1)
			m.nodes[edge] = next
		}
		node = next
	}
	m.tokens[node] = s
	m.begins[1][text[0]] = true
	m.begins[0][text[0]] = m.begins[0][text[0]] || s.always
}

// find returns the first special token in text and its place; end is 0 if there is none.
func (m *matcher) find(text string, parse bool) (s special, start, end int) {
	begins := &m.begins[0]
	if parse {
		begins = &m.begins[1]
	}
	for start = range len(text) {
		if !begins[text[start]] {
			continue
		}
		if s, end = m.longest(text, start, parse); end > 0 {
			return s, start, end
		}
	}
	return s, len(text), 0
}

// longest returns the longest token that begins at start, and its end, 0 if there is none.
func (m *matcher) longest(text string, start int, parse bool) (best special, end int) {
	node := int32(0)
	for i := start; i < len(text); i++ {
		next, ok := m.nodes[trieEdge{node, text[i]}]
		if !ok {
			break
		}
		node = next
		if s, ok := m.tokens[node]; ok && (parse || s.always) {
			best, end = s, i+1
		}
	}
	return best, end
}

// Encode turns text, of at most 512 MiB, into ids.
//
// With addSpecial, BOS and EOS are put around it if the model wants them (AddsBOS, AddsEOS). With parseSpecial, the texts
// of control tokens, such as "<|im_end|>", become those tokens: right for a rendered chat template, wrong for what a user
// has typed. Bytes that are not UTF-8 are read as U+FFFD, each.
func (t *Tokenizer) Encode(text string, addSpecial, parseSpecial bool) []int32 {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	ids := make([]int32, 0, len(text)/3+2)
	if addSpecial && t.addBOS {
		ids = append(ids, t.bos)
	}
	ids = t.encode(ids, text, parseSpecial)
	if addSpecial && t.addEOS {
		ids = append(ids, t.eos)
	}
	return ids
}

func (t *Tokenizer) encode(ids []int32, text string, parseSpecial bool) []int32 {
	m := t.scratch.Get().(*merger)
	defer func() {
		m.trim()
		t.scratch.Put(m)
	}()
	for len(text) > 0 {
		s, start, end := t.special.find(text, parseSpecial)
		before := text[:start]
		if s.stripLeft {
			before = strings.TrimRight(before, whiteSpace)
		}
		if before != "" {
			ids = t.model.encode(ids, before, m)
		}
		if end == 0 {
			break
		}
		ids = append(ids, s.id)
		text = text[end:]
		if s.stripRight {
			text = strings.TrimLeft(text, whiteSpace)
		}
	}
	return ids
}
