package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns tests of /v1/embeddings: whose states are in it, in which form, and what is refused.

// embeddingReply is the answer as OpenAI's clients read it; the vectors are read as each test wants.
type embeddingReply struct {
	Object string `json:"object"`
	Data   []struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	} `json:"data"`
	Model       string `json:"model"`
	Fingerprint string `json:"system_fingerprint"`
	Usage       struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	} `json:"usage"`
}

// unitOf is the mean state of tokens at positions from first on, made as long as 1.
func unitOf(first int, tokens ...int32) [2]float64 {
	var x, y float64
	for i, token := range tokens {
		x, y = x+float64(token), y+float64(first+i)
	}
	length := math.Hypot(x, y)
	return [2]float64{x / length, y / length}
}

func vectorOf(t *testing.T, v any) (list [2]float64) {
	t.Helper()
	numbers, _ := v.([]any)
	if text, is := v.(string); is {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != 8 {
			t.Fatalf("%q: %v", text, err)
		}
		for i := range 2 {
			numbers = append(numbers, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))))
		}
	}
	if len(numbers) != 2 {
		t.Fatalf("%v is no vector of two", v)
	}
	for i, x := range numbers {
		list[i] = x.(float64)
	}
	return list
}

func TestEmbeddings(t *testing.T) {
	h := newBench(t, letters)
	for _, c := range []struct {
		fields string
		tokens int // BOS among them
		want   [][2]float64
	}{
		{`"input":"x"`, 2, [][2]float64{unitOf(1, 'x')}},
		{`"input":"xyz","encoding_format":"float"`, 4, [][2]float64{unitOf(1, 'x', 'y', 'z')}},
		{`"input":"xyz","encoding_format":"base64"`, 4, [][2]float64{unitOf(1, 'x', 'y', 'z')}},
		{`"input":["x","yz"]`, 5, [][2]float64{unitOf(1, 'x'), unitOf(1, 'y', 'z')}},
		{`"input":[120,121]`, 3, [][2]float64{unitOf(1, 'x', 'y')}},
		{fmt.Sprintf(`"input":[[%d,120,121],[%d]]`, bos, bos), 4, [][2]float64{unitOf(1, 'x', 'y'), unitOf(0, bos)}},
		{`"input":"x","user":"u","dimensions":null`, 2, [][2]float64{unitOf(1, 'x')}},
		{fmt.Sprintf(`"input":%q`, strings.Repeat("q", 100)), 101, [][2]float64{unitOf(1, letterQ(100)...)}}, // more than a step taps
	} {
		var r embeddingReply
		reply := h.post("/v1/embeddings", "{"+c.fields+"}")
		reply.into(&r)
		if len(r.Data) != len(c.want) || r.Object != "list" || r.Model != "first" || r.Fingerprint != "fp_echo" || r.Usage.Prompt != c.tokens || r.Usage.Total != c.tokens || string(reply.header.Peek(numericsHeader)) != "fp_echo" {
			t.Errorf("%s: %+v", c.fields, r)
			continue
		}
		for i, d := range r.Data {
			got := vectorOf(t, d.Embedding)
			if d.Index != i || d.Object != "embedding" || math.Hypot(got[0]-c.want[i][0], got[1]-c.want[i][1]) > 1e-6 {
				t.Errorf("%s: vector %d is %v, want %v", c.fields, i, got, c.want[i])
			}
		}
	}
}

func letterQ(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = 'q'
	}
	return list
}

func TestEmbeddingsAreRefused(t *testing.T) {
	h := newBench(t, letters)
	for fields, want := range map[string]struct {
		status int
		param  string
	}{
		`"input":""`:                           {400, "input"},
		`"input":["x",""]`:                     {400, "input[1]"},
		`"input":[]`:                           {400, "input"},
		`"input":[[]]`:                         {400, "input"},
		`"input":3`:                            {400, "input"},
		`"input":[[99999]]`:                    {400, "input"},
		`"model":"first"`:                      {400, "input"},
		`"input":"x","encoding_format":"int8"`: {400, "encoding_format"},
		`"input":"x","dimensions":3`:           {400, "dimensions"},
		`"input":"x","model":"none"`:           {404, "model"},
		`"prompt":"x","input":"x"`:             {400, "prompt"},
		`"input":"` + strings.Repeat("x", benchContext) + `"`:     {400, "input"},
		`"input":"` + strings.Repeat("x", 100*benchContext) + `"`: {400, "input"},
		`"input":["` + strings.Repeat(`x","`, benchQueue) + `x"]`: {400, "input"},
	} {
		r := h.post("/v1/embeddings", "{"+fields+"}")
		if p := r.problem(); r.status != want.status || p.Param != want.param {
			t.Errorf("%.60s: %d, %+v; want %d, %s", fields, r.status, p, want.status, want.param)
		}
	}
	if r := h.do("GET", "/v1/embeddings", ""); r.status != 405 {
		t.Errorf("GET: %d", r.status)
	}
}

// A model that tells no states says so, and whoever measures by them goes without.
func TestNoEmbeddings(t *testing.T) {
	h := newBench(t, letters)
	in := &echoInstance{next: letters, limits: h.instance.limits}
	in.limits.TapWidth, in.limits.MaxTaps = 0, 0
	in.pages = make([][engine.PageTokens]int32, in.limits.Groups[0].Pages)
	lane, err := scheduler.NewLoop(scheduler.LoopConfig{}).Add(in, scheduler.Config{StepTokens: 48, QueueLength: benchQueue})
	if err != nil {
		t.Fatal(err)
	}
	h.model.Engine, h.model.StateWidth = lane, 0
	if r := h.post("/v1/embeddings", `{"input":"x"}`); r.status != 501 || r.problem().Code != "no_states" {
		t.Errorf("%d, %s", r.status, r.body)
	}
	if _, _, err := h.model.Embed(t.Context(), "x"); !errors.Is(err, scheduler.ErrNoStates) {
		t.Errorf("%v", err)
	}
}

// Requests for states count as others do: told once, with whose they were, what computed them and how many tokens that was; what was refused as well.
func TestEmbeddingsCount(t *testing.T) {
	h, e := newWatched(t)
	h.Tenant = func(Peer, string) string { return "staff" }
	l := h.listen()
	var ended []Ended
	h.model.Ended = func(e Ended) { ended = append(ended, e) }
	r := h.do("POST", "/v1/embeddings", `{"input":["x","yz"]}`, classHeader, "batch")
	got := l.only(t)
	if r.status != 200 || got.Model != "first" || got.Tenant != "staff" || got.Class != scheduler.Batch || got.Status != 200 || got.PromptTokens != 5 || got.Tokens != 0 || got.Queued <= 0 || got.TTFT != 0 {
		t.Errorf("%d: %+v", r.status, got)
	}
	if w := got.Work; w == nil || w.ID != (AnswerID{}) || w.Drawn != nil || w.Tier != "tier_echo" || w.Numerics != "fp_echo" || len(w.Requests) != 2 || len(w.Answers) != 0 {
		t.Errorf("%+v", w)
	}
	if len(ended) != 2 || ended[1].Err != nil || ended[1].Refused != nil || len(ended[1].Request.Prompt) != 3 || !ended[1].Request.Pool || ended[1].Answer != 0 || ended[1].Arrived.IsZero() {
		t.Errorf("%+v", ended)
	}
	for _, body := range []string{`{"input":""}`, `{"input":"x","model":"nowhere"}`} {
		if r := h.post("/v1/embeddings", body); r.status < 400 || len(l.told) > 0 {
			t.Errorf("%s: %d, told %+v", body, r.status, l.told)
		}
	}
	ended = nil
	e.submit = &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	h.post("/v1/embeddings", `{"input":"x"}`)
	if got := l.only(t); got.Status != 429 || got.Work != nil || got.PromptTokens != 2 || len(ended) != 1 || ended[0].Refused != e.submit {
		t.Errorf("refused: %+v, %+v", got, ended)
	}
	e.submit = nil
	h.instance.fail = func(int) error { return errors.New("broken") }
	h.post("/v1/embeddings", `{"input":"x"}`)
	if got := l.only(t); got.Status != 500 || got.Model != "first" {
		t.Errorf("failed: %+v", got)
	}
}

// Vectors count from before they are computed until the answer is written. More than there may ever be are refused before a text is read, with the field's name.
func TestVectorsAreBounded(t *testing.T) {
	h := newBench(t, letters)
	wide := int(mostVectorBytes / numberBytes["float"] / 2)
	h.model.StateWidth = wide
	steps := func() int { h.instance.mu.Lock(); defer h.instance.mu.Unlock(); return h.instance.steps }
	r := h.post("/v1/embeddings", `{"input":["x","y","z"]}`)
	if p := r.problem(); r.status != 400 || p.Param != "input" || !strings.Contains(p.Message, "base64") || steps() > 0 {
		t.Errorf("%d, %+v, %d steps", r.status, p, steps())
	}
	if r := h.post("/v1/embeddings", `{"input":["x","y","z"],"encoding_format":"base64"}`); r.status != 200 {
		t.Errorf("as base64: %d: %.200s", r.status, r.body)
	}
	if !h.budgets.vectors.TryAcquire(mostVectorBytes) {
		t.Fatal("vectors that were answered or refused still count")
	}
	if r := h.post("/v1/embeddings", `{"input":"x"}`); r.status != 429 || r.problem().Code != "too_many_vectors" || len(r.header.Peek("Retry-After")) == 0 {
		t.Errorf("beside others: %d: %s", r.status, r.body)
	}
	h.budgets.vectors.Release(mostVectorBytes)
	var written func(error)
	h.Server.Written = func(_ *fasthttp.RequestCtx, f func(error)) { written = f }
	h.post("/v1/embeddings", `{"input":["x","y"]}`)
	if h.budgets.vectors.TryAcquire(1) {
		t.Error("vectors on their way to a client do not count")
	}
	written(nil)
	if !h.budgets.vectors.TryAcquire(mostVectorBytes) {
		t.Error("vectors that were written still count")
	}
}

// An error about one text names it.
func TestEmbeddingErrorsNameTheText(t *testing.T) {
	h, e := newWatched(t)
	e.submit = &scheduler.RequestError{Request: 1, Err: &engine.TooLongError{Tokens: 9, MaxTokens: 8}}
	if r := h.post("/v1/embeddings", `{"input":["x","y","z"]}`); r.status != 400 || r.problem().Param != "input[1]" || r.problem().Code != codeTooLong {
		t.Errorf("%d: %s", r.status, r.body)
	}
	e.submit = &scheduler.RequestError{Err: &engine.TooLongError{Tokens: 9, MaxTokens: 8}}
	if r := h.post("/v1/embeddings", `{"input":"x"}`); r.problem().Param != "input" {
		t.Errorf("a single one: %s", r.body)
	}
	e.submit = &scheduler.RequestError{Request: 2, Err: &engine.BatchError{Field: "prompt", Reason: "bad"}}
	if r := h.post("/v1/embeddings", `{"input":["x","y","z"]}`); r.status != 400 || r.problem().Param != "input[2]" || r.problem().Code != "invalid_value" {
		t.Errorf("%d: %s", r.status, r.body)
	}
	e.submit = nil
	h.instance.spoilt = 'y'
	if r := h.post("/v1/embeddings", `{"input":["x","y","z"]}`); r.status != 500 || r.problem().Param != "input[1]" || r.problem().Code != "not_finite" || !strings.Contains(r.problem().Message, "states") {
		t.Errorf("%d: %s", r.status, r.body)
	}
	if r := h.post("/v1/embeddings", `{"input":["x","z"]}`); r.status != 200 {
		t.Errorf("others: %d", r.status)
	}
}

// An answer's vectors are of the same weights: what others have computed before they were replaced is computed again.
func TestVectorsOfTheSameWeights(t *testing.T) {
	h := newBench(t, letters)
	in := &echoInstance{next: letters, gate: h.instance.gate, limits: h.instance.limits, digest: "other"}
	in.pages = make([][engine.PageTokens]int32, in.limits.Groups[0].Pages)
	loop := scheduler.NewLoop(scheduler.LoopConfig{})
	lane, err := loop.Add(in, scheduler.Config{StepTokens: 48, QueueLength: benchQueue})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	h.model.Numerics = func(weights string) string { return "fp_" + cmp.Or(weights, "other") }
	var groups []int
	h.model.Engine = engineFunc(func(ctx context.Context, r []scheduler.Request) (all []*scheduler.Sequence, err error) {
		for i := range r {
			by := lane
			if len(groups) == 0 && i == 1 { // of the first, which is computed by the weights before
				by = h.scheduler
			}
			one, err := by.SubmitGroup(ctx, r[i:i+1])
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		groups = append(groups, len(r))
		return all, nil
	})
	var a embeddingReply
	h.post("/v1/embeddings", `{"input":["x","yz","z"]}`).into(&a)
	if a.Fingerprint != "fp_other" || !slices.Equal(groups, []int{3, 1}) || a.Usage.Prompt != 7 {
		t.Errorf("%s, groups of %v, %d tokens", a.Fingerprint, groups, a.Usage.Prompt)
	}
	for i, want := range [][2]float64{unitOf(1, 'x'), unitOf(1, 'y', 'z'), unitOf(1, 'z')} {
		if got := vectorOf(t, a.Data[i].Embedding); math.Hypot(got[0]-want[0], got[1]-want[1]) > 1e-6 {
			t.Errorf("vector %d is %v, want %v", i, got, want)
		}
	}
	h.model.Numerics = func(weights string) string { return "fp_" + cmp.Or(weights, "newer") }
	groups = nil
	h.model.Engine = engineFunc(func(ctx context.Context, r []scheduler.Request) ([]*scheduler.Sequence, error) {
		groups = append(groups, len(r))
		one, err := lane.SubmitGroup(ctx, r[:1])
		rest, again := h.scheduler.SubmitGroup(ctx, r[1:])
		return append(one, rest...), errors.Join(err, again)
	})
	if r := h.post("/v1/embeddings", `{"input":["x","yz","z"]}`); r.status != 503 || r.problem().Code != "weights_changed" || len(groups) != mostRounds {
		t.Errorf("again and again: %d: %s, groups of %v", r.status, r.body, groups)
	}
}
