package api

import (
	"github.com/go-json-experiment/json"
)

// streamedCompletion joins the chunks of a stream with one choice.
func (h *bench) streamedCompletion(body string) (c completionChoice) {
	h.t.Helper()
	events := h.post("/v1/completions", body).events()
	if events[len(events)-1] != "[DONE]" {
		h.t.Fatalf("the stream ends with %s", events[len(events)-1])
	}
	l := newLogprobs()
	for _, event := range events[:len(events)-1] {
		var chunk struct {
			Choices []completionChoice `json:"choices"`
		}
		if err := json.Unmarshal([]byte(event), &chunk); err != nil {
			h.t.Fatal(err)
		}
		for _, part := range chunk.Choices {
			c.Text += part.Text
			if p := part.Logprobs; p != nil {
				l.Tokens = append(l.Tokens, p.Tokens...)
				l.TokenLogprobs = append(l.TokenLogprobs, p.TokenLogprobs...)
				l.TopLogprobs = append(l.TopLogprobs, p.TopLogprobs...)
				l.TextOffset = append(l.TextOffset, p.TextOffset...)
			}
			if part.FinishReason != nil {
				c.FinishReason = part.FinishReason
			}
		}
	}
	c.Logprobs = l
	return c
}
