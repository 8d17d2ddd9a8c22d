package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// textbook merges the best pair of the whole word, until there is none.
func textbook(symbols []string, priority func(pair [2]string) (int, bool)) []string {
	for {
		best, bestPriority := -1, 0
		for i := 1; i < len(symbols); i++ {
			if p, ok := priority([2]string{symbols[i-1], symbols[i]}); ok && (best < 0 || p < bestPriority) {
				best, bestPriority = i, p
			}
		}
		if best < 0 {
			return symbols
		}
		symbols[best-1] += symbols[best]
		symbols = slices.Delete(symbols, best, best+1)
	}
}

func randomWords(alphabet string, count int) (words []string) {
	r := rand.New(rand.NewPCG(3, 4))
	letters := []rune(alphabet)
	for range count {
		var b strings.Builder
		for range 1 + r.IntN(30) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		words = append(words, b.String())
	}
	return words
}

func TestByteLevelEqualsTextbook(t *testing.T) {
	v := byteLevelVocab("gpt-2")
	tok := mustNew(t, v)
	rank := map[string]int{}
	for i, m := range v.Merges {
		rank[m] = i
	}
	for _, word := range randomWords("thequickoxjms  an人🙂ü1\n'l", 2000) {
		var want []int32
		for _, part := range splitParts(splitGPT2, word) {
			for _, s := range textbook(mapped(part), func(p [2]string) (int, bool) { n, ok := rank[p[0]+" "+p[1]]; return n, ok }) {
				want = append(want, int32(slices.Index(v.Tokens, s)))
			}
		}
		// The user-defined token of three spaces comes before all merging.
		if !strings.Contains(word, "   ") {
			checkIDs(t, "ids", word, tok.Encode(word, false, false), want)
		}
	}
}

func TestSentencePieceEqualsTextbook(t *testing.T) {
	across := sentencePieceVocab() // a token that spans words: the text must be merged as a whole
	across.add("e▁q", 1)
	for name, v := range map[string]Vocab{"word by word": sentencePieceVocab(), "as a whole": across} {
		t.Run(name, func(t *testing.T) { checkSentencePiece(t, v) })
	}
}

func checkSentencePiece(t *testing.T, v Vocab) {
	tok := mustNew(t, v)
	if f := tok.model.(*sentencePiece); f.byWord == slices.Contains(v.Tokens, "e▁q") {
		t.Errorf("merges word by word: %v", f.byWord)
	}
	ids := map[string]int{}
	for id, text := range v.Tokens {
		if v.Types[id] == 1 {
			ids[text] = id
		}
	}
	for _, word := range randomWords("thequickoxjms  an人🙂ü1\n'lΩ", 2000) {
		if strings.Contains(word, "    ") {
			continue
		}
		var want []int32
		letters := strings.Split(wordMark+strings.ReplaceAll(word, " ", wordMark), "")
		for _, s := range textbook(letters, func(p [2]string) (int, bool) { n, ok := ids[p[0]+p[1]]; return n, ok }) {
			if id, ok := ids[s]; ok {
				want = append(want, int32(id))
				continue
			}
			for i := range len(s) {
				want = append(want, int32(3+int(s[i]))) // the byte tokens begin at 3
			}
		}
		checkIDs(t, "ids", word, tok.Encode(word, false, false), want)
	}
}

// countingFamily counts how often the merger asks for a pair.
type countingFamily struct {
	pairer
	asked int
}

func (c *countingFamily) pair(text string, left, right *symbol) (uint32, int32, bool) {
	c.asked++
	return c.pairer.pair(text, left, right)
}

// TestMergingIsLinear: n symbols ask for at most 3n pairs (n at first, two after each of at most n merges), and the heap
// never holds more. So a megabyte of anything is n log n.
func TestMergingIsLinear(t *testing.T) {
	byteLevelTok, spmTok := mustNew(t, byteLevelVocab("gpt-2")), mustNew(t, sentencePieceVocab())
	for _, unit := range []string{"a", " ", "the ", "人", "\x00", "aaaab"} {
		for _, size := range []int{1 << 10, 1 << 18} {
			text := strings.Repeat(unit, size/len(unit))
			for _, tok := range []*Tokenizer{byteLevelTok, spmTok} {
				var m merger
				c := &countingFamily{}
				switch f := tok.model.(type) {
				case *byteLevel:
					c.pairer = f
					for i := range len(text) {
						m.push(1, f.bytes[text[i]])
					}
				case *sentencePiece:
					c.pairer = f
					for _, r := range text {
						m.push(utf8.RuneLen(r), None)
					}
				}
				n := len(m.symbols)
				m.merge(text, c)
				if c.asked > 3*n {
					t.Errorf("%d × %q: %d pairs for %d symbols", size, unit, c.asked, n)
				}
			}
		}
	}
}

// TestOneMebibyte: no text of 1 MiB stalls a server. It takes well under a second; the limit is for slow machines.
func TestOneMebibyte(t *testing.T) {
	across := sentencePieceVocab()
	across.add("e▁q", 1) // so that the text is merged as a whole
	for _, tok := range []*Tokenizer{
		mustNew(t, byteLevelVocab("llama-bpe")), mustNew(t, byteLevelVocab("deepseek-llm")), mustNew(t, across),
	} {
		for _, unit := range []string{"a", " ", "\n", "<", "<|eot_id|", "<|eot_id|>", "é", "🙂", "e\u0301", "▁", "1", "the "} {
			text := strings.Repeat(unit, 1<<20/len(unit))
			start := time.Now()
			ids := tok.Encode(text, true, true)
			back := tok.Decode(ids, true)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%q takes %v", unit, took)
			}
			if len(back) < len(text)/3 {
				t.Errorf("%q: %d bytes come back as %d", unit, len(text), len(back))
			}
		}
	}
}

func TestSpecialTokens(t *testing.T) {
	tok := mustNew(t, byteLevelVocab("gpt-2"))
	eot, _ := tok.TokenID("<|eot_id|>")
	bos, _ := tok.TokenID("<|begin_of_text|>")
	tool, _ := tok.TokenID("<tool>")
	runs, _ := tok.TokenID("   ")
	word := func(s string) []int32 { return tok.Encode(s, false, false) }
	for _, c := range []struct {
		text  string
		parse bool
		want  [][]int32
	}{
		{"the<|eot_id|>fox", true, [][]int32{word("the"), {eot}, word("fox")}},
		{"the<|eot_id|>fox", false, [][]int32{word("the"), word("<|eot_id|"), word(">"), word("fox")}},
		{"<|eot_id|><|eot_id|>", true, [][]int32{{eot, eot}}},
		{"<|eot_id<|begin_of_text|>", true, [][]int32{word("<|eot_id<|"[:8]), {bos}}},
		{"a<tool>b", false, [][]int32{word("a"), {tool}, word("b")}},
		{"a    b", true, [][]int32{word("a"), {runs}, word(" b")}},
	} {
		want := slices.Concat(c.want...)
		if c.text == "the<|eot_id|>fox" && !c.parse {
			want = nil // the text itself, in whatever pieces
			if got := tok.Encode(c.text, false, false); slices.Contains(got, eot) || tok.Decode(got, false) != c.text {
				t.Errorf("%q, not parsed, is %v", c.text, got)
			}
			continue
		}
		checkIDs(t, "ids", c.text, tok.Encode(c.text, false, c.parse), want)
	}
	checkIDs(t, "added ids", "a", mustNew(t, byteLevelVocab("llama-bpe")).Encode("a", true, false), []int32{bos, word("a")[0]})
}

// TestSpecialTokensAsLlamaCpp: longest token first over the whole text gives the same as longest at each place.
func TestSpecialTokensAsLlamaCpp(t *testing.T) {
	texts := []string{"<|a|>", "<|ab|>", "<|a|><|b|>", "  ", "   ", "     ", "<b>", "x<b>"}
	var v Vocab
	kinds := []kind{}
	for _, text := range texts {
		v.Tokens, kinds = append(v.Tokens, text), append(kinds, kindControl)
	}
	m, err := newMatcher(&v, kinds)
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{"<|a|>", "<|ab|>", "<|b|>", " ", "  ", "<b>", "<", "a", "x"}
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		var text string
		for range r.IntN(12) {
			text += parts[r.IntN(len(parts))]
		}
		var got []string
		for rest := text; rest != ""; {
			s, start, end := m.find(&scan{text: rest, control: true}, 0)
			got = append(got, rest[:start])
			if end == 0 {
				break
			}
			got = append(got, v.Tokens[s.id])
			rest = rest[end:]
		}
		got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
		if want := longestFirst(text, v.Tokens); !slices.Equal(got, want) {
			t.Fatalf("%q is cut %q, want %q", text, got, want)
		}
	}
}

func longestFirst(text string, tokens []string) (parts []string) {
	if text == "" {
		return nil
	}
	sorted := slices.Clone(tokens)
	slices.SortStableFunc(sorted, func(a, b string) int { return len(b) - len(a) })
	for _, token := range sorted {
		if at := strings.Index(text, token); at >= 0 {
			left, right := longestFirst(text[:at], tokens), longestFirst(text[at+len(token):], tokens)
			return slices.Concat(left, []string{token}, right)
		}
	}
	return []string{text}
}

func TestStripping(t *testing.T) {
	v := sentencePieceVocab()
	v.Name = "Phi-3-mini"
	id := v.add("<|end|>", 3)
	tok := mustNew(t, v)
	want := slices.Concat(tok.Encode("the", false, false), []int32{id}, tok.Encode("fox", false, false))
	checkIDs(t, "ids", "the<|end|> \nfox", tok.Encode("the<|end|> \nfox", false, true), want)

	v = byteLevelVocab("jina-v2-code")
	id = v.add("<mask>", 3)
	tok = mustNew(t, v)
	want = slices.Concat(tok.Encode("the", false, false), []int32{id}, tok.Encode(" fox", false, false))
	checkIDs(t, "ids", "the <mask> fox", tok.Encode("the <mask> fox", false, true), want)
}

// TestConcurrentEncoding: working memory is shared by turns, never at once.
func TestConcurrentEncoding(t *testing.T) {
	tok := mustNew(t, byteLevelVocab("qwen2"))
	want := tok.Encode(trainingText, true, true)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if got := tok.Encode(trainingText, true, true); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	all.Wait()
}
