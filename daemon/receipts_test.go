package daemon

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"chimera/api"
	"chimera/config"
)

// This file owns tests of receipts: what is in them, who may know, what is on the disk, and that an answer can be computed again.

// A receipt has all that was known of its answer, whole or as a stream, and the answer names what has computed it.
func TestReceipts(t *testing.T) {
	r := newRemembering(t, nil)
	a := r.complete(dayKey, request())
	got := r.receipt(dayKey, a.ID)
	if got.ID != strings.TrimPrefix(a.ID, "cmpl-") || len(got.ID) != 32 || got.Model != "m" || got.Tenant != "day" || got.Class != "interactive" || got.Numerics != a.Fingerprint ||
		got.Outcome != "length" || got.Answers != 1 || got.PromptTokens != 5 || got.AnswerTokens != 10 || !got.IgnoresEnd || got.Sampling.Seed != 7 ||
		got.Sampling.Temperature != 0.8 || got.Sampling.TopP != 1 || len(got.TokensDigest) != 64 || got.PromptKept {
		t.Errorf("%+v of %+v", got, a)
	}
	if got.CoreSeconds == nil || !(*got.CoreSeconds >= 0) || got.GPUSeconds != nil || !(got.Prefill > 0) || !(got.Decode > 0) || time.Since(got.Time) > time.Minute {
		t.Errorf("%+v", got)
	}
	status, header, text := r.do("POST", "/v1/completions", dayKey, request("stream", true, "n", 2))
	if status != 200 || header.Get("X-Chimera-Numerics") != a.Fingerprint {
		t.Fatalf("%d %v %s", status, header, text)
	}
	_, id, _ := strings.Cut(string(text), `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	if got := r.receipt(dayKey, id); got.Answers != 2 || got.AnswerTokens != 20 || got.Outcome != "length" || got.PromptTokens != 5 {
		t.Errorf("of a stream of two: %+v", got)
	}
}

// The receipt is the tenant's and the administrator's; to all others it is as if there were none.
func TestWhoMayKnow(t *testing.T) {
	r := newRemembering(t, nil)
	mine, nobodys := r.complete(dayKey, request()).ID, r.complete("", request()).ID
	for _, c := range []struct {
		id, key string
		want    int
	}{
		{mine, dayKey, 200}, {mine, administrator, 200}, {mine, "night-key", 404}, {mine, "", 404}, {mine, "unknown-key", 404},
		{nobodys, "", 200}, {nobodys, dayKey, 404}, {nobodys, administrator, 200},
		{"cmpl-" + strings.Repeat("0", 32), administrator, 404}, {"cmpl-0", administrator, 400}, {strings.Repeat("x", 400), "", 400},
	} {
		if status, _, text := r.do("GET", "/v1/receipts/"+c.id, c.key, nil); status != c.want {
			t.Errorf("%q asks for %.50s: %d %s, want %d", c.key, c.id, status, text, c.want)
		}
		if status, _, text := r.do("POST", "/v1/feedback", c.key, map[string]any{"completion_id": c.id, "rating": 9}); status != 400 {
			t.Errorf("a rating of 9: %d %s", status, text)
		}
	}
	for key, want := range map[string]int{"night-key": 403, "": 403, dayKey: 200} {
		if status, _, text := r.do("POST", "/v1/forget", key, map[string]any{"tenant": "day"}); status != want {
			t.Errorf("%q has the tenant day forgotten: %d %s, want %d", key, status, text, want)
		}
	}
}

// Texts are in the file where the settings say so, and gone from it when they are forgotten; by default none ever is.
func TestTextsOnDisk(t *testing.T) {
	for setting, want := range map[string]bool{"none": false, "samples": false, "all": true} {
		r := newRemembering(t, func(c *config.Config) { c.Privacy.Store, c.Quality.ControlShare = setting, hardly })
		a := r.complete(dayKey, request("prompt", []int{3, 2, 1, 3, 3, 1}))
		if got := r.receipt(dayKey, a.ID); got.PromptKept != want {
			t.Errorf("%s: prompt kept: %t", setting, got.PromptKept)
		}
		r.must("POST", "/v1/feedback", dayKey, map[string]any{"completion_id": a.ID, "thumb": "up", "correction": "c0rrect10n"}, nil)
		r.receipt(dayKey, a.ID)
		inFile := func(text string) bool {
			found := false
			for _, name := range []string{"history.db", "history.db-wal"} {
				raw, _ := os.ReadFile(filepath.Join(filepath.Dir(r.config.History.File), name))
				found = found || bytes.Contains(raw, []byte(text))
			}
			return found
		}
		if inFile("[[3,2,1,3,3,1]]") != want || inFile("c0rrect10n") != (setting != "none") {
			t.Errorf("%s: prompt on the disk: %t, correction: %t", setting, inFile("[[3,2,1,3,3,1]]"), inFile("c0rrect10n"))
		}
		var said struct{ Rows int64 }
		if r.must("POST", "/v1/forget", dayKey, map[string]any{"answer": a.ID}, &said); said.Rows != 3 { // the receipt, the rating, and what the correction says
			t.Errorf("%d rows are forgotten", said.Rows)
		}
		if inFile("[[3,2,1,3,3,1]]") || inFile("c0rrect10n") {
			t.Errorf("%s: texts are left", setting)
		}
		if status, _, _ := r.do("GET", "/v1/receipts/"+a.ID, dayKey, nil); status != 404 {
			t.Errorf("what was forgotten is answered %d", status)
		}
		if info, err := os.Stat(r.config.History.File); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
}

// Completions of several answers and of biased tokens are computed again too, from what was kept and from the request; others' biases, or an order
// of the prompts that is another, give other tokens.
func TestReplayOfMore(t *testing.T) {
	kept, not := newRemembering(t, func(c *config.Config) { c.Privacy.Store = "all" }), newRemembering(t, nil)
	prompts := [][]int{{1, 2, 3}, {3, 1}}
	bias := map[string]any{"1": 4.5, "2": false}
	for name, asked := range map[string]map[string]any{
		"choices":      request("n", 3),
		"prompts":      request("prompt", prompts),
		"both":         request("prompt", prompts, "n", 2, "ignore_eos", false),
		"biases":       request("logit_bias", bias),
		"all of these": request("prompt", prompts, "n", 2, "logit_bias", bias, "ignore_eos", false, "min_tokens", 3),
	} {
		for place, r := range map[string]*remembering{"kept": kept, "not kept": not} {
			a := r.complete(dayKey, asked)
			body := map[string]any{"answer": a.ID}
			if place == "not kept" {
				body["request"] = asked
			}
			var got api.Replay
			r.must("POST", "/v1/replay", dayKey, body, &got)
			if !got.Equal || !got.SameNumerics || int64(got.Tokens) != a.Usage.CompletionTokens {
				t.Errorf("%s, %s: %+v of %+v", name, place, got, a)
			}
		}
	}
	for name, c := range map[string][2]map[string]any{
		"another bias":  {request("logit_bias", map[string]any{"1": 90}), request("logit_bias", map[string]any{"2": 90})},
		"another order": {request("prompt", prompts), request("prompt", [][]int{prompts[1], prompts[0]})},
	} {
		var got api.Replay
		if not.must("POST", "/v1/replay", dayKey, map[string]any{"answer": not.complete(dayKey, c[0]).ID, "request": c[1]}, &got); got.Equal {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What a client said of tokens is a text: it is on the disk where the prompt is, and never shown.
func TestBiasesAreTexts(t *testing.T) {
	for setting, want := range map[string]bool{"none": false, "all": true} {
		r := newRemembering(t, func(c *config.Config) { c.Privacy.Store = setting })
		a := r.complete(dayKey, request("logit_bias", map[string]any{"1": -7.125, "2": false}))
		if got := r.receipt(dayKey, a.ID); got.Biases != 2 || got.LogitBias != nil {
			t.Errorf("%s: %+v", setting, got)
		}
		raw, _ := os.ReadFile(r.config.History.File)
		wal, _ := os.ReadFile(r.config.History.File + "-wal")
		if has := bytes.Contains(append(raw, wal...), []byte("[[1,-7.125],[2,false]]")); has != want {
			t.Errorf("%s: biases on the disk: %t", setting, has)
		}
	}
}

// An answer computed again has the same tokens: from the prompt that was kept, from the request, and by another daemon from the receipt.
func TestReplay(t *testing.T) {
	kept, other := newRemembering(t, func(c *config.Config) { c.Privacy.Store = "all" }), newRemembering(t, nil)
	a := kept.complete(dayKey, request())
	b := other.complete(dayKey, request("ignore_eos", false, "min_tokens", 4, "seed", 9))
	replay := func(r *remembering, body map[string]any) (got api.Replay) {
		r.t.Helper()
		r.must("POST", "/v1/replay", dayKey, body, &got)
		return got
	}
	if got := replay(kept, map[string]any{"answer": a.ID}); !got.Equal || got.Tokens != 10 || !got.SameNumerics || got.Numerics != a.Fingerprint {
		t.Errorf("from the kept prompt: %+v", got)
	}
	if got := replay(other, map[string]any{"answer": b.ID, "request": request("max_tokens", 1)}); !got.Equal || int64(got.Tokens) != b.Usage.CompletionTokens {
		t.Errorf("from the request: %+v", got)
	}
	receipt := kept.receipt(dayKey, a.ID)
	if got := replay(other, map[string]any{"receipt": receipt, "request": request()}); !got.Equal || !got.SameNumerics {
		t.Errorf("elsewhere: %+v", got)
	}
	if got := replay(other, map[string]any{"receipt": receipt, "request": request("prompt", []int{1, 2, 3, 1, 3})}); got.Equal {
		t.Errorf("another prompt: %+v", got)
	}
	receipt.Sampling.Seed++
	if got := replay(other, map[string]any{"receipt": receipt, "request": request()}); got.Equal {
		t.Errorf("another seed: %+v", got)
	}
	receipt.Numerics = "other"
	if got := replay(other, map[string]any{"receipt": receipt, "request": request()}); got.SameNumerics {
		t.Errorf("other numerics: %+v", got)
	}
	two, biased := other.complete(dayKey, request("n", 2)), other.complete(dayKey, request("logit_bias", map[string]any{"1": 1}))
	lengths := func(n ...int64) api.Receipt {
		r := other.receipt(dayKey, two.ID)
		r.Lengths, r.Answers = n, max(2, int64(len(n)))
		return r
	}
	for name, c := range map[string]struct {
		body map[string]any
		want string
	}{
		"no prompt":       {map[string]any{"answer": b.ID}, "409 not_replayable"},
		"two prompts":     {map[string]any{"answer": b.ID, "request": request("prompt", [][]int{{1, 2}, {3, 1, 2}})}, "400 invalid_value"},
		"three of two":    {map[string]any{"answer": two.ID, "request": request("prompt", [][]int{{1}, {2}, {3, 1, 2}})}, "400 invalid_value"},
		"no lengths":      {map[string]any{"receipt": lengths(), "request": request()}, "409 not_replayable"},
		"one length":      {map[string]any{"receipt": lengths(20), "request": request()}, "400 invalid_value"},
		"a length of -1":  {map[string]any{"receipt": lengths(21, -1), "request": request()}, "400 invalid_value"},
		"long lengths":    {map[string]any{"receipt": lengths(math.MaxInt64, math.MaxInt64, 22), "request": request()}, "400 invalid_value"},
		"no answers":      {map[string]any{"receipt": func() api.Receipt { r := lengths(10, 10); r.Answers = 0; return r }(), "request": request()}, "400 invalid_value"},
		"many answers":    {map[string]any{"receipt": func() api.Receipt { r := lengths(10, 10); r.Answers = math.MaxInt64; return r }(), "request": request()}, "400 invalid_value"},
		"no biases":       {map[string]any{"answer": biased.ID, "request": request()}, "400 invalid_value"},
		"its bias":        {map[string]any{"answer": biased.ID, "request": request("logit_bias", map[string]any{"1": 1000})}, "400 invalid_value"},
		"longer prompt":   {map[string]any{"answer": b.ID, "request": request("prompt", []int{1})}, "400 invalid_value"},
		"both":            {map[string]any{"answer": b.ID, "receipt": receipt}, "400 invalid_value"},
		"neither":         {map[string]any{}, "400 invalid_value"},
		"no such answer":  {map[string]any{"answer": a.ID, "request": request()}, "404 no_such_answer"},
		"a field":         {map[string]any{"answer": b.ID, "seed": 1}, "400 invalid_value"},
		"a receipt's n":   {map[string]any{"receipt": func() api.Receipt { r := receipt; r.AnswerTokens = math.MaxInt64; return r }(), "request": request()}, "409 not_replayable"},
		"its temperature": {map[string]any{"receipt": func() api.Receipt { r := receipt; r.Sampling.Temperature = -1; return r }(), "request": request()}, "400 invalid_value"},
		"its top_k":       {map[string]any{"receipt": func() api.Receipt { r := receipt; r.Sampling.TopK = math.MaxInt64; return r }(), "request": request()}, "400 invalid_value"},
		"its min_tokens":  {map[string]any{"receipt": func() api.Receipt { r := receipt; r.MinTokens = -5; return r }(), "request": request()}, "400 invalid_value"},
		"its model":       {map[string]any{"receipt": func() api.Receipt { r := receipt; r.Model = "no"; return r }(), "request": request()}, "404 model_not_found"},
	} {
		status, _, text := other.do("POST", "/v1/replay", dayKey, c.body)
		var problem struct{ Error struct{ Code string } }
		if err := json.Unmarshal(text, &problem, json.MatchCaseInsensitiveNames(true)); err != nil || fmt.Sprint(status, " ", problem.Error.Code) != c.want {
			t.Errorf("%s: %d %s, want %s", name, status, text, c.want)
		}
	}
}
