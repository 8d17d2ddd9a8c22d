package api

import (
	"fmt"
	"strings"
	"testing"

	"chimera/engine"
)

// Logits that are no numbers are the server's fault, and the answer says so: never an empty text.
func TestNotFiniteIsAnError(t *testing.T) {
	h := toHTTP(fmt.Errorf("decoding: %w", &engine.NotFiniteError{Position: 7}))
	if h.Status != 500 || h.Code != "not_finite" || h.Type != "server_error" || !strings.Contains(h.Message, "NaN or infinite at position 7") || h.Cause == nil {
		t.Errorf("%+v", h)
	}
}

// What no step could compute is the request's fault, and nobody else's; what broke a step is the server's.
func TestWhatNoStepComputesIsRefused(t *testing.T) {
	h := newBench(t, letters)
	h.model.MaxLogprobs = 30 // more than the instance was loaded for
	body := `{"messages":[{"role":"user","content":"a"}],"max_tokens":1,"logprobs":true,"top_logprobs":`
	r := h.post(chatPath, body+"25}")
	if p := r.problem(); r.status != 400 || p.Code != "invalid_value" || !strings.Contains(p.Message, "25 top tokens") {
		t.Errorf("status %d, %+v", r.status, p)
	}
	if r := h.post(chatPath, body+"20}"); r.status != 200 {
		t.Errorf("the next: status %d", r.status)
	}
	j := &job{}
	if h := toHTTP(j.refused(fmt.Errorf("step refused: %w", &engine.BatchError{Field: "pages", Reason: "x"}))); h.Status != 500 {
		t.Errorf("a step that was refused: status %d", h.Status)
	}
}
