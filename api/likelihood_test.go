package api

import (
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// This file owns tests of how likely a text is behind another: the same as a client finds with echo and logprobs.

// echoed is what /v1/completions says of the part of a text behind its first characters.
func (h *bench) echoed(behind, text string) (sum float64) {
	h.t.Helper()
	l := h.complete(`"prompt":%s,"max_tokens":1,"echo":true,"logprobs":1,"temperature":0`, quoted(behind+text)).Choices[0].Logprobs
	first := utf8.RuneCountInString(behind)
	last := first + utf8.RuneCountInString(text)
	for i := range l.Tokens[:len(l.Tokens)-1] {
		if l.TextOffset[i] < last && (l.TextOffset[i] >= first || l.TextOffset[i+1] > first) {
			sum += float64(*l.TokenLogprobs[i])
		}
	}
	return sum
}

func TestContinuations(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct {
		behind, text string
		tokens       int
	}{
		{"a", "bc", 2}, {"x", " a b", 4}, {"x ", "ab", 2}, {"é", "🙂b", 5}, {"é", "a🙂", 5}, {"🙂", "中文", 6}, {"x", "<s>y", 2}, {"<|im_start|>x", "</s>", 1}, {"Question: 1?", " stop", 5},
		{"x<", "s>y", 2}, // a token has the end of the one and the beginning of the other
	} {
		k, err := h.model.Continuation(c.behind, c.text)
		if err != nil {
			t.Fatalf("%q behind %q: %v", c.text, c.behind, err)
		}
		read, err := h.model.Likely(t.Context(), k)
		if err != nil || len(read.Expected) != len(k.Tokens) || read.Weights != "echo" {
			t.Fatalf("%q behind %q: %+v, %v", c.text, c.behind, read, err)
		}
		whole := h.model.Tokenizer.Decode(append(append([]int32(nil), k.Before...), k.Tokens...), true)
		if want := h.echoed(c.behind, c.text); math.Abs(read.LogProbability()-want) > 1e-5 || whole != "<s>"+c.behind+c.text {
			t.Errorf("%q behind %q: %v of %q, a client finds %v", c.text, c.behind, read.LogProbability(), whole, want)
		}
		if len(k.Tokens) != c.tokens {
			t.Errorf("%q behind %q is tokens %v", c.text, c.behind, k.Tokens)
		}
	}
	k, _ := h.model.Continuation("a", "bd")
	read, err := h.model.Likely(t.Context(), k)
	if want := float64(rankLogprob(0) + rankLogprob(1)); err != nil || math.Abs(read.LogProbability()-want) > 1e-6 || read.Expected[1].Top[0].Token != 'c' {
		t.Errorf("%+v, %v; want %v", read, err, want)
	}
}

// What can't be read is a request's own fault.
func TestContinuationsRefused(t *testing.T) {
	h := newBench(t, letters)
	if _, err := h.model.Continuation(strings.Repeat("x", benchContext-3), "y"); err != nil { // BOS, and a token for the answer
		t.Errorf("what fits: %v", err)
	}
	for _, c := range [][2]string{{strings.Repeat("x", benchContext-2), "y"}, {"", "abc"}, {"abc", ""}} {
		_, err := h.model.Continuation(c[0], c[1])
		if refused := (*HTTPError)(nil); !errors.As(err, &refused) || refused.Status != 400 {
			t.Errorf("%.8q behind %.8q: %v", c[1], c[0], err)
		}
	}
}
