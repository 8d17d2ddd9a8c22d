package tokenizer

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// This file owns tests of the way back from ids to text.

func ids(tok *Tokenizer, tokens ...string) (ids []int32) {
	for _, text := range tokens {
		id, _ := tok.TokenID(text)
		ids = append(ids, id)
	}
	return ids
}

// TestStreamNeverSplitsACharacter: 🙂 is four bytes, each a token.
func TestStreamNeverSplitsACharacter(t *testing.T) {
	tok := mustNew(t, sentencePieceVocab())
	s := tok.NewContinuation(false)
	for i, c := range []struct{ token, want string }{
		{"<0xF0>", ""}, {"<0x9F>", ""}, {"<0x99>", ""}, {"<0x82>", "🙂"},
		{"the", "the"}, {"<0xC3>", ""}, {"the", "\ufffdthe"}, {"<0x82>", "\ufffd"}, {"<0xE2>", ""}, {"<0x82>", ""},
	} {
		if got := s.Push(ids(tok, c.token)[0]); got != c.want {
			t.Errorf("push %d: got %q, want %q", i, got, c.want)
		}
	}
	if got := s.Flush(); got != "\ufffd" {
		t.Errorf("flush gives %q", got)
	}
	if got := s.Flush(); got != "" {
		t.Errorf("a second flush gives %q", got)
	}
}

func TestLeadingSpace(t *testing.T) {
	tok := mustNew(t, sentencePieceVocab())
	for _, c := range []struct {
		tokens []string
		show   bool
		want   string
	}{
		{[]string{"▁the", "▁the"}, false, "the the"},
		{[]string{"▁▁", "the"}, false, " the"},
		{[]string{"<s>", "▁the"}, false, "the"},
		{[]string{"<s>", "▁the"}, true, "<s> the"},
		{[]string{"the", "▁the"}, false, "the the"},
	} {
		if got := tok.Decode(ids(tok, c.tokens...), c.show); got != c.want {
			t.Errorf("%q decodes to %q, want %q", c.tokens, got, c.want)
		}
	}
	if got := tok.NewContinuation(false).Push(ids(tok, "▁the")[0]); got != " the" {
		t.Errorf("an answer begins with %q", got)
	}
	v := sentencePieceVocab()
	v.AddSpacePrefix = ptr(false)
	tok = mustNew(t, v)
	if got := tok.Decode(tok.Encode(" the", false, false), false); got != " the" {
		t.Errorf("without a prefix \" the\" comes back as %q", got)
	}
}

func TestPieces(t *testing.T) {
	tok := mustNew(t, byteLevelVocab("gpt-2"))
	for _, c := range []struct {
		token         string
		shown, hidden string
	}{
		{"Ġthe", " the", " the"}, {"Ċ", "\n", "\n"}, {"ð", "\xf0", "\xf0"}, {"<|eot_id|>", "<|eot_id|>", ""}, {"<tool>", "<tool>", "<tool>"},
	} {
		id := ids(tok, c.token)[0]
		if shown, hidden := tok.Piece(id, true), tok.Piece(id, false); shown != c.shown || hidden != c.hidden {
			t.Errorf("%s: %q, %q; want %q, %q", c.token, shown, hidden, c.shown, c.hidden)
		}
	}
	for _, id := range []int32{-1, int32(tok.VocabSize()), 1 << 30} {
		if tok.Piece(id, true) != "" || tok.TokenText(id) != "" || tok.IsSpecial(id) || tok.IsEOG(id) {
			t.Errorf("id %d is something", id)
		}
	}
}

// TestUnknownCharacters: without byte tokens, neighbouring characters that no token has become one UNK.
func TestUnknownCharacters(t *testing.T) {
	v := sentencePieceVocab()
	v.Tokens[3], v.Types[3] = "<no-byte>", 1 // <0x00>
	tok := mustNew(t, v)
	checkIDs(t, "ids", "ΩΩtheΩ", tok.Encode("ΩΩtheΩ", false, false), append(ids(tok, "▁", "<unk>", "the"), int32(*v.UNK)))

	b := byteLevelVocab("gpt-2")
	b.Tokens['Q'] = "QQQ"
	tok = mustNew(t, b)
	checkIDs(t, "ids", "QtheQ", tok.Encode("QtheQ", false, false), ids(tok, "the"))
}

func TestInvalidUTF8(t *testing.T) {
	for text, want := range map[string]string{
		"a\xffb": "a\ufffdb", "\xe2\x82": "\ufffd\ufffd", "\xf0\x9f\x99": "\ufffd\ufffd\ufffd", "\xed\xa0\x80": "\ufffd\ufffd\ufffd",
	} {
		for _, v := range []Vocab{byteLevelVocab("gpt-2"), sentencePieceVocab()} {
			tok := mustNew(t, v)
			if got := tok.Decode(tok.Encode(text, false, false), false); got != want {
				t.Errorf("%q comes back as %q, want %q", text, got, want)
			}
		}
	}
	for text, want := range map[string]string{
		"a\xffb": "a\ufffdb", "\xe2\x82x": "\ufffdx", "\xf0\x9f\x99\xf0\x9f\x99\x82": "\ufffd🙂", "\xed\xa0\x80": "\ufffd\ufffd\ufffd", "\x80\x80": "\ufffd\ufffd",
	} {
		if got := repair(text); got != want {
			t.Errorf("%q is repaired to %q, want %q", text, got, want)
		}
	}
}

func FuzzTokenizer(f *testing.F) {
	var toks []*Tokenizer
	for name := range patterns {
		toks = append(toks, mustNew(f, byteLevelVocab(name)))
	}
	v := sentencePieceVocab()
	toks = append(toks, mustNew(f, v))
	v.AddSpacePrefix = ptr(false)
	toks = append(toks, mustNew(f, v))
	for _, seed := range []string{"", " ", trainingText, "<|eot_id|> x", "\xff\xfe", "e\u0301 '\u017f A\u0301あ", "▁▁ ▁", "a    \n\n 1234"} {
		f.Add(seed, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		random := make([]int32, len(raw))
		for i, b := range raw {
			random[i] = int32(b)*3 - 4
		}
		for _, tok := range toks {
			checkStream(t, tok, random)
			for _, parse := range []bool{false, true} {
				checkRoundTrip(t, tok, text, parse)
			}
		}
	})
}

// checkRoundTrip: every id exists, and what was encoded comes back.
func checkRoundTrip(t *testing.T, tok *Tokenizer, text string, parse bool) {
	t.Helper()
	encoded := tok.Encode(text, false, parse)
	for _, id := range encoded {
		if !tok.valid(id) {
			t.Fatalf("%q has id %d of %d", text, id, tok.VocabSize())
		}
	}
	checkStream(t, tok, encoded)
	back := tok.Decode(encoded, true)
	if !utf8.ValidString(back) {
		t.Errorf("%q comes back as %q, which is not UTF-8", text, back)
	}
	special := strings.ContainsAny(text, "<▁") || strings.Contains(text, "    ")
	if _, spm := tok.model.(*sentencePiece); spm && special {
		return
	}
	if utf8.ValidString(text) && back != normalised(tok, text) {
		t.Errorf("%q comes back as %q", text, back)
	}
}
