// This file tests vocabularies as published files have them: with faults that can be passed over.
package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestFaultsThatArePassedOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		model  func() Vocab
		change func(*Vocab)
		bos    int32 // that Encode puts before a text
		eos    int32
		want   []string // of the warnings
	}{
		{"sound", sentencePieceVocab, func(*Vocab) {}, 1, 2, nil},
		{"no ids", sentencePieceVocab, func(v *Vocab) { v.BOS, v.EOS, v.UNK = nil, nil, nil }, 1, 2, []string{
			`tokenizer.ggml.bos_token_id is missing: 1, "<s>", is taken`, `tokenizer.ggml.eos_token_id is missing: 2, "</s>", is taken`,
			`tokenizer.ggml.unknown_token_id is missing: 0, "<unk>", is taken`,
		}},
		{"ids beyond the tokens", sentencePieceVocab, func(v *Vocab) { v.EOS, v.EOT = ptr(int64(99999)), ptr(int64(-1)) }, 1, 2, []string{
			`tokenizer.ggml.eos_token_id is 99999, but there are`, `tokenizer.ggml.eot_token_id is -1, but there are`,
		}},
		{"ids beyond 31 bits", sentencePieceVocab, func(v *Vocab) { v.EOS, v.EOT = ptr(int64(4294967295)), ptr(int64(1)<<40) }, 1, 2, []string{
			`tokenizer.ggml.eos_token_id is 4294967295, but there are`, `tokenizer.ggml.eot_token_id is 1099511627776, but there are`,
		}},
		{"no pre", func() Vocab { return byteLevelVocab("") }, func(*Vocab) {}, None, -2, []string{"tokenizer.ggml.pre is missing"}},
		{"tokens of another kind", sentencePieceVocab, func(v *Vocab) { v.BOS, v.EOS, v.Types[1], v.Types[2] = nil, nil, 1, 1 }, None, None, nil},
		{"not by words", func() Vocab { return byteLevelVocab("gpt-2") }, func(v *Vocab) { v.BOS, v.EOS = nil, nil }, None, None, nil},
		{"BOS", func() Vocab { return byteLevelVocab("gpt-2") }, func(v *Vocab) { v.BOS, v.AddBOS = ptr(int64(1<<20)), ptr(true) }, None, -2, []string{
			`tokenizer.ggml.bos_token_id is 1048576, but there are`, `tokenizer.ggml.add_bos_token is true, but`,
		}},
		{"EOS", func() Vocab { return byteLevelVocab("gpt-2") }, func(v *Vocab) { v.EOS, v.AddEOS = ptr(int64(-2)), ptr(true) }, None, None, []string{
			`tokenizer.ggml.eos_token_id is -2, but there are`, `tokenizer.ggml.add_eos_token is true, but`,
		}},
		{"others", sentencePieceVocab, func(v *Vocab) {
			v.EOM, v.FIMPad, v.FIMRepo, v.FIMSeparator = ptr(int64(-9)), ptr(int64(5000)), ptr(int64(5000)), ptr(int64(5000))
		}, 1, 2, []string{"eom_token_id is -9", "fim_pad_token_id is 5000", "fim_rep_token_id is 5000", "fim_sep_token_id is 5000"}},
	} {
		v := c.model()
		c.change(&v)
		tok := mustNew(t, v)
		begin := None
		if ids := tok.Encode("the", true, true); len(ids) > 0 && tok.IsSpecial(ids[0]) {
			begin = ids[0]
		}
		if begin != c.bos || c.eos != -2 && tok.EOS() != c.eos {
			t.Errorf("%s: texts begin with %d and end with %d, want %d and %d", c.name, begin, tok.EOS(), c.bos, c.eos)
		}
		warnings := tok.Warnings()
		if len(warnings) != len(c.want) || !slices.EqualFunc(warnings, c.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", c.name, warnings, c.want)
		}
	}
}

// Where a text stands twice, the first keeps it; the other is read back alone.
func TestTextsThatStandTwice(t *testing.T) {
	v := sentencePieceVocab()
	first := int32(slices.Index(v.Tokens, "e"))
	second := v.add("e", 1)
	tok := mustNew(t, v)
	if id, _ := tok.TokenID("e"); id != first {
		t.Errorf("the text is token %d, want %d", id, first)
	}
	if got := tok.Decode([]int32{first, second}, true); got != "ee" {
		t.Errorf("decoded as %q", got)
	}
	if w := tok.Warnings(); len(w) != 1 || !strings.Contains(w[0], "tokenizer.ggml.tokens has 1 texts") {
		t.Errorf("warnings %q", w)
	}
}

func TestOneBOS(t *testing.T) {
	v := byteLevelVocab("gpt-2")
	v.AddBOS, v.AddEOS = ptr(true), ptr(true)
	tok := mustNew(t, v)
	text := tok.Encode("the", false, true)
	around := func(before, after []int32) []int32 { return slices.Concat(before, text, after) }
	bos, eos := []int32{tok.BOS()}, []int32{tok.EOS()}
	for _, c := range []struct {
		text string
		want []int32
	}{
		{"the", around(bos, eos)},
		{"<|begin_of_text|>the", around(bos, eos)},
		{"the<|eot_id|>", around(bos, eos)},
		{"<|begin_of_text|>the<|eot_id|>", around(bos, eos)},
		{" <|begin_of_text|>the", around(bos, eos)},
		{"\n   \n<|begin_of_text|>the", around(bos, eos)},
		{"<|begin_of_text|><|begin_of_text|>the", around(slices.Concat(bos, bos), eos)}, // the text's own
		{"", slices.Concat(bos, eos)},
	} {
		if got := tok.Around(tok.Encode(c.text, false, true)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
	}
	if got, want := tok.EncodeRendered("<|begin_of_text|>the", nil), around(bos, nil); !slices.Equal(got, want) {
		t.Errorf("rendered with BOS: %v, want %v", got, want)
	}
	if got, want := tok.EncodeRendered("\n<|begin_of_text|>the", nil), around(bos, nil); !slices.Equal(got, want) {
		t.Errorf("rendered with a line before BOS: %v, want %v", got, want)
	}
	if got := tok.EncodeRendered("\nthe<|begin_of_text|>the", nil); got[0] != tok.BOS() || got[1] == tok.BOS() || tok.Decode(got[1:], true) != "\nthe<|begin_of_text|>the" {
		t.Errorf("BOS behind other text: %v", got)
	}
	if got := tok.EncodeRendered("<|begin_of_text|>the", [][2]int{{0, 20}}); got[0] != tok.BOS() || got[1] == tok.BOS() || tok.Decode(got[1:], true) != "<|begin_of_text|>the" {
		t.Errorf("BOS that a user has typed: %v", got)
	}
}

func TestLiteralStretches(t *testing.T) {
	v := byteLevelVocab("gpt-2")
	v.add("<|channel|>", 3)
	turns := []string{"<｜User｜>", "<|user|>", "<start_of_turn>", "<|turn>", "<turn|>", "[INST]", "[/INST]", "[|user|]", "<<SYS>>", "<</SYS>>", "<用户>", "<im_start>",
		"</assistant>", "USER:", "### Response:", "[TOOL_CALLS]", "{user}", "※user"}
	words := []string{"<table>", "</h1>", "<think>", "</tool_call>", "\n\n", "▁▁", "123", "====", "...", "[[", "user", "über"}
	for _, text := range slices.Concat(turns, words) {
		v.add(text, 4)
	}
	tok := mustNew(t, v)
	control := func(ids []int32) (texts []string) {
		for _, id := range ids {
			if text := tok.TokenText(id); strings.HasPrefix(text, "<") && len(text) > 1 || slices.Contains(turns, text) || slices.Contains(words, text) {
				texts = append(texts, text)
			}
		}
		return texts
	}
	const eot = "<|eot_id|>"
	for _, c := range []struct {
		text    string
		literal [][2]int
		want    []string
	}{
		{eot + "a" + eot, nil, []string{eot, eot}},
		{eot + "a" + eot, [][2]int{{0, 10}}, []string{eot}},
		{eot + "a" + eot, [][2]int{{0, 11}}, []string{eot}},
		{eot + "a" + eot, [][2]int{{10, 11}}, []string{eot, eot}},
		{eot + "a" + eot, [][2]int{{9, 12}}, nil},
		{eot + "a" + eot, [][2]int{{0, 1}, {20, 21}}, nil},
		{"<tool>" + eot, [][2]int{{0, 16}}, []string{"<tool>"}}, // a word of the vocabulary
		{"<|channel|>", [][2]int{{3, 4}}, nil},
		{"<|channel|>", nil, []string{"<|channel|>"}},
		{strings.Join(turns, ""), nil, turns}, // that files call user-defined
		{strings.Join(turns, " "), [][2]int{{0, 1000}}, []string{"user", "user", "user", "user"}},
		{strings.Join(words, " "), [][2]int{{0, 1000}}, words},
		{"\xff" + eot + "\xff" + eot, [][2]int{{12, 22}}, []string{eot}},
		{"\xff" + eot + "\xff" + eot, [][2]int{{0, 1}, {11, 12}}, []string{eot, eot}},
	} {
		ids := tok.EncodeRendered(c.text, c.literal)
		if got := control(ids); !slices.Equal(got, c.want) {
			t.Errorf("%q with %v: %q, want %q", c.text, c.literal, got, c.want)
		}
		if got := tok.Decode(ids, true); got != strings.ToValidUTF8(c.text, "\uFFFD") {
			t.Errorf("%q with %v is read back as %q", c.text, c.literal, got)
		}
	}
}
