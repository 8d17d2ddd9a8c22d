package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"chimera/api"
	"chimera/scheduler"
	"chimera/scheduler/trace"
)

// This file owns the test of what a trace says of a request.

func TestTraced(t *testing.T) {
	q := scheduler.Request{Prompt: make([]int32, 5), MaxTokens: 90}
	busy := &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	for _, c := range []struct {
		name           string
		ended          api.Ended
		end            trace.End
		answer, tokens int
	}{
		{"whole", api.Ended{Request: q, Answer: 7}, trace.Done, 7, 0},
		{"the client went", api.Ended{Request: q, Answer: 7, Err: context.Canceled}, trace.Cancelled, 7, 0},
		{"the instance broke", api.Ended{Request: q, Answer: 7, Err: errors.New("poisoned")}, trace.Failed, 7, 0},
		{"refused with its tokens", api.Ended{Request: q, Answer: 90, Refused: busy}, trace.Refused, 90, 0},
		{"sent away from the queue", api.Ended{Request: q, Err: scheduler.ErrDeadline}, trace.Refused, 90, 0},
		{"refused before it had tokens", api.Ended{Ask: &scheduler.Ask{PromptBytes: 4 * 60, PromptTokens: 20, Prompts: 2, Answers: 8}, Answer: 30, Refused: busy}, trace.Refused, 30, 40},
	} {
		if got := traced(c.ended); got.End != c.end || got.Answer != c.answer || got.Tokens != c.tokens {
			t.Errorf("%s: %q, answer %d, tokens %d; want %q, %d, %d", c.name, got.End, got.Answer, got.Tokens, c.end, c.answer, c.tokens)
		}
	}
}
