package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns tests of what is answered while the model loads, and of GET /v1/status.

func TestLoadingPercent(t *testing.T) {
	l := NewLoading()
	for _, c := range []struct {
		done, total int64
		want        int
	}{{0, 0, 0}, {0, 10, 0}, {1, 3, 33}, {999, 1000, 99}, {5, 5, 100}, {1 << 62, 1 << 62, 100}} {
		if l.Progress(c.done, c.total); l.Percent() != c.want {
			t.Errorf("%d of %d: %d %%, want %d", c.done, c.total, l.Percent(), c.want)
		}
	}
}

// Health says how far the load is, the process lives, and a request that has waited its time is told to come back.
func TestLoadingIsSaid(t *testing.T) {
	h := newBench(t, letters)
	h.Loading = NewLoading()
	h.Loading.patience = time.Millisecond
	h.Loading.Progress(42, 100)
	for _, ask := range []func() reply{
		func() reply { return h.do("GET", "/health/ready", "") },
		func() reply { return h.post(textPath, "{"+soundBodies[textPath]+"}") },
		func() reply { return h.post(chatPath, "{"+soundBodies[chatPath]+`,"stream":true}`) },
		func() reply { return h.post("/tokenize", `{"content":"x"}`) },
	} {
		r := ask()
		if p := r.problem(); r.status != 503 || p.Code != "loading" || !strings.Contains(p.Message, "42 %") || len(r.header.Peek("Retry-After")) == 0 {
			t.Errorf("status %d: %s", r.status, r.body)
		}
	}
	if r := h.do("GET", "/health/live", ""); r.status != 200 {
		t.Errorf("live: status %d", r.status)
	}
	h.Loading.End(nil)
	if r := h.do("GET", "/health/ready", ""); r.status != 200 {
		t.Errorf("loaded: status %d: %s", r.status, r.body)
	}
	if r := h.post(textPath, "{"+soundBodies[textPath]+"}"); r.status != 200 {
		t.Errorf("loaded: status %d: %s", r.status, r.body)
	}
}

// A request waits for a model that comes, and for nothing when the client or the server goes.
func TestRequestsWaitForTheModel(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(l *Loading, hangUp context.CancelFunc)
		status int
	}{
		"it comes":         {func(l *Loading, _ context.CancelFunc) { l.End(nil) }, 200},
		"the client goes":  {func(_ *Loading, hangUp context.CancelFunc) { hangUp() }, 499},
		"the server stops": {func(l *Loading, _ context.CancelFunc) { l.End(scheduler.ErrDraining) }, 503},
	} {
		h := newBench(t, letters)
		h.Loading = NewLoading()
		ctx, hangUp := context.WithCancel(t.Context())
		h.client = ctx
		answered := make(chan reply, 1)
		go func() { answered <- h.post(textPath, "{"+soundBodies[textPath]+"}") }()
		select {
		case r := <-answered:
			t.Errorf("%s: did not wait: %d %s", name, r.status, r.body)
		case <-time.After(50 * time.Millisecond):
		}
		c.end(h.Loading, hangUp)
		select {
		case r := <-answered:
			if r.status != c.status || r.status == 503 && r.problem().Code != "shutting_down" {
				t.Errorf("%s: status %d: %s", name, r.status, r.body)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: no answer", name)
		}
		hangUp()
	}
}

// status is what GET /v1/status says, as a client reads it.
type status struct {
	State   string   `json:"state"`
	Percent *int     `json:"loading_percent"`
	Uptime  *float64 `json:"uptime_seconds"`
	Models  []struct {
		ID     string `json:"id"`
		Loaded bool   `json:"loaded"`
	} `json:"models"`
	Model *struct {
		ID             string `json:"id"`
		NumericsID     string `json:"numerics_id"`
		MaxContext     int    `json:"max_model_len"`
		Backend        string `json:"backend"`
		KVType         string `json:"kv_type"`
		Threads        int    `json:"threads"`
		ThreadsBoundBy string `json:"threads_bound_by"`
	} `json:"model"`
	Requests map[string]any   `json:"requests"`
	Tokens   map[string]int   `json:"tokens"`
	Pages    map[string]int   `json:"kv_pages"`
	Memory   []map[string]any `json:"memory"`
	GPUs     []map[string]any `json:"gpus"`
}

func (h *bench) status() (s status) {
	h.t.Helper()
	h.do("GET", "/v1/status", "").into(&s)
	return s
}

func TestStatus(t *testing.T) {
	h := newBench(t, letters)
	h.model.Compute = Compute{Backend: "cpu", KVType: "f16", Threads: 3, ThreadsBoundBy: "the control group's CPU quota"}
	h.Memory = func() []MemoryUse { return []MemoryUse{{Purpose: "weights", Mapped: 7, Locked: 5}} }
	h.GPUs = cards{twoCards()}
	h.complete(`"prompt":[120,121],"max_tokens":4,"ignore_eos":true`)
	h.until(func() bool { return h.scheduler.Snapshot().Running == 0 })
	s := h.status()
	if s.State != "serving" || s.Percent != nil || s.Uptime == nil || len(s.Models) != 2 || !s.Models[0].Loaded || s.Models[1].Loaded {
		t.Errorf("%+v", s)
	}
	if m := s.Model; m == nil || m.ID != "first" || m.NumericsID != "fp_test" || m.MaxContext != benchContext || m.Backend != "cpu" || m.KVType != "f16" ||
		m.Threads != 3 || m.ThreadsBoundBy != "the control group's CPU quota" {
		t.Errorf("model: %+v", s.Model)
	}
	if s.Tokens["prefill"] != 2 || s.Tokens["decode"] != 3 || s.Tokens["cached"] != 0 || s.Pages["total"] != 8*benchContext/16 || s.Pages["used"] != 0 {
		t.Errorf("tokens %v, pages %v", s.Tokens, s.Pages)
	}
	if len(s.Memory) != 1 || s.Memory[0]["purpose"] != "weights" || s.Memory[0]["mapped_bytes"] != 7.0 || s.Memory[0]["locked_bytes"] != 5.0 {
		t.Errorf("memory: %v", s.Memory)
	}
	if len(s.GPUs) != 2 || s.GPUs[0]["bus"] != "0000:17:00.0" || s.GPUs[0]["verdict"] == nil {
		t.Errorf("GPUs: %v", s.GPUs)
	}
	release := h.held(3, "{"+soundBodies[textPath]+"}")
	if r := h.status().Requests; r["running"] != 1.0 || r["waiting"] != 3.0 {
		t.Errorf("requests: %v", r)
	}
	release()
	h.scheduler.Govern(scheduler.Governance{MaxRunning: 2, Reason: "hot"})
	if r := h.status().Requests; r["admission_limit"] != 2.0 || r["admission_reason"] != "hot" {
		t.Errorf("cut: %v", r)
	}
	h.Loading = NewLoading()
	h.Loading.Progress(1, 4)
	if s := h.status(); s.State != "loading" || s.Percent == nil || *s.Percent != 25 {
		t.Errorf("loading: %+v", s)
	}
}

// The state is a word for what the loop and the load say.
func TestState(t *testing.T) {
	loading, stopped, loaded := NewLoading(), NewLoading(), NewLoading()
	stopped.End(scheduler.ErrDraining)
	loaded.End(nil)
	for _, c := range []struct {
		loading *Loading
		refusal error
		want    string
	}{
		{nil, nil, "serving"},
		{loading, nil, "loading"},
		{nil, scheduler.ErrDraining, "draining"},
		{stopped, nil, "draining"},
		{loaded, nil, "serving"},
		{loaded, scheduler.ErrDraining, "draining"},
		{nil, fmt.Errorf("the loop: %w", engine.ErrPoisoned), "failed"},
	} {
		h := newBench(t, letters)
		h.Metrics = NewMetrics(func() scheduler.Snapshot { return scheduler.Snapshot{Refusal: c.refusal} })
		h.Loading = c.loading
		if got := h.status().State; got != c.want {
			t.Errorf("loading %t, refusal %v: %s, want %s", c.loading != nil, c.refusal, got, c.want)
		}
	}
	h := newBench(t, letters)
	h.instance.fail = func(int) error { return engine.ErrPoisoned }
	h.post(textPath, "{"+soundBodies[textPath]+"}")
	<-h.ended
	if got := h.status().State; got != "failed" {
		t.Errorf("the loop has ended: %s", got)
	}
}
