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
	if len(got) != 2 || !errors.Is(got[0].Refused, scheduler.ErrQueueFull) || got[0].Ask == nil || got[0].Ask.PromptBytes != 9 || got[0].Request.Priority != scheduler.DefaultPriority {
		t.Errorf("refused before it had tokens: %+v", got)
	}
}
