package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"chimera/api"
	"chimera/config"
	"chimera/store"
)

// This file owns the test that requests for states count as others do.

// Embeddings are in the windows and costs of who asked, by model, tier and class, with their texts' tokens; they have no receipt, and are in no sample.
func TestEmbeddingsAreAccounted(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Objectives, c.Quality.ControlShare = config.Objectives{QPS: 1000}, 1 })
	r.closeWindow(time.Now())
	before := len(r.costs())
	r.class = "batch"
	for range 3 {
		r.must("POST", "/v1/embeddings", dayKey, map[string]any{"input": [][]int{{1, 2, 3, 1}, {3, 1, 2}}}, nil) // the second has what begins each text put before it
	}
	var requests, tokens, rows int64
	var seconds float64
	for end := time.Now().Add(10 * time.Second); requests < 3 && time.Now().Before(end); time.Sleep(time.Millisecond) { // an answer counts a moment after it was written
		r.closeWindow(time.Now())
		requests, tokens, seconds, rows = 0, 0, 0, 0
		for _, c := range r.costs()[before:] {
			if c.Model == "m" && c.Tier == api.SourceTier && c.Class == "batch" && c.Tenant == r.history.store.Tenant("day") {
				requests, tokens, seconds, rows = requests+c.Requests, tokens+c.PromptTokens, seconds+c.CoreSeconds, rows+1
			} else if c.Class != "" && c.Class != "interactive" {
				t.Errorf("nobody asked for %+v", c)
			}
		}
	}
	if requests != 3 || tokens != 24 || rows == 0 || seconds < 0 {
		t.Errorf("%d requests with %d tokens and %v core-seconds in %d rows", requests, tokens, seconds, rows)
	}
	requests, tokens = 0, 0
	for w, err := range r.history.store.Windows(context.Background(), store.Span{}) {
		if err != nil {
			t.Fatal(err)
		}
		if w.Model != "m" || w.Class != "batch" || w.Tenant != r.history.store.Tenant("day") || w.AnswerTokens != 0 || !(w.Queue.P50 > 0) {
			t.Errorf("%+v", w)
		}
		requests, tokens = requests+w.Requests, tokens+w.PromptTokens
	}
	if requests != 3 || tokens != 24 {
		t.Errorf("windows have %d requests with %d tokens", requests, tokens)
	}
	for receipt, err := range r.history.store.Receipts(context.Background(), store.Span{}) {
		t.Errorf("a receipt: %+v, %v", receipt, err)
	}
	if n, _ := r.models.live.memory.Waiting(); n != 0 {
		t.Errorf("%d samples", n)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	if !strings.Contains(string(text), `chimera_core_seconds_total{class="batch",model="m",tenant="day",tier="source"}`) {
		t.Error("the metric has no such series")
	}
}
