package api

import (
	"errors"
	"sync"
	"testing"
	"time"

	"chimera/scheduler"
)

// This file owns the test of what is told of requests that have ended.

func TestEnded(t *testing.T) {
	h, e := newWatched(t)
	var mu sync.Mutex
	var told []Ended
	h.model.Ended = func(e Ended) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
	}
	busy := &scheduler.OverloadError{RetryAfter: time.Second, Err: scheduler.ErrQueueFull}
	ask := func(body string) []Ended {
		mu.Lock()
		told = nil
		mu.Unlock()
		h.post(textPath, body)
		mu.Lock()
		defer mu.Unlock()
		return told
	}
	for _, x := range ask(`{"prompt":"abc","max_tokens":5,"n":2,"ignore_eos":true}`) {
		if x.Answer != 5 || x.Err != nil || x.Refused != nil || len(x.Request.Prompt) == 0 || time.Since(x.Arrived) > time.Minute {
			t.Errorf("an answer of five tokens: %+v", x)
		}
	}
	if len(told) != 2 {
		t.Errorf("of two answers %d are told", len(told))
	}
	e.submit = busy
	if got := ask(`{"prompt":"abc","max_tokens":5}`); len(got) != 1 || !errors.Is(got[0].Refused, scheduler.ErrQueueFull) || got[0].Answer != 5 || got[0].Ask != nil {
		t.Errorf("refused with its tokens: %+v", got)
	}
	e.submit, e.precheck = nil, busy
	got := ask(`{"prompt":["abcdefgh","x"],"max_tokens":5}`)
	if len(got) != 2 || !errors.Is(got[0].Refused, scheduler.ErrQueueFull) || got[0].Ask == nil || got[0].Ask.PromptBytes != 9 || got[0].Request.Priority != scheduler.DefaultPriority || got[0].Ask.Prompts != 2 || got[0].Answer != 5 {
		t.Errorf("refused before it had tokens: %+v", got)
	}
	for body, want := range map[string][3]int{ // answers, prompts, tokens asked for
		`{"prompt":"abc","n":3}`: {3, 1, defaultMaxTokens}, `{"prompt":["a","b"],"n":2,"max_tokens":-1}`: {4, 2, h.model.MaxContext}, `{"prompt":"abc","min_tokens":20}`: {1, 1, 20},
	} {
		if got := ask(body); len(got) != want[0] || got[0].Ask.Prompts != want[1] || got[0].Answer != want[2] {
			t.Errorf("%s: %d are told, the first %+v; want %v", body, len(got), got[0], want)
		}
	}
}
