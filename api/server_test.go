package api

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"chimera/engine"
	"chimera/scheduler"
)

// This file owns tests of what stands before and around the endpoints: bodies, routes, refusals, health, metrics, hang-ups.

// Bodies that are no JSON object, or more than one.
func TestBadJSON(t *testing.T) {
	h := newBench(t, letters)
	mebibyte := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct{ body, words string }{
		"empty":             {``, "no body"},
		"blank":             {"  \n", "EOF"},
		"truncated":         {`{"prompt":"x"`, "EOF"},
		"truncated string":  {`{"prompt":"x`, "EOF"},
		"trailing garbage":  {`{"prompt":"x"} x`, "after top-level value"},
		"two values":        {`{"prompt":"x"}{}`, "after top-level value"},
		"no object":         {`[1]`, "must be a JSON object"},
		"string":            {`"x"`, "must be a JSON object"},
		"null":              {`null`, "must be a JSON object"},
		"null in blanks":    {" null\n", "must be a JSON object"},
		"form":              {`prompt=x&max_tokens=2`, "not valid JSON"},
		"single quotes":     {`{'prompt':'x'}`, "not valid JSON"},
		"NaN":               {`{"prompt":"x","temperature":NaN}`, "not valid JSON"},
		"Infinity":          {`{"prompt":"x","temperature":-Infinity}`, "not valid JSON"},
		"comment":           {`{"prompt":"x"/**/}`, "not valid JSON"},
		"duplicate":         {`{"prompt":"x","prompt":"y"}`, `duplicate object member name "prompt"`},
		"duplicate inside":  {`{"prompt":"x","metadata":{"a":1,"a":2}}`, `duplicate object member name "a"`},
		"duplicate, large":  {`{"` + mebibyte[:1<<19] + `":1,"` + mebibyte[:1<<19] + `":2}`, "duplicate object member"},
		"invalid UTF-8":     {"{\"prompt\":\"\xff\"}", "invalid UTF-8"},
		"invalid UTF-8 key": {"{\"\xc3\":1}", "invalid UTF-8"},
		"lone surrogate":    {`{"prompt":"\ud800"}`, "surrogate"},
		"reversed pair":     {`{"prompt":"\udc00\ud800"}`, "surrogate"},
		"bad escape":        {`{"prompt":"\x"}`, "escape"},
		"raw control":       {"{\"prompt\":\"a\nb\"}", "invalid character"},
		"zero byte":         {"{\"prompt\":\"a\"}\x00", "invalid character"},
		"leading zero":      {`{"prompt":"x","max_tokens":007}`, "not valid JSON"},
		"deep lists":        {strings.Repeat("[", 100000) + strings.Repeat("]", 100000), "nested too deeply"},
		"deep open lists":   {strings.Repeat("[", 100000), "nested too deeply"},
		"deep objects":      {strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000), "nested too deeply"},
		"deep field":        {`{"metadata":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "nested too deeply"},
		"many values":       {`{"metadata":[` + strings.Repeat("{},", 300000) + `{}]}`, "too many"},
		"many strings":      {`{"stop":[` + strings.Repeat(`"",`, 300000) + `""]}`, "too many"},
	} {
		for path := range soundBodies {
			r := h.post(path, c.body)
			if p := r.problem(); r.status != 400 || p.Code != "invalid_json" || !strings.Contains(p.Message, c.words) || len(r.body) > 2000 {
				t.Errorf("%s: %s: status %d, %d bytes, %+.300v; want %q", name, path, r.status, len(r.body), p, c.words)
			}
		}
	}
}

// Large but sound values.
func TestLargeValues(t *testing.T) {
	h := newBench(t, letters)
	mebibyte := strings.Repeat("x", 1<<20)
	h.refuse(textPath, `{"prompt":"`+mebibyte+`"}`, "prompt", "it has 1048576 bytes, which are more than 256 tokens")
	h.refuse(textPath, `{"prompt":[`+strings.Repeat("1,", 1<<19)+`1]}`, "prompt", "it has 524289 tokens")
	h.refuse(textPath, `{"prompt":[`+strings.Repeat("[],", 1024)+`[]]}`, "prompt", "1024")
	h.refuse(chatPath, `{"messages":[`+strings.Repeat("1,", 1<<19)+`1]}`, "messages", "4096")
	h.refuse(chatPath, `{"messages":[{"role":"user","content":"`+mebibyte+`"}]}`, "messages", "the context holds 256")
	h.refuse(textPath, `{"prompt":"x","temperature":1`+strings.Repeat("0", 1<<20)+`}`, "temperature", "a number")
	if r := h.post(textPath, `{"prompt":"x","max_tokens":1,"user":"`+mebibyte+`","metadata":{"n":1`+strings.Repeat("0", 1000)+`}}`); r.status != 200 {
		t.Errorf("a large field of no meaning: status %d: %.300s", r.status, r.body)
	}
	if r := h.post(textPath, `{"model":"`+mebibyte+`"}`); r.status != 404 || len(r.body) > 2000 || r.problem().Code != "model_not_found" {
		t.Errorf("a large model name: status %d: %.300s", r.status, r.body)
	}
	if r := h.post("/tokenize", `{"content":"`+mebibyte+`"}`); r.status != 200 {
		t.Errorf("tokenize: status %d: %.300s", r.status, r.body)
	}
}

// No body costs more than a fixed multiple of its bytes, however it is made.
func TestBodyMemory(t *testing.T) {
	h := newBench(t, letters)
	const bodyBytes, mostBytes = 1 << 20, 64 << 20
	for name, c := range map[string]struct{ path, before, unit, after string }{
		"numbers as messages": {chatPath, `{"messages":[`, `1,`, `1]}`},
		"numbers as kwargs":   {chatPath, `{"messages":[{"role":"user","content":"x"}],"chat_template_kwargs":{"a":[`, `1,`, `1]}}`},
		"empty parts":         {chatPath, `{"messages":[{"role":"user","content":[`, `{"type":"text","text":""},`, `{"type":"text","text":""}]}]}`},
		"empty messages":      {chatPath, `{"messages":[`, `{},`, `{}]}`},
		"nulls":               {chatPath, `{"messages":[`, `null,`, `null]}`},
		"empty prompts":       {textPath, `{"prompt":[`, `[],`, `[]]}`},
		"ids":                 {textPath, `{"prompt":[`, `1,`, `1]}`},
		"lists of ids":        {textPath, `{"prompt":[[1],`, `[1,1,1,1,1,1,1],`, `[1]]}`},
		"stops":               {textPath, `{"stop":[`, `"",`, `""]}`},
		"text":                {textPath, `{"prompt":"`, `xyz `, `"}`},
		"escapes":             {"/tokenize", `{"content":"`, `\u0000`, `"}`},
		"ids as text":         {"/detokenize", `{"tokens":[`, `255,`, `255]}`},
	} {
		body := c.before + strings.Repeat(c.unit, bodyBytes/len(c.unit)) + c.after
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := h.post(c.path, body)
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > mostBytes {
			t.Errorf("%s: status %d, %d MiB allocated for %d KiB of body", name, r.status, taken>>20, len(body)>>10)
		}
	}
}

// Every refusal before the handler, and what goes with it.
func TestRoutes(t *testing.T) {
	h := newBench(t, letters)
	sound := "{" + soundBodies[textPath] + "}"
	for _, c := range []struct {
		method, path, body string
		status             int
		code, param, allow string
	}{
		{"GET", textPath, "", 405, "method_not_allowed", "", "POST"},
		{"PUT", chatPath, sound, 405, "method_not_allowed", "", "POST"},
		{"DELETE", "/tokenize", "", 405, "method_not_allowed", "", "POST"},
		{"POST", "/v1/models", "{}", 405, "method_not_allowed", "", "GET, HEAD"},
		{"POST", "/v1/models/first", "{}", 405, "method_not_allowed", "", "GET, HEAD"},
		{"POST", "/metrics", "", 405, "method_not_allowed", "", "GET, HEAD"},
		{"POST", "/health/live", "", 405, "method_not_allowed", "", "GET, HEAD"},
		{"GET", "/", "", 404, "not_found", "", ""},
		{"POST", "/v1/completion", sound, 404, "not_found", "", ""},
		{"POST", "/v1/completions/", sound, 404, "not_found", "", ""},
		{"GET", "/v1/models/", "", 404, "not_found", "", ""},
		{"GET", "/%ff%fe", "", 404, "not_found", "", ""},
		{"GET", "/v1/models/third", "", 404, "model_not_found", "model", ""},
		{"POST", textPath, `{"model":"third","prompt":"x"}`, 404, "model_not_found", "model", ""},
		{"POST", textPath, `{"model":"second","prompt":"x"}`, 503, "loading", "", ""},
		{"POST", "/detokenize", `{"model":"second","tokens":[1]}`, 503, "loading", "", ""},
		{"POST", "/detokenize", `{"model":"third","tokens":[1]}`, 404, "model_not_found", "model", ""},
		{"POST", textPath, `{"prompt":"` + strings.Repeat("x", benchBody) + `"}`, 413, "body_too_large", "", ""},
	} {
		r := h.do(c.method, c.path, c.body)
		p, allow := r.problem(), string(r.header.Peek("Allow"))
		if r.status != c.status || p.Code != c.code || p.Param != c.param || p.Message == "" || allow != c.allow {
			t.Errorf("%s %s: status %d, Allow %q, %+v", c.method, c.path, r.status, allow, p)
		}
		if retry := len(r.header.Peek("Retry-After")) > 0; retry != (c.status == 503) || string(r.header.ContentType()) != "application/json" {
			t.Errorf("%s %s: header %s", c.method, c.path, r.header)
		}
	}
	for _, kind := range []string{"", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"} {
		if r := h.do("POST", textPath, sound, "Content-Type", kind); r.status != 200 {
			t.Errorf("content type %q: status %d: %s", kind, r.status, r.body)
		}
	}
	var models struct {
		Object string        `json:"object"`
		Data   []modelObject `json:"data"`
	}
	h.do("GET", "/v1/models", "").into(&models)
	if models.Object != "list" || len(models.Data) != 2 || !models.Data[0].Loaded || models.Data[1].Loaded || models.Data[0].MaxContext != benchContext {
		t.Errorf("models: %+v", models)
	}
	if r := h.do("HEAD", "/health/live", ""); r.status != 200 {
		t.Errorf("HEAD: status %d", r.status)
	}
}

// held leaves one request in a step that does not end, and n more in the queue; the returned function lets
// them go and waits for their answers.
func (h *bench) held(n int, body string) func() {
	h.t.Helper()
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	h.t.Cleanup(open)
	h.instance.mu.Lock()
	h.instance.gate = gate
	h.instance.mu.Unlock()
	done := make(chan reply, n+1)
	post := func() { done <- h.post(textPath, body) }
	go post()
	h.until(func() bool { return h.instance.computing.Load() })
	for range n {
		go post()
	}
	h.until(func() bool { return h.scheduler.Snapshot().Waiting == n })
	return func() {
		h.t.Helper()
		open()
		for range n + 1 {
			if r := <-done; r.status != 200 {
				h.t.Errorf("a waiting request: status %d: %s", r.status, r.body)
			}
		}
	}
}

func (h *bench) until(condition func() bool) {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited in vain: %+v", h.scheduler.Snapshot())
		}
	}
}

func TestQueueFullAndDraining(t *testing.T) {
	h := newBench(t, letters)
	body := "{" + soundBodies[textPath] + "}"
	release := h.held(benchQueue, body)
	for _, stream := range []string{"", `,"stream":true`} {
		r := h.post(textPath, "{"+soundBodies[textPath]+stream+"}")
		if p := r.problem(); r.status != 429 || p.Code != "queue_full" || p.Type != "rate_limit_error" || len(r.header.Peek("Retry-After")) == 0 {
			t.Errorf("queue full: status %d, %+v", r.status, p)
		}
	}
	release()
	h.until(func() bool { s := h.scheduler.Snapshot(); return s.Waiting+s.Running == 0 })
	h.scheduler.Drain()
	r := h.post(chatPath, "{"+soundBodies[chatPath]+"}")
	if p := r.problem(); r.status != 503 || p.Code != "shutting_down" || p.Type != "server_error" || len(r.header.Peek("Retry-After")) == 0 {
		t.Errorf("draining: status %d, %+v", r.status, p)
	}
}

func TestHealth(t *testing.T) {
	h := newBench(t, letters)
	h.ready = func(ctx context.Context) error { // as the daemon has it: by the scheduler
		if err := ctx.Err(); err != nil {
			return err
		}
		return errors.New("the engine is busy")
	}
	if r := h.do("GET", "/health/live", ""); r.status != 200 || string(r.body) != `{"status":"ok"}` {
		t.Errorf("live: status %d: %s", r.status, r.body)
	}
	if r := h.do("GET", "/health/ready", ""); r.status != 503 || r.problem().Code != "not_ready" || !strings.Contains(r.problem().Message, "busy") {
		t.Errorf("not ready: status %d: %s", r.status, r.body)
	}
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	h.client = gone
	if r := h.do("GET", "/health/ready", ""); r.status != StatusClientGone {
		t.Errorf("a client that asked and left: status %d", r.status)
	}
	h.client = context.Background()
	h.ready = func(context.Context) error { return nil }
	if r := h.do("GET", "/health/ready", ""); r.status != 200 || string(r.body) != `{"status":"ok"}` {
		t.Errorf("ready: status %d: %s", r.status, r.body)
	}
}

// An instance that is poisoned ends what runs with an error that tells why: the model has failed for all.
func TestPoisonIsTold(t *testing.T) {
	h := newBench(t, letters)
	h.instance.fail = func(int) error { return fmt.Errorf("a worker died: %w", engine.ErrPoisoned) }
	for range 2 {
		if r := h.post(textPath, `{"prompt":"x"}`); r.status != 500 || !strings.Contains(r.problem().Message, "a worker died") {
			t.Errorf("status %d: %s", r.status, r.body)
		}
	}
}

// What else fails ends what runs with an error that does not tell its cause to the client.
func TestEngineFailure(t *testing.T) {
	for _, stream := range []bool{false, true} {
		h := newBench(t, letters)
		h.instance.fail = func(step int) error {
			if step < 3 {
				return nil
			}
			return errors.New("secret")
		}
		r := h.post(textPath, fmt.Sprintf(`{"prompt":"x","stream":%t}`, stream))
		if stream {
			events := r.events()
			last := reply{t: t, body: []byte(events[len(events)-1])}
			if p := last.problem(); len(events) != 3 || p.Type != "server_error" || strings.Contains(p.Message, "secret") {
				t.Errorf("streamed: %q", events)
			}
			continue
		}
		if p := r.problem(); r.status != 500 || p.Type != "server_error" || strings.Contains(string(r.body), "secret") {
			t.Errorf("status %d: %s", r.status, r.body)
		}
		if again := h.post(textPath, `{"prompt":"x"}`); again.status != 500 {
			t.Errorf("after the failure: status %d: %s", again.status, again.body)
		}
	}
}

// Metrics after a known number of requests, as Prometheus reads them.
func TestMetrics(t *testing.T) {
	h := newBench(t, letters)
	for range 5 {
		h.complete(`"prompt":[120,121],"max_tokens":4,"temperature":0`)
		h.post(textPath, `{"prompt":[120,121],"max_tokens":4,"stream":true}`).events()
	}
	for range 3 {
		h.post(textPath, `{"prompt":5}`)
	}
	h.do("GET", "/nowhere", "")
	h.until(func() bool { s := h.scheduler.Snapshot(); return s.Running+s.Waiting+s.PagesUsed == 0 })
	h.scheduler.Govern(scheduler.Governance{MaxRunning: 3})
	h.until(func() bool { return h.scheduler.Snapshot().Governance.MaxRunning == 3 })
	r := h.do("GET", "/metrics", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(r.body)))
	if err != nil || r.status != 200 || !strings.HasPrefix(string(r.header.ContentType()), "text/plain; version=0.0.4") {
		t.Fatalf("status %d, %s: %v", r.status, r.header.ContentType(), err)
	}
	got := map[string]float64{}
	for name, f := range families {
		if f.GetHelp() == "" && strings.HasPrefix(name, "chimera_") {
			t.Errorf("%s has no help", name)
		}
		for _, m := range f.Metric {
			key := name
			for _, l := range m.Label {
				key += "," + l.GetName() + "=" + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{
		"chimera_requests_running,model=first": 0, "chimera_requests_waiting,model=first": 0, "chimera_kv_pages_used,model=first": 0,
		"chimera_requests_total,code=200": 10, "chimera_requests_total,code=400": 3, "chimera_requests_total,code=404": 1,
		"chimera_tokens_computed_total,model=first,phase=prefill": 2 + 9, "chimera_tokens_computed_total,model=first,phase=decode": 30,
		"chimera_ttft_seconds,model=first": 10, "chimera_itl_seconds,model=first": 30, "chimera_admission_limit,model=first": 3,
		"chimera_tokens_discarded_total,model=first": 0, "chimera_prefix_tokens_total,model=first": 9, "chimera_kv_pages_copied_total,model=first": 9,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", key, value, ok, want)
		}
	}
	h.scheduler.Govern(scheduler.Governance{})
	release := h.held(12, "{"+soundBodies[textPath]+"}")
	if text := string(h.do("GET", "/metrics", "").body); !strings.Contains(text, `chimera_requests_waiting{model="first"} 12`) {
		t.Errorf("12 wait: %.300s", text)
	}
	release()
}

// A client that hangs up, streaming or not, leaves nothing behind.
func TestHangUp(t *testing.T) {
	h := newBench(t, func([]int32) int32 { return 'a' })
	before := runtime.NumGoroutine()
	for _, stream := range []bool{false, true} {
		ctx, hangUp := context.WithCancel(context.Background())
		h.client = ctx
		release := h.gateOpen(3, hangUp)
		r := h.post(textPath, fmt.Sprintf(`{"prompt":"x","max_tokens":250,"n":4,"stream":%t}`, stream))
		release()
		if !stream && r.status != StatusClientGone || stream && strings.Contains(string(r.body), "[DONE]") {
			t.Errorf("stream %t: status %d: %.300s", stream, r.status, r.body)
		}
		h.until(func() bool { s := h.scheduler.Snapshot(); return s.Running+s.Waiting+s.PagesUsed == 0 })
	}
	h.until(func() bool { return runtime.NumGoroutine() <= before })
}

// gateOpen lets so many steps run, then calls then, and lets all others run.
func (h *bench) gateOpen(steps int, then func()) (release func()) {
	gate, done := make(chan struct{}), make(chan struct{})
	h.instance.mu.Lock()
	h.instance.gate = gate
	h.instance.mu.Unlock()
	go func() {
		for range steps {
			gate <- struct{}{}
		}
		then()
		close(gate)
		close(done)
	}()
	return func() { <-done }
}
