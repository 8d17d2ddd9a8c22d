package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"chimera/scheduler"
)

// This file owns tests of what the daemon asks itself: whoever counts clients can tell it from theirs.

func TestAskingIsOwn(t *testing.T) {
	h, e := newWatched(t)
	turns := []Turn{{"user", "a"}}
	for name, ask := range map[string]func() error{
		"a conversation": func() error { _, err := h.model.Ask(t.Context(), turns, 3); return err },
		"once more": func() error {
			_, err := h.model.Again(t.Context(), scheduler.Request{Prompt: []int32{bos, 'a'}, MaxTokens: 2, Sampling: scheduler.Sampling{Repetition: 1, TopP: 1}})
			return err
		},
		"going on": func() error { _, err := h.model.Continue(t.Context(), []int32{bos, 'a'}, 2, ""); return err },
		"reading":  func() error { _, err := h.model.Reads(t.Context(), []int32{bos, 'a'}, []int32{'b'}); return err },
		"a state":  func() error { _, _, err := h.model.Embed(t.Context(), "a"); return err },
	} {
		e.requests = nil
		if err := ask(); err != nil || len(e.requests) != 1 || !e.requests[0].Own || e.requests[0].Class != scheduler.Background {
			t.Errorf("%s: %v, %+v", name, err, e.requests)
		}
	}
	for path, body := range map[string]string{textPath: `{"prompt":"a"}`, chatPath: `{"messages":[{"role":"user","content":"a"}]}`, "/v1/embeddings": `{"input":"a"}`} {
		e.requests = nil
		if r := h.do("POST", path, body, classHeader, "background"); r.status != 200 || len(e.requests) != 1 || e.requests[0].Own {
			t.Errorf("%s: %d, %+v", path, r.status, e.requests)
		}
	}
}

// What was stopped is no answer, and no state: whoever asked hears of it.
func TestWhatIsCutOffIsAnError(t *testing.T) {
	h := newBench(t, letters)
	for name, ask := range map[string]func() error{
		"its own": func() error { _, _, err := h.model.Embed(t.Context(), "a"); return err },
		"a client's": func() error {
			if r := h.post("/v1/embeddings", `{"input":["a","b"]}`); r.status != StatusClientGone {
				return fmt.Errorf("%d: %s", r.status, r.body)
			}
			return context.Canceled
		},
	} {
		h.model.Engine = h.scheduler
		release := h.held(1, "{"+soundBodies[textPath]+"}") // a step is under way, so that the next is planned when all is stopped
		h.model.Engine = engineFunc(func(ctx context.Context, r []scheduler.Request) ([]*scheduler.Sequence, error) {
			all, err := h.scheduler.SubmitGroup(ctx, r)
			for _, seq := range all {
				seq.Stop()
			}
			release()
			return all, err
		})
		if err := ask(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is the daemon's own is shown apart.
func TestOwnRequestsAreShown(t *testing.T) {
	h := newBench(t, letters)
	h.Server.Metrics = NewMetrics(func() []LaneState {
		s := scheduler.Snapshot{Running: 1, Waiting: 2, Own: scheduler.OwnRequests{Running: 3, Waiting: 4}}
		return []LaneState{{"first", s}, {"second", s}}
	})
	var a struct {
		Requests struct {
			Running int         `json:"running"`
			Waiting int         `json:"waiting"`
			Own     OwnRequests `json:"own"`
		} `json:"requests"`
	}
	h.do("GET", "/v1/status", "").into(&a)
	if a.Requests.Running != 2 || a.Requests.Waiting != 4 || a.Requests.Own != (OwnRequests{6, 8}) {
		t.Errorf("%+v", a)
	}
	text := string(h.do("GET", "/metrics", "").body)
	for _, line := range []string{`chimera_requests_running{model="first"} 1`, `chimera_requests_waiting{model="first"} 2`, `chimera_own_requests_running{model="first"} 3`, `chimera_own_requests_waiting{model="second"} 4`} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}
