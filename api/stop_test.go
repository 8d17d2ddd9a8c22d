package api

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// cutAtStops is what a client expects: the text before the stop string that begins first.
func cutAtStops(text string, stops []string) (string, bool) {
	first := len(text)
	for _, s := range stops {
		if before, _, found := strings.Cut(text, s); found {
			first = min(first, len(before))
		}
	}
	return text[:first], first < len(text)
}

func randomText(r *rand.Rand, alphabet []string, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func randomStops(r *rand.Rand, alphabet []string) (stops []string) {
	for range r.IntN(5) {
		if s := randomText(r, alphabet, 5); s != "" {
			stops = append(stops, s)
		}
	}
	return stops
}

// However a text is cut into pieces, what is let out is the text up to the first stop string, and no
// piece that was let out has to be taken back.
func TestStopMatcherProperty(t *testing.T) {
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 1))
		alphabet := []string{"a", "b", "ab", "é"}
		text, stops := randomText(r, alphabet, 30), randomStops(r, alphabet)
		want, stopped := cutAtStops(text, stops)
		m, got, matched := stopMatcher{stops: stops}, "", false
		for rest := text; rest != "" && !matched; {
			n := 1 + r.IntN(min(len(rest), 4))
			var out string
			out, matched = m.push(rest[:n])
			got, rest = got+out, rest[n:]
			if !strings.HasPrefix(want, got) {
				t.Fatalf("seed %d: %q let out, but %q with stops %q ends at %q", seed, got, text, stops, want)
			}
		}
		if !matched {
			var out string
			out, matched = m.flush()
			got += out
		}
		if got != want || matched != stopped {
			t.Fatalf("seed %d: %q with stops %q: %q, %t; want %q, %t", seed, text, stops, got, matched, want, stopped)
		}
	}
}

// begins tells whether a stop string stands at the beginning of the tokens: of those that are hidden, which are in "<>", it
// holds the whole or reads on behind them.
func begins(tokens []string, stop string) bool {
	for i, token := range tokens {
		hidden := strings.HasPrefix(token, "<")
		switch after, ok := strings.CutPrefix(stop, token); {
		case ok:
			stop = after
		case !hidden:
			return strings.HasPrefix(token, stop)
		case i == 0:
			return false
		}
		if stop == "" {
			return true
		}
	}
	return false
}

// What hidden tokens are between, and stop strings that hold them: the text ends before the first that stands there.
func TestStopMatcherOfHiddenTokens(t *testing.T) {
	stopped := 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var tokens []string
		for range r.IntN(12) {
			tokens = append(tokens, []string{"a", "b", "<a>", "<b>", "é"}[r.IntN(5)])
		}
		stops := randomStops(r, []string{"a", "b", "<a>", "<b>", "<", ">"})
		want, stopsAt := "", -1
		for i, token := range tokens {
			if slices.ContainsFunc(stops, func(stop string) bool { return begins(tokens[i:], stop) }) {
				stopsAt = i
				stopped++
				break
			}
			if !strings.HasPrefix(token, "<") {
				want += token
			}
		}
		m, got, matched := stopMatcher{stops: stops}, "", false
		for i := 0; i < len(tokens) && !matched; i++ {
			text := tokens[i]
			if strings.HasPrefix(text, "<") {
				m.hide(text)
				text = ""
			}
			var out string
			out, matched = m.push(text)
			got += out
		}
		if !matched {
			var out string
			out, matched = m.flush()
			got += out
		}
		if got != want || matched != (stopsAt >= 0) {
			t.Fatalf("seed %d: %q with stops %q: %q, %t; want %q, %d", seed, tokens, stops, got, matched, want, stopsAt)
		}
	}
	if stopped < 1000 {
		t.Errorf("only %d were stopped", stopped)
	}
}

// textVocabulary are the tokens that random answers are made of: whole characters and parts of them.
func textVocabulary() (ids []int32) {
	for _, b := range []byte("ab st\xc3\xa9\xff") {
		ids = append(ids, int32(b))
	}
	for i := range pieces {
		ids = append(ids, int32(256+i))
	}
	return ids
}

func quoted(v any) string {
	b, err := marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Random answers in random tokens against random stops: the streamed deltas join to the reference, every
// one is whole UTF-8, none shows a part of the stop string, and the answer that is not streamed is the same.
func TestStopStringsOverHTTP(t *testing.T) {
	prompt := []int32{bos, 'x'}
	h := newBench(t, nil)
	ids, alphabet := textVocabulary(), []string{"a", "b", "ab", "é", "🙂", "st", " ", "文", "\uFFFD"}
	stopsSeen := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		var answer []int32
		for range r.IntN(25) {
			answer = append(answer, ids[r.IntN(len(ids))])
		}
		h.answer(says(len(prompt), answer...))
		stops := randomStops(r, alphabet)
		length := 1 + r.IntN(30)
		text := h.model.Tokenizer.Decode(answer[:min(length, len(answer))], false)
		want, stopped := cutAtStops(text, stops)
		finish := "stop"
		if !stopped && length <= len(answer) {
			finish = "length"
		}
		if stopped {
			stopsSeen++
		}
		body := fmt.Sprintf(`{"prompt":%s,"max_tokens":%d,"temperature":0,"stop":%s`, quoted(prompt), length, quoted(slices.Concat([]string{}, stops)))
		var whole completionAnswer
		h.post("/v1/completions", body+"}").into(&whole)
		if got := whole.Choices[0]; got.Text != want || *got.FinishReason != finish {
			t.Fatalf("seed %d: %q %s; want %q %s", seed, got.Text, *got.FinishReason, want, finish)
		}
		streamed, events := "", h.post("/v1/completions", body+`,"stream":true}`).events()
		for i, event := range events[:len(events)-1] {
			var chunk completionAnswer
			if err := json.Unmarshal([]byte(event), &chunk); err != nil {
				t.Fatalf("seed %d: %v: %s", seed, err, event)
			}
			streamed += chunk.Choices[0].Text
			if !utf8.ValidString(chunk.Choices[0].Text) || !strings.HasPrefix(want, streamed) {
				t.Fatalf("seed %d: %q streamed, want %q", seed, streamed, want)
			}
			if last := i == len(events)-2; last != (chunk.Choices[0].FinishReason != nil) || last && *chunk.Choices[0].FinishReason != finish {
				t.Fatalf("seed %d: chunk %d of %d finishes with %v, want %s", seed, i, len(events), chunk.Choices[0].FinishReason, finish)
			}
		}
		if streamed != want || events[len(events)-1] != "[DONE]" {
			t.Fatalf("seed %d: %q streamed and %s; want %q", seed, streamed, events[len(events)-1], want)
		}
	}
	if stopsSeen < 50 {
		t.Errorf("only %d answers met a stop string", stopsSeen)
	}
}
