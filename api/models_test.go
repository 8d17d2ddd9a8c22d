package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"chimera/scheduler"
	"chimera/tokenizer"
)

// This file owns tests of what the administrator alone may do: load and unload models, pin prefixes.

// fakeModels notes what it is asked.
type fakeModels struct {
	done []string
	err  error
}

func (m *fakeModels) Load(_ context.Context, name string) error {
	m.done = append(m.done, "load "+name)
	return m.err
}

func (m *fakeModels) Unload(_ context.Context, name string) error {
	m.done = append(m.done, "unload "+name)
	return m.err
}

// fakeCache keeps pins as they are.
type fakeCache struct {
	state  CacheState
	pins   map[string][]int32
	tenant string // of the last
	err    error
}

func (c *fakeCache) State() CacheState { return c.state }
func (c *fakeCache) Pin(name string, prompt []int32, tenant string) error {
	if c.err == nil {
		c.pins[name], c.tenant = prompt, tenant
	}
	return c.err
}
func (c *fakeCache) Unpin(name string) error {
	if _, ok := c.pins[name]; !ok {
		return ErrNoPin
	}
	delete(c.pins, name)
	return nil
}

func newAdministered(t *testing.T) (*bench, *fakeModels, *fakeCache) {
	h, m, c := newBench(t, letters), &fakeModels{}, &fakeCache{pins: map[string][]int32{}}
	h.Models, h.model.Cache = m, c
	h.Registry = names{[]string{"first", "second", "a/b c", "odd/load"}, h.model}
	h.Peer = func(*fasthttp.RequestCtx) Peer { return Peer{Unix: true, Administers: true} }
	return h, m, c
}

func TestLoadAndUnload(t *testing.T) {
	h, m, _ := newAdministered(t)
	for path, want := range map[string]string{
		"/v1/models/second/load": "load second", "/v1/models/first/unload": "unload first", "/v1/models/a%2Fb%20c/load": "load a/b c",
		"/v1/models/a/b%20c/unload": "unload a/b c", "/v1/models/odd/load/load": "load odd/load",
	} {
		m.done = nil
		var state ModelState
		if h.do("POST", path, "").into(&state); !slices.Equal(m.done, []string{want}) || !strings.HasSuffix(want, " "+state.Name) || state.State == "" {
			t.Errorf("%s: %q, %+v", path, m.done, state)
		}
	}
	m.done = nil
	for body, refusal := range map[string]string{
		"{}": "", " \n": "", " { } ": "", `{"tier":"q4_1","whatever":1}`: "tier: there is no such field", `{"whatever":null}`: "whatever", "[]": "JSON object", "load": "not valid JSON", "null": "",
	} {
		for _, verb := range []string{"load", "unload"} {
			m.done = nil
			r := h.post("/v1/models/second/"+verb, body)
			if done := len(m.done) == 1; done != (refusal == "") || !done && (r.status != 400 || !strings.Contains(r.problem().Message, refusal)) {
				t.Errorf("%s with the body %q: status %d: %s", verb, body, r.status, r.body)
			}
		}
	}
	m.done = nil
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"POST", "/v1/models/third/load", 404, "model_not_found"}, {"GET", "/v1/models/second/load", 405, "method_not_allowed"},
		{"POST", "/v1/models//load", 405, "method_not_allowed"}, {"POST", "/v1/models/load", 405, "method_not_allowed"},
		{"POST", "/v1/models/odd/load", 405, "method_not_allowed"}, // the model of that name
		{"POST", "/v1/models/second/loads", 405, "method_not_allowed"}, {"DELETE", "/v1/models/second", 405, "method_not_allowed"},
	} {
		if r := h.do(c.method, c.path, ""); r.status != c.status || r.problem().Code != c.code {
			t.Errorf("%s %s: status %d: %s", c.method, c.path, r.status, r.body)
		}
	}
	if r := h.do("GET", "/v1/models/odd/load", ""); r.status != 200 {
		t.Errorf("a model called like a verb: status %d", r.status)
	}
	if len(m.done) > 0 {
		t.Errorf("done: %q", m.done)
	}
	for _, c := range []struct {
		err     error
		status  int
		message string
	}{
		{errors.New("the file is cut short"), 500, "the file is cut short"}, {scheduler.ErrDraining, 503, "shutting down"},
		{badField("model", "it needs 9 GiB"), 400, "model: it needs 9 GiB"}, {context.Canceled, 499, ""},
	} {
		m.err = c.err
		if r := h.post("/v1/models/second/load", ""); r.status != c.status || !strings.Contains(r.problem().Message, c.message) {
			t.Errorf("%v: status %d: %s", c.err, r.status, r.body)
		}
	}
}

// All that changes what the server holds is for root and the daemon's user; what is hot, too, where tenants are kept apart.
func TestWhoAdministers(t *testing.T) {
	for name, isolated := range map[string]bool{"shared": false, "isolated": true} {
		h, m, c := newAdministered(t)
		h.IsolateTenants = isolated
		c.pins["a"] = nil
		h.Peer = func(*fasthttp.RequestCtx) Peer { return Peer{Unix: true, UID: 1000} }
		for path, body := range map[string]string{
			"POST /v1/models/first/unload": "", "POST /v1/models/second/load": "", "POST /v1/cache/pins": `{"name":"a","prompt":"x"}`,
			"DELETE /v1/cache/pins": `{"name":"a"}`, "GET /v1/cache": "", "POST /v1/models/third/load": "",
		} {
			method, path, _ := strings.Cut(path, " ")
			want := 403
			if method == "GET" && !isolated {
				want = 200
			}
			r := h.do(method, path, body)
			if r.status != want || want == 403 && (r.problem().Code != "not_permitted" || !strings.Contains(r.problem().Message, "Unix socket")) {
				t.Errorf("%s: %s %s: status %d: %s", name, method, path, r.status, r.body)
			}
		}
		if len(m.done) > 0 || len(c.pins) != 1 {
			t.Errorf("%s: %q, %v", name, m.done, c.pins)
		}
	}
	h := newBench(t, letters) // nobody loads: there are no such paths
	if r := h.post("/v1/models/first/load", ""); r.status != 405 {
		t.Errorf("status %d", r.status)
	}
}

// letters15 and the token that begins a prompt fill a page.
const letters15 = "abcdefghijklmno"

func TestPins(t *testing.T) {
	h, _, c := newAdministered(t)
	ids, marks := h.model.PrefixIDs(letters15), slices.Repeat([]int32{imEnd - 1}, 16)
	if len(ids) != 16 || ids[0] != bos { // BOS and the letters
		t.Fatalf("%v", ids)
	}
	h.post("/v1/cache/pins", `{"name":"a","prompt":"`+letters15+`"}`).into(new(any))
	h.post("/v1/cache/pins", `{"name":"b b","prompt":[7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6],"model":"first"}`).into(new(any))
	h.post("/v1/cache/pins", `{"name":"c","prompt":["`+strings.Repeat("<|im_start|>", 16)+`"]}`).into(new(any))
	if want := map[string][]int32{"a": ids, "b b": {7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6}, "c": append([]int32{bos}, marks...)}; !maps.EqualFunc(c.pins, want, slices.Equal[[]int32]) {
		t.Errorf("%v, want %v", c.pins, want)
	}
	h.do("DELETE", "/v1/cache/pins", `{"name":"b b"}`).into(new(any))
	if len(c.pins) != 2 {
		t.Errorf("%v", c.pins)
	}
	for _, bad := range []struct {
		method, body string
		status       int
		field, words string
	}{
		{"POST", `{"prompt":"x"}`, 400, "name", "1 to 64 bytes"}, {"POST", `{"name":"","prompt":"x"}`, 400, "name", "1 to 64"},
		{"POST", `{"name":"a\u0007","prompt":"x"}`, 400, "name", "control"}, {"POST", `{"name":"` + strings.Repeat("n", 65) + `","prompt":"x"}`, 400, "name", "64"},
		{"POST", `{"name":"x"}`, 400, "prompt", "it must be a string"}, {"POST", `{"name":"x","prompt":["a","b"]}`, 400, "prompt", "2 prompts"},
		{"POST", `{"name":"x","prompt":[99999]}`, 400, "prompt", "no token id"}, {"POST", `{"name":"x","prompt":[[]]}`, 400, "prompt", "0 tokens"},
		{"POST", `{"name":"x","prompt":"` + strings.Repeat("x", 300) + `"}`, 400, "prompt", "16 to 256"},
		{"POST", `{"name":"x","prompt":"xyz"}`, 400, "prompt", "it has 4 tokens, it must have 16"}, {"POST", `{"name":"x","prompt":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]}`, 400, "prompt", "it has 15 tokens"},
		{"POST", `{"name":"x","prompt":"y","tenant":"nobody"}`, 400, "tenant", "leave it out to pin for all"}, {"POST", `{"name":"x","prompt":"y","tenant":""}`, 400, "tenant", "leave it out"},
		{"POST", `{"name":"x","prompt":"y","tenant":7}`, 400, "tenant", "a string"},
		{"POST", `{"name":"x","prompt":"y","ttl":3}`, 400, "ttl", "no such field"}, {"POST", `{"name":"x","prompt":"y","model":"third"}`, 404, "model", "third"},
		{"POST", `{"name":7,"prompt":"y"}`, 400, "name", "a string"}, {"POST", ``, 400, "", "no body"},
		{"DELETE", `{"name":"zz"}`, 404, "name", "nothing is pinned"}, {"DELETE", `{"name":"zz","prompt":"x"}`, 404, "name", "nothing is pinned"},
		{"GET", ``, 405, "", "takes POST, DELETE"},
	} {
		r := h.do(bad.method, "/v1/cache/pins", bad.body)
		if p := r.problem(); r.status != bad.status || p.Param != bad.field || !strings.Contains(p.Message, bad.words) {
			t.Errorf("%s %.60s: status %d: %s", bad.method, bad.body, r.status, r.body)
		}
	}
	for err, want := range map[error]string{
		errors.New("7 pages are more than half the cache"): "409 not_pinned", scheduler.ErrQueueFull: "429 queue_full", scheduler.ErrDraining: "503 shutting_down",
	} {
		c.err = err
		r := h.post("/v1/cache/pins", `{"name":"x","prompt":"`+letters15+`"}`)
		if got := fmt.Sprint(r.status, " ", r.problem().Code); got != want || want[0] == '4' && want[1] == '0' && r.problem().Message != err.Error() {
			t.Errorf("%v: %s, %s", err, got, r.body)
		}
	}
	c.err = nil
	h.Tenants = func() []string { return []string{"guests", "staff"} }
	for _, apart := range []bool{false, true} { // where nobody is, a pin is for all whoever it is to be for
		h.IsolateTenants = apart
		for tenant, field := range map[string]string{"": "", "staff": `,"tenant":"staff"`} {
			if h.post("/v1/cache/pins", `{"name":"x","prompt":"`+letters15+`"`+field+`}`).into(new(any)); apart && c.tenant != tenant || !apart && c.tenant != "" {
				t.Errorf("apart %t: pinned for %q, asked for %q", apart, c.tenant, tenant)
			}
		}
		if r := h.post("/v1/cache/pins", `{"name":"x","prompt":"`+letters15+`","tenant":"nobody"}`); r.status != 400 || r.problem().Param != "tenant" {
			t.Errorf("apart %t: pinned for nobody: status %d: %s", apart, r.status, r.body)
		}
	}
	h.model.Cache = nil
	if r := h.post("/v1/cache/pins", `{"name":"x","prompt":"y"}`); r.status != 400 || r.problem().Param != "model" {
		t.Errorf("no cache: status %d: %s", r.status, r.body)
	}
}

// A prefix begins like a prompt and does not end like one.
func TestPrefixIDs(t *testing.T) {
	m := Model{Tokenizer: newVocabulary(t, func(v *tokenizer.Vocab) { v.AddEOS = new(true) })}
	for text, want := range map[string][]int32{"x": {bos, 'x'}, "<s>x": {bos, 'x'}, "x</s>": {bos, 'x', eos}, "": nil} {
		if got := m.PrefixIDs(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestCacheState(t *testing.T) {
	h, _, c := newAdministered(t)
	c.state = CacheState{
		Groups:  []CachePages{{Group: "full", PageBytes: 64, Total: 10, Free: 1, Computing: 2, Used: 3, Cached: 4, Pinned: 2}},
		Lookups: 9, Hits: 4, HitTokens: 40, Evictions: 7, SavedSeconds: 2.5, HalfLife: 600,
		Prefixes: []CachedPrefix{{Name: "a", Key: "0f", Tokens: 32, Uses: 9, Hotness: 2.5, SavedSeconds: 1.25}, {Key: "aa", Tokens: 16}},
		Pins:     []Pin{{"a", "", 32, true}, {"b", "staff", 16, false}},
	}
	const want = `{"caches":[{"model":"first","groups":[{"group":"full","page_bytes":64,"total":10,"free":1,"computing":2,"used":3,"cached":4,"pinned":2}],` +
		`"lookups":9,"hits":4,"hit_tokens":40,"evictions":7,"saved_seconds":2.5,"half_life_seconds":600,` +
		`"prefixes":[{"name":"a","key":"0f","tokens":32,"uses":9,"hotness":2.5,"saved_seconds":1.25},{"key":"aa","tokens":16,"uses":0,"hotness":0,"saved_seconds":0}],` +
		`"pins":[{"name":"a","tokens":32,"ready":true},{"name":"b","tenant":"staff","tokens":16,"ready":false}]}]}`
	if r := h.do("GET", "/v1/cache", ""); string(r.body) != want {
		t.Errorf("%s", r.body)
	}
	c.state = CacheState{}
	if r := h.do("GET", "/v1/cache", ""); !strings.Contains(string(r.body), `"prefixes":[],"pins":[]`) {
		t.Errorf("%s", r.body)
	}
	h.model.Cache = nil
	if r := h.do("GET", "/v1/cache", ""); string(r.body) != `{"caches":[]}` {
		t.Errorf("%s", r.body)
	}
}

func TestStatusOfModels(t *testing.T) {
	h, _, _ := newAdministered(t)
	var a struct {
		Models []struct {
			ID      string `json:"id"`
			Name    string `json:"name"`
			State   string `json:"state"`
			Loaded  bool   `json:"loaded"`
			Running *int   `json:"running"`
			Waiting *int   `json:"waiting"`
		} `json:"models"`
	}
	h.do("GET", "/v1/status", "").into(&a)
	if len(a.Models) != 4 || a.Models[0].ID != "first" || a.Models[0].Name != "first" || a.Models[0].State != StateReady || !a.Models[0].Loaded ||
		a.Models[1].State != StateConfigured || a.Models[1].Running == nil || a.Models[1].Waiting == nil {
		t.Errorf("%+v", a.Models)
	}
}
