package api

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

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
	h.model.Engine = lane
	if r := h.post("/v1/embeddings", `{"input":"x"}`); r.status != 501 || r.problem().Code != "no_states" {
		t.Errorf("%d, %s", r.status, r.body)
	}
	if _, _, err := h.model.Embed(t.Context(), "x"); err != scheduler.ErrNoStates {
		t.Errorf("%v", err)
	}
}
