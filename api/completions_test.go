package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// completionReply is the answer as vLLM's clients read it; null stays visible.
type completionReply struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Model   string `json:"model"`
	Choices []struct {
		Index    int    `json:"index"`
		Text     string `json:"text"`
		Logprobs *struct {
			Tokens        []string              `json:"tokens"`
			TokenLogprobs []*float32            `json:"token_logprobs"`
			TopLogprobs   []*map[string]float32 `json:"top_logprobs"`
			TextOffset    []int                 `json:"text_offset"`
		} `json:"logprobs"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	} `json:"usage"`
}

func (h *bench) complete(format string, args ...any) (r completionReply) {
	h.t.Helper()
	h.post("/v1/completions", "{"+fmt.Sprintf(format, args...)+"}").into(&r)
	return r
}

func TestPromptForms(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct {
		prompt string
		texts  []string
		tokens int // of all prompts
	}{
		{`"x"`, []string{"yzab"}, 2},
		{`"x","add_special_tokens":false`, []string{"yzab"}, 1},
		{`"<s>x"`, []string{"yzab"}, 2}, // its own BOS
		{`""`, []string{"abcd"}, 1},
		{`"","add_special_tokens":false`, []string{"abcd"}, 1}, // a model can't begin with nothing
		{`[120]`, []string{"yzab"}, 1},
		{`[98,99]`, []string{"defg"}, 2},
		{`["x"]`, []string{"yzab"}, 2},
		{`["c","x","f"]`, []string{"defg", "yzab", "ghij"}, 6},
		{`[[99],[120,121]]`, []string{"defg", "zabc"}, 3},
		{`[[99],"d"]`, []string{"defg", "efgh"}, 3},
		{`["c","e"],"n":2`, []string{"defg", "defg", "fghi", "fghi"}, 4},
	} {
		r := h.complete(`"prompt":%s,"max_tokens":4,"temperature":0`, c.prompt)
		var texts []string
		for i, choice := range r.Choices {
			texts = append(texts, choice.Text)
			if choice.Index != i || choice.Logprobs != nil || choice.FinishReason != "length" {
				t.Errorf("%s: %+v", c.prompt, choice)
			}
		}
		if !slices.Equal(texts, c.texts) || r.Usage.Prompt != c.tokens || r.Usage.Completion != 4*len(c.texts) || r.Usage.Total != r.Usage.Prompt+r.Usage.Completion {
			t.Errorf("%s: %q, %+v; want %q after %d tokens", c.prompt, texts, r.Usage, c.texts, c.tokens)
		}
	}
}

func TestLengthAndEnd(t *testing.T) {
	h := newBench(t, nil)
	h.answer(says(2, 'h', 'i', eos, 'a', imEnd))
	for _, c := range []struct {
		fields, text, finish string
		tokens               int
	}{
		{`"max_tokens":0`, "", "length", 0},
		{`"max_tokens":0,"echo":true`, "x", "length", 0},
		{`"max_tokens":1`, "h", "length", 1},
		{`"max_tokens":1,"echo":true`, "xh", "length", 1},
		{`"max_tokens":3`, "hi", "stop", 3},
		{`"max_tokens":9`, "hi", "stop", 3},
		{`"max_tokens":9,"ignore_eos":true`, "hia", "length", 9},
		{`"max_tokens":5,"ignore_eos":true,"skip_special_tokens":false`, "hi</s>a<|im_end|>", "length", 5},
		{`"max_tokens":9,"skip_special_tokens":false`, "hi", "stop", 3},
		{`"max_tokens":9,"skip_special_tokens":false,"include_stop_str_in_output":true`, "hi</s>", "stop", 3},
		{`"max_tokens":9,"min_tokens":4`, "hia", "stop", 5}, // the end is not sampled, so that another token has its place
		{`"max_tokens":9,"min_tokens":4,"skip_special_tokens":false`, "hi<|im_start|>a", "stop", 5},
		{`"ignore_eos":true`, "hia", "length", 16},
		{`"ignore_eos":true,"min_tokens":20`, "hia", "length", 20},
		{`"max_tokens":5,"min_tokens":5`, "hia\x00", "length", 5}, // the last token of the vocabulary is an end: the next is byte 0
		{`"max_tokens":9,"min_tokens":4,"ignore_eos":true`, "hia", "length", 9},
	} {
		r := h.complete(`"prompt":"x","temperature":0,%s`, c.fields)
		if got := r.Choices[0]; got.Text != c.text || got.FinishReason != c.finish || r.Usage.Completion != c.tokens {
			t.Errorf("%s: %q, %s, %+v; want %q, %s, %d", c.fields, got.Text, got.FinishReason, r.Usage, c.text, c.finish, c.tokens)
		}
	}
}

// With log-probabilities every token has an entry; the names join to the text, and offsets point into it.
func TestCompletionLogprobs(t *testing.T) {
	h := newBench(t, nil)
	euro := []int32{0xe2, 0x82, 0xac} // one character in three tokens
	for _, c := range []struct {
		name, prompt, fields string
		answer               []int32
		promptTokens         int
		tokens               []string
		offsets              []int
		text                 string
	}{
		{"plain", `"x"`, `"max_tokens":3`, []int32{'h', 'i', '!'}, 2, []string{"h", "i", "!"}, []int{0, 1, 2}, "hi!"},
		{"end", `"x"`, `"max_tokens":3`, []int32{'h'}, 2, []string{"h"}, []int{0}, "h"},
		{"end asked for", `"x"`, `"max_tokens":3,"include_stop_str_in_output":true`, []int32{'h'}, 2, []string{"h", "</s>"}, []int{0, 1}, "h"},
		{"echo", `"xy"`, `"max_tokens":1,"echo":true`, []int32{'h'}, 3, []string{"<s>", "x", "y", "h"}, []int{0, 0, 1, 2}, "xyh"},
		{"echo alone", `"xy"`, `"max_tokens":0,"echo":true`, nil, 3, []string{"<s>", "x", "y"}, []int{0, 0, 1}, "xy"},
		{"echo of one token", `[120]`, `"max_tokens":0,"echo":true`, nil, 1, []string{"x"}, []int{0}, "x"},
		{"echo of ids", `[280,120]`, `"max_tokens":1,"echo":true`, []int32{'h'}, 2, []string{"<s>", "x", "h"}, []int{0, 3, 4}, "<s>xh"},
		{"special in the text", `"<s>x</s>"`, `"max_tokens":1,"echo":true`, []int32{'h'}, 3, []string{"<s>", "x", "</s>", "h"}, []int{0, 3, 4, 8}, "<s>x</s>h"},
		{"parts of characters", `"x"`, `"max_tokens":4`, append(euro, 'h'), 2, []string{"", "", "€", "h"}, []int{0, 0, 0, 1}, "€h"},
		{"parts in the prompt", `[226,130,172,104]`, `"max_tokens":1,"echo":true`, []int32{'i'}, 4, []string{"", "", "€", "h", "i"}, []int{0, 0, 0, 1, 2}, "€hi"},
		{"cut off", `"x"`, `"max_tokens":3`, []int32{'h', 0xe2, 0x82, 0xac}, 2, []string{"h", "", "\uFFFD"}, []int{0, 1, 1}, "h\uFFFD"},
		{"whole emoji", `"é🙂"`, `"max_tokens":1,"echo":true`, []int32{'h'}, 7, nil, nil, "é🙂h"},
		{"ids", `"x"`, `"max_tokens":2,"echo":true,"return_tokens_as_token_ids":true`, []int32{'h', 'i'}, 2, []string{"token_id:280", "token_id:120", "token_id:104", "token_id:105"}, []int{0, 0, 1, 2}, "xhi"},
	} {
		h.answer(says(c.promptTokens, c.answer...))
		for n := range 21 {
			what := fmt.Sprintf("%s, logprobs %d", c.name, n)
			r := h.complete(`"prompt":%s,"temperature":0,"logprobs":%d,%s`, c.prompt, n, c.fields)
			choice, l := r.Choices[0], r.Choices[0].Logprobs
			if choice.Text != c.text || c.tokens != nil && !slices.Equal(l.Tokens, c.tokens) || c.offsets != nil && !slices.Equal(l.TextOffset, c.offsets) {
				t.Fatalf("%s: %q %q %v", what, choice.Text, l.Tokens, l.TextOffset)
			}
			if len(l.TokenLogprobs) != len(l.Tokens) || len(l.TopLogprobs) != len(l.Tokens) || len(l.TextOffset) != len(l.Tokens) {
				t.Fatalf("%s: lists of unequal length: %+v", what, l)
			}
			echo := strings.Contains(c.fields, "echo")
			for i := range l.Tokens {
				if null := echo && i == 0; (l.TokenLogprobs[i] == nil) != null || (l.TopLogprobs[i] == nil) != null {
					t.Fatalf("%s: entry %d: null is for the first echoed token alone", what, i)
				} else if null {
					continue
				}
				top := *l.TopLogprobs[i]
				own, ok := top[l.Tokens[i]]
				if !ok || own < *l.TokenLogprobs[i] || len(top) > n+1 || len(top) == 0 {
					t.Fatalf("%s: entry %d: %v for %q", what, i, top, l.Tokens[i])
				}
				if answered := i >= len(l.Tokens)-r.Usage.Completion; answered && *l.TokenLogprobs[i] != rankLogprob(0) {
					t.Fatalf("%s: entry %d: the likeliest token's log-probability is %g, not %g", what, i, *l.TokenLogprobs[i], rankLogprob(0))
				}
			}
		}
	}
}

// Names join to the text and offsets point at them for any answer, streamed or not.
func TestNamesJoinToText(t *testing.T) {
	h := newBench(t, nil)
	for i, text := range []string{"", "é", "🙂🙂", "中文 ab", "a\u00a0b", "e\u0301", "\n\n\tx"} {
		prompt := h.model.Tokenizer.Encode(text, true, false)
		answer := h.model.Tokenizer.Encode("ß中🙂!", false, false)
		h.answer(says(len(prompt), answer...))
		fields := fmt.Sprintf(`"prompt":%s,"temperature":0,"logprobs":2,"echo":true,"max_tokens":%d`, quoted(text), len(answer))
		choice := h.complete("%s", fields).Choices[0]
		names := choice.Logprobs.Tokens[1:] // without BOS
		if strings.Join(names, "") != choice.Text || choice.Text != text+"ß中🙂!" {
			t.Errorf("%d: %q does not join to %q", i, names, choice.Text)
		}
		for k, at := range choice.Logprobs.TextOffset[1:] {
			if rest := string([]rune(choice.Text)[at:]); !strings.HasPrefix(rest, names[k]) {
				t.Errorf("%d: offset %d is %q, not %q", i, at, rest, names[k])
			}
		}
		streamed := h.streamedCompletion("{" + fields + `,"stream":true}`)
		if streamed.Text != choice.Text || !slices.Equal(streamed.Logprobs.Tokens, choice.Logprobs.Tokens) ||
			!slices.Equal(streamed.Logprobs.TextOffset, choice.Logprobs.TextOffset) || quoted(streamed.Logprobs.TopLogprobs) != quoted(choice.Logprobs.TopLogprobs) {
			t.Errorf("%d: streamed %+v, whole %+v", i, streamed.Logprobs, choice.Logprobs)
		}
		if !utf8.ValidString(choice.Text) {
			t.Errorf("%d: %q is not UTF-8", i, choice.Text)
		}
	}
}

// What lm-evaluation-harness's local-completions sends, and how it reads the answer.
func TestEvaluationHarness(t *testing.T) {
	h := newBench(t, letters)
	contexts, contextLengths := [][]int32{{bos, 'x', 'a', 'b', 'c'}, {'m', 'n', 'r'}, {'d', 'e'}}, []int{3, 2, 1}
	greedy := []bool{true, false, true}
	for _, most := range []int{0, 1} {
		body := fmt.Sprintf(`"model":"first","prompt":%s,"temperature":0,"max_tokens":%d,"logprobs":1,"seed":1234,"echo":true`, quoted(contexts), most)
		for i, choice := range h.complete("%s", body).Choices {
			end := len(choice.Logprobs.Tokens)
			if end != len(contexts[i])+most {
				t.Fatalf("max_tokens %d: %d entries for %d tokens", most, end, len(contexts[i]))
			}
			sum, isGreedy := float32(0), true
			for at := contextLengths[i]; at < len(contexts[i]); at++ {
				own, top := choice.Logprobs.TokenLogprobs[at], choice.Logprobs.TopLogprobs[at]
				if own == nil || top == nil || len(*top) == 0 {
					t.Fatalf("entry %d is null", at)
				}
				best := *own
				for _, v := range *top {
					best = max(best, v)
				}
				sum, isGreedy = sum+*own, isGreedy && best == *own
			}
			if isGreedy != greedy[i] || greedy[i] && sum != rankSum(len(contexts[i])-contextLengths[i]) {
				t.Errorf("max_tokens %d, prompt %d: greedy %t, sum %v", most, i, isGreedy, sum)
			}
		}
	}
}

// rankSum is the log-probability of n tokens that are each the likeliest.
func rankSum(n int) (sum float32) {
	for range n {
		sum += rankLogprob(0)
	}
	return sum
}
