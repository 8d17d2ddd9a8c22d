package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns tests of a request's hold on its model, and of GET /v1/status.

// heldOnes is a registry that notes what is held.
type heldOnes struct {
	names
	mu       sync.Mutex
	holds    int
	asked    []string
	waits    []Wait
	err      error
	context  context.Context // of what is held; nil: the request's
	released chan struct{}   // (100)
}

func (n *heldOnes) Hold(ctx context.Context, name string, w Wait) (Held, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked, n.waits = append(n.asked, name), append(n.waits, w)
	if n.err != nil {
		return Held{}, n.err
	}
	n.holds++
	if n.context != nil {
		ctx = n.context
	}
	return Held{n.loaded, ctx, sync.OnceFunc(func() {
		n.mu.Lock()
		n.holds--
		n.mu.Unlock()
		n.released <- struct{}{}
	})}, nil
}

func (n *heldOnes) held() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holds
}

func newHolding(t *testing.T) (*bench, *heldOnes) {
	h := newBench(t, letters)
	n := &heldOnes{names: names{[]string{"first", "second"}, h.model}, released: make(chan struct{}, 100)}
	h.Registry = n
	return h, n
}

// A request holds the model that its body names until its answer has been written, whatever becomes of it; once only.
func TestRequestsHoldTheirModel(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		asks       string
	}{
		"whole":            {textPath, `{"prompt":"x","model":"first"}`, "first"},
		"a stream":         {chatPath, `{"model":"fi\u0072st","stream":true,` + soundBodies[chatPath] + `}`, "first"},
		"no name":          {textPath, `{"prompt":[1,[2]],"x":{"model":"second"},"model":null}`, ""},
		"the first counts": {"/tokenize", `{"content":"x"}`, ""},
		"wrong behind it":  {textPath, `{"model":"second","prompt":`, "second"},
		"refused":          {textPath, `{"model":"second","prompt":"x","n":0}`, "second"},
		"too long":         {textPath, `{"prompt":"x","max_tokens":9999999}`, ""},
		"rendered":         {"/apply-template", "{" + soundBodies[chatPath] + "}", ""},
		"decoded":          {"/detokenize", `{"tokens":[1]}`, ""},
	} {
		h, n := newHolding(t)
		h.post(c.path, c.body)
		<-n.released
		if len(n.asked) != 1 || n.asked[0] != c.asks || n.held() != 0 || len(n.released) != 0 || n.waits[0].Bytes != len(c.body) || n.waits[0].Patience != loadingPatience {
			t.Errorf("%s: asked %q, %+v, %d held, %d released again", name, n.asked, n.waits, n.held(), len(n.released))
		}
	}
	h, n := newHolding(t)
	for _, body := range []string{`[{"model":"first"}]`, `"model"`, `{"a":`, `{"model"`, ``, `{"a":1,}`} {
		if r := h.post(textPath, body); r.status != 400 || len(n.asked) > 0 {
			t.Errorf("%q: status %d, asked %q", body, r.status, n.asked)
		}
	}
	h.do("POST", textPath, `{"prompt":"x"}`, deadlineHeader, "20")
	if n.waits[0].Patience != 20*time.Millisecond {
		t.Errorf("a deadline: %+v", n.waits)
	}
}

// While an answer is computed and streamed, its model is held; a panic lets go of it.
func TestStreamsHoldTheirModel(t *testing.T) {
	h, n := newHolding(t)
	release := h.gateOpen(3, func() {
		if h.until(h.streaming.Load); n.held() != 1 {
			t.Errorf("%d are held while it streams", n.held())
		}
	})
	h.post(textPath, `{"prompt":"x","max_tokens":200,"stream":true}`)
	release()
	<-n.released
	if n.held() != 0 {
		t.Error("it is held when all was written")
	}
	h, n = newHolding(t)
	h.Registry = n
	h.answer(func([]int32) int32 {
		if n.held() != 1 {
			t.Error("it is not held while it computes")
		}
		return eos
	})
	h.post(textPath, `{"prompt":"x"}`)
	<-n.released
	h.model.Tokenizer = nil // which nobody expects
	r := h.post(textPath, `{"prompt":"x"}`)
	if <-n.released; r.status != 500 || n.held() != 0 {
		t.Errorf("a panic: status %d, %d held", r.status, n.held())
	}
}

// What is said to who waits in vain.
func TestNoHold(t *testing.T) {
	for _, c := range []struct {
		err         error
		status      int
		code, retry string
		says        string
	}{
		{Loading("m", 42, 3*time.Second), 503, "loading", "3", "42 %"}, {TooManyWait("m", 2*time.Second), 429, "queue_full", "2", "too many"},
		{Failed("m", errors.New("cut short"), 2*time.Second), 500, "model_failed", "", "cut short; it is loaded anew for a request in 2 s"},
		{NoRoom("m", errors.New("9 GiB"), time.Minute), 503, "no_room", "60", "9 GiB"}, {Unloaded("m"), 503, "model_unloaded", "1", "unloaded"},
		{scheduler.ErrDraining, 503, "shutting_down", "1", ""}, {ErrNoModel, 404, "model_not_found", "", "known are first, second"},
		{context.Canceled, 499, "", "", ""},
	} {
		h, n := newHolding(t)
		n.err = c.err
		for _, body := range []string{`{"prompt":"x"}`, `{"prompt":"x","stream":true}`} {
			r := h.post(textPath, body)
			if p := r.problem(); r.status != c.status || p.Code != c.code || string(r.header.Peek("Retry-After")) != c.retry || !strings.Contains(p.Message, c.says) {
				t.Errorf("%v: status %d, retry %q: %s", c.err, r.status, r.header.Peek("Retry-After"), r.body)
			}
		}
	}
}

// A model that goes ends its requests, and says so.
func TestModelGoesUnderARequest(t *testing.T) {
	for _, stream := range []bool{false, true} {
		h, n := newHolding(t)
		ctx, end := context.WithCancelCause(t.Context())
		n.context = ctx
		h.answer(func([]int32) int32 { return 'a' })
		release := h.gateOpen(3, func() {
			h.until(func() bool { return !stream || h.streaming.Load() })
			end(Unloaded("first"))
		})
		r := h.post(textPath, fmt.Sprintf(`{"prompt":"x","max_tokens":250,"stream":%t}`, stream))
		release()
		h.wantCut(r, stream, 503, "model_unloaded")
	}
}

func TestReadiness(t *testing.T) {
	for err, want := range map[error]string{
		nil: "200 ", Loading("m", 42, 0): "503 loading", scheduler.ErrDraining: "503 shutting_down", errors.New("it hangs"): "503 not_ready",
		fmt.Errorf("model m: %w", engine.ErrPoisoned): "503 not_ready",
	} {
		h := newBench(t, letters)
		h.ready = func(context.Context) error { return err }
		r, code := h.do("GET", "/health/ready", ""), ""
		if r.status != 200 {
			code = r.problem().Code
		}
		if got := fmt.Sprint(r.status, " ", code); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
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
		Tier           string `json:"tier"`
		Threads        int    `json:"threads"`
		ThreadsBoundBy string `json:"threads_bound_by"`
	} `json:"model"`
	Requests map[string]any   `json:"requests"`
	Tokens   map[string]int   `json:"tokens"`
	Pages    map[string]int   `json:"kv_pages"`
	Memory   []map[string]any `json:"memory"`
	GPUs     []map[string]any `json:"gpus"`
	Busy     map[string]any   `json:"utilisation"`
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
	h.Utilisation = func() *Utilisation { return &Utilisation{Cores: 3} }
	h.complete(`"prompt":[120,121],"max_tokens":4,"ignore_eos":true`)
	h.until(func() bool { return h.scheduler.Snapshot().Running == 0 })
	s := h.status()
	if s.Busy != nil {
		t.Errorf("who is no administrator sees how busy all were: %v", s.Busy)
	}
	h.Peer = func(*fasthttp.RequestCtx) Peer { return Peer{Unix: true, Administers: true} }
	if own := h.status(); own.Busy["cores"] != 3.0 {
		t.Errorf("%v", own.Busy)
	}
	if s.State != "serving" || s.Percent != nil || s.Uptime == nil || len(s.Models) != 2 || !s.Models[0].Loaded || s.Models[1].Loaded {
		t.Errorf("%+v", s)
	}
	if m := s.Model; m == nil || m.ID != "first" || m.NumericsID != "fp_test" || m.MaxContext != benchContext || m.Backend != "cpu" || m.KVType != "f16" || m.Tier != "tier_test" ||
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
	h.State = func() error { return Loading("second", 25, 0) }
	h.Registry = onTheirWay{h.Registry.(names), 25}
	if s := h.status(); s.State != "loading" || s.Percent == nil || *s.Percent != 25 {
		t.Errorf("loading: %+v", s)
	}
}

// onTheirWay are models that are all loading.
type onTheirWay struct {
	names
	percent int
}

func (n onTheirWay) States() (list []ModelState) {
	for i, s := range n.names.States() {
		s.State, s.Percent = StateLoading, new(n.percent+10*i)
		list = append(list, s)
	}
	return list
}

// The state is a word for why the server does not serve.
func TestState(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "serving"}, {Loading("m", 1, 0), "loading"}, {scheduler.ErrDraining, "draining"},
		{fmt.Errorf("the loop: %w", engine.ErrPoisoned), "failed"}, {NoRoom("m", engine.ErrPoisoned, 0), "failed"},
	} {
		h := newBench(t, letters)
		h.State = func() error { return c.err }
		if got := h.status().State; got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
	if got := newBench(t, letters).status().State; got != "serving" {
		t.Errorf("nobody knows: %s", got)
	}
}
