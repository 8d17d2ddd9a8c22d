// This file makes the small vocabularies that the tests carry with them, and checks what New refuses.
package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

const trainingText = "the quick brown fox jumps over the lazy dog, then the other fox jumps over them both;   and naïve " +
	"Füchse springen über 人人 人人 🙂🙂 12 123 aaaa aaaa  'll we'll they'll\n\n\treturn the  end of the  text"

// trainPairs merges the most frequent pair of neighbours again and again: BPE's training, without any pre-tokenizer but
// that a merge keeps within a word.
func trainPairs(symbols [][]string, merges int) (pairs [][2]string) {
	for range merges {
		counts := map[[2]string]int{}
		for _, word := range symbols {
			for i := 1; i < len(word); i++ {
				counts[[2]string{word[i-1], word[i]}]++
			}
		}
		best := [2]string{}
		for pair, n := range counts {
			if n > counts[best] || n == counts[best] && pair[0]+" "+pair[1] < best[0]+" "+best[1] {
				best = pair
			}
		}
		if len(counts) == 0 {
			break
		}
		for i, word := range symbols {
			symbols[i] = mergePair(word, best)
		}
		pairs = append(pairs, best)
	}
	return pairs
}

// mergePair replaces a pair of neighbours by one, from the left: the textbook's step.
func mergePair(word []string, pair [2]string) (out []string) {
	for i := 0; i < len(word); i++ {
		if i+1 < len(word) && word[i] == pair[0] && word[i+1] == pair[1] {
			out = append(out, pair[0]+pair[1])
			i++
			continue
		}
		out = append(out, word[i])
	}
	return out
}

func mapped(s string) (letters []string) {
	for i := range len(s) {
		letters = append(letters, string(byteRune[s[i]]))
	}
	return letters
}

func ptr[T any](v T) *T { return &v }

// byteLevelVocab has all bytes, the merges of the training text, and special tokens at the end.
func byteLevelVocab(pre string) Vocab {
	v := Vocab{Model: "gpt2", Pre: pre}
	for b := range 256 {
		v.add(string(byteRune[b]), 1)
	}
	var words [][]string
	for _, part := range splitParts(splitGPT2, strings.Repeat(trainingText, 2)) {
		words = append(words, mapped(part))
	}
	for _, pair := range trainPairs(words, 120) {
		if id := slices.Index(v.Tokens, pair[0]+pair[1]); id < 0 {
			v.add(pair[0]+pair[1], 1)
		}
		v.Merges = append(v.Merges, pair[0]+" "+pair[1])
	}
	v.BOS = ptr(int64(v.add("<|begin_of_text|>", 3)))
	v.EOS = ptr(int64(v.add("<|eot_id|>", 3)))
	v.add("<tool>", 4)
	v.add("   ", 4)
	return v
}

// sentencePieceVocab has byte tokens, the letters of the training text, and merges with falling scores.
func sentencePieceVocab() Vocab {
	v := Vocab{Model: "llama"}
	v.UNK, v.BOS, v.EOS = ptr(int64(v.add("<unk>", 2))), ptr(int64(v.add("<s>", 3))), ptr(int64(v.add("</s>", 3)))
	for b := range 256 {
		v.add(fmt.Sprintf("<0x%02X>", b), 6)
	}
	v.add("<start_of_turn>", 4)
	v.add("    ", 4)
	letters := strings.Split(strings.ReplaceAll(trainingText, " ", wordMark), "")
	var words [][]string
	for rest := wordMark + strings.Join(letters, ""); rest != ""; rest = rest[wordEnd(rest):] {
		words = append(words, strings.Split(rest[:wordEnd(rest)], ""))
	}
	pairs := trainPairs(words, 120)
	for _, l := range letters {
		if !slices.Contains(v.Tokens, l) && l != "ü" {
			v.add(l, 1)
		}
	}
	for _, pair := range pairs {
		if !slices.Contains(v.Tokens, pair[0]+pair[1]) {
			v.add(pair[0]+pair[1], 1)
		}
	}
	return v
}

// add appends a token; later ones have lower scores, -0 for the first.
func (v *Vocab) add(text string, typ int32) int32 {
	v.Tokens, v.Types = append(v.Tokens, text), append(v.Types, typ)
	v.Scores = append(v.Scores, -float32(len(v.Scores)))
	return int32(len(v.Tokens) - 1)
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Vocab)
		kind   error
		want   string
	}{
		{"family", func(v *Vocab) { v.Model = "bert" }, ErrUnsupported, `tokenizer.ggml.model is "bert"`},
		{"no family", func(v *Vocab) { v.Model = "" }, ErrUnsupported, `tokenizer.ggml.model is ""`},
		{"pre-tokenizer", func(v *Vocab) { v.Pre = "klingon" }, ErrUnsupported, `tokenizer.ggml.pre is "klingon"`},
		{"no tokens", func(v *Vocab) { v.Tokens = nil }, ErrInvalid, "tokenizer.ggml.tokens has 0"},
		{"types", func(v *Vocab) { v.Types = v.Types[1:] }, ErrInvalid, "tokenizer.ggml.token_type has"},
		{"type", func(v *Vocab) { v.Types[3] = 9 }, ErrInvalid, "tokenizer.ggml.token_type is 9 for token 3"},
		{"negative type", func(v *Vocab) { v.Types[3] = -1 }, ErrInvalid, "tokenizer.ggml.token_type is -1 for token 3"},
		{"byte token", func(v *Vocab) { v.Types[3] = 6 }, ErrInvalid, "of type byte at 3"},
		{"much special text", func(v *Vocab) { v.add(strings.Repeat("x", maxSpecialBytes), 4) }, ErrInvalid, "tokenizer.ggml.token_type marks"},
		{"no merges", func(v *Vocab) { v.Merges = nil }, ErrInvalid, "tokenizer.ggml.merges is missing"},
		{"empty merges", func(v *Vocab) { v.Merges = []string{} }, ErrInvalid, "tokenizer.ggml.merges is missing or empty"},
		{"merge", func(v *Vocab) { v.Merges[5] = "ab" }, ErrInvalid, `tokenizer.ggml.merges has "ab" at 5`},
		{"empty merge", func(v *Vocab) { v.Merges[5] = "" }, ErrInvalid, `tokenizer.ggml.merges has "" at 5`},
		{"merge of no token", func(v *Vocab) { v.Merges[0] = "x q" }, ErrInvalid, `tokenizer.ggml.merges has "x q" at 0`},
	} {
		v := byteLevelVocab("gpt-2")
		c.change(&v)
		if _, err := New(v); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*Vocab)
		want   string
	}{
		{"scores", func(v *Vocab) { v.Scores = v.Scores[1:] }, "tokenizer.ggml.scores has"},
		{"score", func(v *Vocab) { v.Scores[4] = float32(math.NaN()) }, "tokenizer.ggml.scores is not a number for token 4"},
		{"no way out", func(v *Vocab) { v.UNK, v.Types[0], v.Tokens[9], v.Types[9] = nil, 1, "x1", 1 }, "tokenizer.ggml.unknown_token_id is missing"},
	} {
		v := sentencePieceVocab()
		c.change(&v)
		if _, err := New(v); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEndOfGeneration(t *testing.T) {
	for _, c := range []struct {
		name  string
		texts []string // types are normal: the texts must suffice
		eos   string
		want  []string
	}{
		{"chatml", []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}, "<|im_end|>", []string{"<|endoftext|>", "<|im_end|>"}},
		{"llama 3", []string{"<|begin_of_text|>", "<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"}, "<|end_of_text|>",
			[]string{"<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"}},
		{"harmony", []string{"<|return|>", "<|call|>", "<|end|>", "<|channel|>"}, "<|return|>", []string{"<|return|>", "<|call|>"}},
		{"phi", []string{"<|end|>", "<|user|>"}, "", []string{"<|end|>"}},
		{"gemma", []string{"<eos>", "</s>", "<end_of_turn>"}, "<eos>", []string{"<eos>", "</s>", "<end_of_turn>"}},
		{"gemma 4", []string{"<eos>", "</s>", "<turn|>", "<|tool_response>"}, "<eos>", []string{"<eos>", "<turn|>", "<|tool_response>"}},
		{"fill in the middle", []string{"<fim_prefix>", "<fim_pad>", "<|repo_name|>", "<|file_sep|>", "<reponame>"}, "",
			[]string{"<fim_pad>", "<|repo_name|>", "<|file_sep|>"}},
		{"own", []string{"<stop>", "<other>"}, "<stop>", []string{"<stop>"}},
	} {
		v := byteLevelVocab("gpt-2")
		v.EOS = nil
		v.Tokens[len(v.Tokens)-4], v.Tokens[len(v.Tokens)-3] = "<x>", "<y>" // were BOS and EOS
		for _, text := range c.texts {
			id := v.add(text, 1)
			if text == c.eos {
				v.EOS = ptr(int64(id))
			}
		}
		tok := mustNew(t, v)
		var got []string
		for _, id := range tok.EOG() {
			got = append(got, tok.TokenText(id))
			if !tok.IsEOG(id) {
				t.Errorf("%s: %d is not said to end a generation", c.name, id)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q end a generation, want %q", c.name, got, c.want)
		}
		if id, ok := tok.TokenID("<|channel|>"); ok && (tok.IsSpecial(id) || tok.Piece(id, false) == "") {
			t.Error("<|channel|> is hidden")
		}
	}
}
