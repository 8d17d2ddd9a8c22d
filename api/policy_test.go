package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chimera/scheduler"
)

// This file owns the tests of what a request may ask for: the fields of other servers, integers, ceilings, stops, and what it
// holds before it is admitted.

func TestIntegerText(t *testing.T) {
	nines := strings.Repeat("9", maxDigits)
	for number, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "0e99": "0", "7": "7", "-7": "-7", "16.0": "16", "1.6e1": "16", "1.6E+1": "16", "160e-1": "16", "1e3": "1000",
		"-1e3": "-1000", "1.50": "", "1.5": "", "15e-1": "", "1e-1": "", "1e-99999999999999999999": "", "9007199254740993": "9007199254740993",
		"9007199254740993.0": "9007199254740993", "1.00000000000000000001": "", "18446744073709551615": "18446744073709551615",
		"1e20": "100000000000000000000", "1e99999999999999999999": nines, "-1e400": "-" + nines, strings.Repeat("1", 1000): nines,
		"1" + strings.Repeat("0", 50) + "e-50": "1", "10.0e-1": "1", "0.5e1": "5", "0.05e1": "",
	} {
		if got, ok := integerText(number); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t; want %q", number, got, ok, want)
		}
	}
}

// An integer is one however it is written, in every field that takes one.
func TestIntegersInAnyForm(t *testing.T) {
	h := newBench(t, letters)
	for _, path := range strings.Fields(both) {
		for _, fields := range []string{
			`"max_tokens":2.0`, `"max_tokens":2e0`, `"max_tokens":20e-1`, `"n":1.0`, `"top_k":1e3`, `"top_k":-1.0`, `"min_tokens":0.0`,
			`"seed":1e3`, `"seed":-1`, `"seed":-1.0`, `"seed":18446744073709551615`, `"seed":-9223372036854775808`, `"seed":9223372036854775808`,
			`"top_k":99999999999999999999`, `"max_tokens":99999999999999999999`, `"max_tokens":1e300`, `"max_tokens":65535`,
		} {
			name, _, _ := strings.Cut(fields[1:], `"`)
			if r := h.post(path, "{"+withField(soundBodies[path], name, "")+","+fields+"}"); r.status != 200 {
				t.Errorf("%s %s: status %d: %s", path, fields, r.status, r.body)
			}
		}
	}
	if got := h.complete(`"prompt":[12e1,98.0],"max_tokens":1.0`); got.Choices[0].Text != "c" {
		t.Errorf("ids: %+v", got)
	}
}

// Seeds that are given are the engine's, to the last bit; those that are not, and -1, differ each time.
func TestSeeds(t *testing.T) {
	for text, want := range map[string]uint64{
		`0`: 0, `5.0`: 5, `18446744073709551615`: 1<<64 - 1, `9223372036854775808`: 1 << 63, `-2`: 1<<64 - 2, `-9223372036854775808`: 1 << 63,
	} {
		g := generation{Seed: jsontext.Value(text)}
		if got, err := g.seed(); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	seen := map[uint64]bool{}
	for _, text := range []string{"", "null", "-1", "-1", "-1e0", ""} {
		g := generation{Seed: jsontext.Value(text)}
		got, err := g.seed()
		if err != nil || seen[got] {
			t.Errorf("%q: %d, %v: it must be random", text, got, err)
		}
		seen[got] = true
	}
}

// A ceiling beyond what there is means all there is; a prompt that leaves nothing is refused.
func TestCeilings(t *testing.T) {
	h := newBench(t, letters)
	for _, most := range []string{"253", "254", "255", "65535", "1e300", "-1"} {
		r := h.complete(`"prompt":"xy","max_tokens":%s,"temperature":0`, most) // three tokens
		if want := 253; r.Usage.Completion != want || r.Choices[0].FinishReason != "length" {
			t.Errorf("max_tokens %s: %d tokens, %s; want %d, length", most, r.Usage.Completion, r.Choices[0].FinishReason, want)
		}
	}
	for _, most := range []string{`"max_completion_tokens":65535`, `"max_completion_tokens":-1`, `"max_tokens":-1`, `"max_tokens":-1.0`} {
		if c := h.chat(most).Choices[0]; len(c.Message.Content) != benchContext-h.chatLength() || c.FinishReason != "length" {
			t.Errorf("%s: %d characters, %s", most, len(c.Message.Content), c.FinishReason)
		}
	}
	full := `"prompt":"` + strings.Repeat("x", benchContext-1) + `"` // and BOS
	for fields, ok := range map[string]bool{"": false, `,"max_tokens":1`: false, `,"max_tokens":65535`: false, `,"max_tokens":0`: true} {
		r := h.post(textPath, "{"+full+fields+"}")
		if r.status == 200 != ok || !ok && (r.problem().Code != codeTooLong || r.problem().Param != "prompt") {
			t.Errorf("a prompt that fills the context%s: status %d: %s", fields, r.status, r.body)
		}
	}
	g := generation{TopK: new(int64)}
	*g.TopK = 1 << 40
	if s, err := g.sampling(vocab); err != nil || s.TopK != vocab {
		t.Errorf("top_k beyond the vocabulary: %d, %v", s.TopK, err)
	}
}

func TestLogitBiasForms(t *testing.T) {
	for text, want := range map[string]string{
		``: "[]", `null`: "[]", `{}`: "[]", `[]`: "[]", `{"7":-1.5,"3":2}`: "[{3 2} {7 -1.5}]", `[[7,-1.5],[3,2]]`: "[{7 -1.5} {3 2}]", `[[7,false]]`: "[{7 -Inf}]",
		`{"7":false}`: "[{7 -Inf}]", `false`: "[]", `""`: "[]", ` { }`: "[]",
	} {
		if got, err := logitBias(jsontext.Value(text), vocab); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
}

// What stops an answer, what of it is shown, and when it is looked for.
func TestStops(t *testing.T) {
	h := newBench(t, nil)
	h.answer(says(2, 'a', 'b', imEnd-1, 'c', 'a', 'b', 'd')) // imEnd-1 is <|im_start|>, which ends nothing by itself
	for _, c := range []struct {
		fields, text, finish string
		tokens               int
	}{
		{`"stop":""`, "abcabd", "stop", 8},
		{`"stop":["","d"]`, "abcab", "stop", 7},
		{`"stop":"<|im_start|>"`, "ab", "stop", 3},
		{`"stop":["zz","<|im_start|>"],"skip_special_tokens":false`, "ab", "stop", 3},
		{`"stop":"<|im_start|>","include_stop_str_in_output":true`, "ab", "stop", 3},
		{`"stop":"<|im_start|>","include_stop_str_in_output":true,"skip_special_tokens":false`, "ab<|im_start|>", "stop", 3},
		{`"stop":"<|im_start|>","min_tokens":3`, "abcabd", "stop", 8},
		{`"stop":"b<|im_start|>"`, "a", "stop", 3}, {`"stop":"<|im_start|>c"`, "ab", "stop", 4}, {`"stop":"b<|im_start|>ca"`, "a", "stop", 5},
		{`"stop":"b<|im_start|>c","include_stop_str_in_output":true`, "abc", "stop", 4}, {`"stop":"b<|im_start|>x"`, "abcabd", "stop", 8},
		{`"stop":"b<|im_start|>","min_tokens":2`, "a", "stop", 3}, {`"stop":["b<|im_start|>x","<|im_start|>"]`, "ab", "stop", 4},
		{`"stop":"bc"`, "a", "stop", 4}, {`"stop":"abca"`, "", "stop", 5}, // the client reads on behind what it is not shown
		{`"stop":["<|im_","start|>","|>c","|>"]`, "abcabd", "stop", 8}, // a part of a name stands in no text
		{`"stop":"d</s>"`, "abcab", "stop", 8}, {`"stop":"<|im_end|>"`, "abcabd", "stop", 8},
		{`"stop":"d</s>","max_tokens":7`, "abcabd", "length", 7},
		{`"stop":["b<|im_start|>","<|im_"],"skip_special_tokens":false`, "a", "stop", 3},
		{`"stop":"ab"`, "", "stop", 2},
		{`"stop":"ab","include_stop_str_in_output":true`, "ab", "stop", 2},
		{`"stop":["abc","ab"],"include_stop_str_in_output":true`, "ab", "stop", 2},
		{`"stop":"ab","min_tokens":1`, "", "stop", 2},
		{`"stop":"ab","min_tokens":2`, "abc", "stop", 6},
		{`"stop":"ca","min_tokens":4`, "ab", "stop", 5}, // it begins in the first four tokens, and is complete after them
		{`"stop":"c","min_tokens":4`, "abcabd", "stop", 8},
		{`"stop":"ab","max_tokens":1`, "a", "length", 1},
	} {
		want := fmt.Sprintf("%q %s %d", c.text, c.finish, c.tokens)
		r := h.complete(`"prompt":"x","temperature":0,"logprobs":0,%s`, c.fields)
		if got := fmt.Sprintf("%q %s %d", r.Choices[0].Text, r.Choices[0].FinishReason, r.Usage.Completion); got != want {
			t.Errorf("%s: %s, want %s", c.fields, got, want)
		}
		streamed := h.streamedCompletion("{" + fmt.Sprintf(`"prompt":"x","temperature":0,"logprobs":0,%s,"stream":true`, c.fields) + "}")
		if streamed.Text != c.text || *streamed.FinishReason != c.finish {
			t.Errorf("%s: streamed %q, %s", c.fields, streamed.Text, *streamed.FinishReason)
		}
	}
}

// A choice that a stop string has ended is not computed on while the others are.
func TestStoppedChoiceIsNotComputedOn(t *testing.T) {
	h := newBench(t, func(history []int32) int32 {
		if history[0] == 's' {
			return '!'
		}
		time.Sleep(time.Millisecond)
		return 'a'
	})
	h.complete(`"prompt":[[115],[120]],"max_tokens":100,"stop":"!"`)
	if s := h.scheduler.Snapshot(); s.DecodeTokens < 98 || s.DecodeTokens > 150 {
		t.Errorf("%d tokens were decoded, for answers of 100 and of 1", s.DecodeTokens)
	}
}

// A request whose answers can never be queued together is refused for good, on an idle server too; one that could be later
// is to be tried again; neither keeps others out.
func TestGroups(t *testing.T) {
	h := newBench(t, letters)
	list := func(n int) string { return `{"prompt":[` + strings.Repeat(`"x",`, n-1) + `"x"],"max_tokens":1}` }
	for _, body := range []string{list(300), list(benchQueue + 1), `{"prompt":["a","b"],"n":40}`, `{"prompt":"a","n":128}`, `{"prompt":"a","n":65,"stream":true}`} {
		r := h.post(textPath, body)
		param := "n"
		if strings.Contains(body, "[") {
			param = "prompt"
		}
		if p := r.problem(); r.status != 400 || p.Code != "too_many_answers" || p.Param != param || !strings.Contains(p.Message, "64") || len(r.header.Peek("Retry-After")) != 0 {
			t.Errorf("%.60s: status %d, %+v", body, r.status, p)
		}
	}
	var r completionReply
	h.post(textPath, list(benchQueue)).into(&r)
	if len(r.Choices) != benchQueue {
		t.Errorf("%d answers", len(r.Choices))
	}
	release := h.held(benchQueue-2, "{"+soundBodies[textPath]+"}")
	for range 3 {
		r := h.post(textPath, list(3))
		if p := r.problem(); r.status != 429 || p.Code != "queue_full" {
			t.Errorf("beside others: status %d, %+v", r.status, p)
		}
	}
	if s := h.scheduler.Snapshot(); s.Waiting != benchQueue-2 {
		t.Errorf("%d wait: what was refused holds places", s.Waiting)
	}
	if _, err := h.scheduler.SubmitGroup(t.Context(), make([]scheduler.Request, 0)); err != nil {
		t.Error(err)
	}
	release()
}

// Half a character that stands before a control token is shown as one that is broken, be the token a stop string or not.
func TestHalfACharacterBeforeAStop(t *testing.T) {
	h := newBench(t, nil)
	h.answer(says(2, 'a', 0xc3, imEnd-1, 'b'))
	for fields, want := range map[string]string{`"stop":"<|im_start|>"`: "a\uFFFD", `"stop":"zz"`: "a\uFFFDb", `"stop":"b"`: "a\uFFFD"} {
		if r := h.complete(`"prompt":"x","temperature":0,%s`, fields); r.Choices[0].Text != want || r.Choices[0].FinishReason != "stop" {
			t.Errorf("%s: %q, %s; want %q", fields, r.Choices[0].Text, r.Choices[0].FinishReason, want)
		}
	}
}
