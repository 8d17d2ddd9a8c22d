// This file owns the cutting of a text at special tokens, and Encode, which joins the parts.
package tokenizer

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// special is a token that is matched in the text before anything else.
type special struct {
	id int32
	// always: matched even where special tokens are not to be parsed (user-defined: for the model they are words).
	always bool
	// word: matched even in literal stretches. Not all that files call user-defined is a word: DeepSeek's <｜User｜>, Harmony's
	// <|start|> and EXAONE's [|user|] begin a turn.
	word bool
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
			word:       !kinds[id].hidden() && !separates(text),
			stripLeft:  jina && text == "<mask>",
			stripRight: phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>",
		})
	}
	return m, nil
}

// tag is a token in the form of an element of HTML, as Gemma has many, or of what a model writes about its own text: <table>,
// <think>, </tool_call>. turnTag is one of them that begins or ends a turn.
var (
	tag     = regexp.MustCompile(`^</?[a-z][a-z0-9_]*>$`)
	turnTag = regexp.MustCompile(`^</?(((start|end|begin)_of|im|turn)_\w+|user|assistant|system|human|bot|model|developer)>$`)
)

// separates tells by its form whether a token stands between the parts of a conversation: it has a name and signs around it,
// whatever these are, as <|user|>, [INST], [|system|], <<SYS>>, <用户> or USER: have. White space, numbers, rows of signs and
// plain words don't.
func separates(text string) bool {
	if tag.MatchString(text) {
		return turnTag.MatchString(text)
	}
	var named, signed bool
	for _, r := range strings.ReplaceAll(text, "▁", " ") {
		named = named || unicode.IsLetter(r)
		signed = signed || unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return named && signed
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
	if _, taken := m.tokens[node]; !taken { // of tokens of one text the first keeps it
		m.tokens[node] = s
	}
	m.begins[1][text[0]] = true
	m.begins[0][text[0]] = m.begins[0][text[0]] || s.always
}

// scan is a text on its way to ids. Offsets are those of the whole text.
type scan struct {
	text string
	// control: the texts of control tokens become those tokens, except where they touch one of the literal stretches.
	control bool
	literal [][2]int // ascending, first and behind last
}

// find returns the first special token at or after from and its place; end is 0 if there is none.
func (m *matcher) find(t *scan, from int) (s special, start, end int) {
	begins := &m.begins[0]
	if t.control {
		begins = &m.begins[1]
	}
	for start = from; start < len(t.text); start++ {
		if !begins[t.text[start]] {
			continue
		}
		if s, end = m.longest(t, start); end > 0 {
			return s, start, end
		}
	}
	return s, len(t.text), 0
}

// longest returns the longest token that begins at start, and its end, 0 if there is none.
func (m *matcher) longest(t *scan, start int) (best special, end int) {
	node := int32(0)
	for i := start; i < len(t.text); i++ {
		next, ok := m.nodes[trieEdge{node, t.text[i]}]
		if !ok {
			break
		}
		node = next
		if s, ok := m.tokens[node]; ok && (s.word || (s.always || t.control) && !t.touches(start, i+1)) {
			best, end = s, i+1
		}
	}
	return best, end
}

// touches tells whether a byte from start to before end is literal.
func (t *scan) touches(start, end int) bool {
	i := sort.Search(len(t.literal), func(i int) bool { return t.literal[i][1] > start })
	return i < len(t.literal) && t.literal[i][0] < end
}

// Encode turns text, of at most 512 MiB, into ids.
//
// With addSpecial, BOS and EOS are put around it if the model wants them (AddsBOS, AddsEOS), whatever the text holds: what is to
// be computed goes through Around instead. With parseSpecial, the texts of control tokens, such as "<|im_end|>", become those
// tokens: right for a text that the caller answers for, wrong for what a user has typed. Bytes that are not UTF-8 are read as
// U+FFFD, each.
func (t *Tokenizer) Encode(text string, addSpecial, parseSpecial bool) []int32 {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	ids := make([]int32, 0, len(text)/3+2)
	if addSpecial && t.addBOS {
		ids = append(ids, t.bos)
	}
	ids = t.encode(ids, &scan{text: text, control: parseSpecial})
	if addSpecial && t.addEOS {
		ids = append(ids, t.eos)
	}
	return ids
}

// Around puts BOS and EOS around the ids of a prompt if the model wants them and they aren't there: a text that was rendered or
// written by hand with its BOS has one, not two.
func (t *Tokenizer) Around(ids []int32) []int32 {
	if n := len(ids); t.addEOS && (n == 0 || ids[n-1] != t.eos) {
		ids = append(ids, t.eos)
	}
	return t.withBOS(ids)
}

// withBOS also drops white space before a BOS, as templates write that have it on a line of its own: BOS is the first of a text.
func (t *Tokenizer) withBOS(ids []int32) []int32 {
	if !t.addBOS {
		return ids
	}
	blank := 0
	for blank < len(ids) && t.isBlank(ids[blank]) {
		blank++
	}
	if blank < len(ids) && ids[blank] == t.bos {
		return ids[blank:]
	}
	return slices.Insert(ids, 0, t.bos)
}

// isBlank tells whether a token stands for white space alone.
func (t *Tokenizer) isBlank(id int32) bool {
	return !t.IsSpecial(id) && strings.Trim(t.Piece(id, true), whiteSpace) == ""
}

// EncodeRendered turns a rendered conversation into ids: the texts of control tokens become those tokens but where they touch
// one of the literal stretches (first byte and the one behind the last, ascending), which hold what a user has typed. BOS goes
// before it as by Around, EOS does not end it: an answer is to follow.
func (t *Tokenizer) EncodeRendered(text string, literal [][2]int) []int32 {
	if !utf8.ValidString(text) {
		text, literal = repairAround(text, literal)
	}
	return t.withBOS(t.encode(nil, &scan{text: text, control: true, literal: literal}))
}

// repairAround replaces bytes that are not UTF-8, which lengthens the text, and moves the stretches along.
func repairAround(text string, stretches [][2]int) (string, [][2]int) {
	var out strings.Builder
	at, moved := 0, make([][2]int, len(stretches))
	upTo := func(end int) int {
		out.WriteString(string([]rune(text[at:end])))
		at = end
		return out.Len()
	}
	for i, s := range stretches {
		moved[i] = [2]int{upTo(s[0]), upTo(s[1])}
	}
	upTo(len(text))
	return out.String(), moved
}

func (t *Tokenizer) encode(ids []int32, scanned *scan) []int32 {
	text := scanned.text
	m := t.scratch.Get().(*merger)
	defer func() {
		m.trim()
		t.scratch.Put(m)
	}()
	for at := 0; at < len(text); {
		s, start, end := t.special.find(scanned, at)
		before := text[at:start]
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
		at = end
		if s.stripRight {
			at = len(text) - len(strings.TrimLeft(text[at:], whiteSpace))
		}
	}
	return ids
}
