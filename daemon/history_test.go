package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"

	"chimera/api"
	"chimera/client"
	"chimera/config"
	"chimera/gpu"
	"chimera/loader"
	"chimera/measure"
	"chimera/socket"
	"chimera/store"
)

// This file owns tests of the history as a daemon keeps it: a real server over a device without arithmetic.

// remembersNothing gives a server that is made by hand what startHTTP stands on.
func (s *server) remembersNothing() {
	s.inForce.Store(inForceOf(&s.config))
	s.history = &history{tenants: s.tenantNames}
	s.measuring = newMeasuring(time.Now(), measure.Worked{}, newEnergyMeter(fstest.MapFS{}, func() []gpu.DeviceState { return nil }, time.Now(), 0))
}

// remembering is a daemon with a history, of models without arithmetic.
type remembering struct {
	*server
	t     *testing.T
	path  string // of its socket
	class string // that it asks in; empty: it does not say
}

// dayKey is that of the tenant day.
const dayKey = "day-key"

// sumOf is a key as the settings have it.
func sumOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func newRemembering(t *testing.T, change func(*config.Config)) *remembering {
	t.Helper()
	return newRememberingOn(t, func(config.Config) loader.Backend { return newFakeDevice() }, change)
}

// newRememberingOn is one whose models are computed on a device of the test's.
func newRememberingOn(t *testing.T, device func(config.Config) loader.Backend, change func(*config.Config)) *remembering {
	t.Helper()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	folder := t.TempDir()
	c := fakeConfig(t, "m")
	c.History.File, c.Socket = filepath.Join(folder, "state", "history.db"), filepath.Join(folder, "c.sock")
	c.Tenant = []config.Tenant{{Name: "day", Keys: []string{sumOf(dayKey)}, Weight: 1}, {Name: "night", Keys: []string{sumOf("night-key")}, Weight: 1}}
	if change != nil {
		change(&c)
	}
	s := &server{config: c, models: newFakeModels(t, c), gpus: newGPUController(gpu.Open, func() {}), hurried: make(chan struct{})}
	s.inForce.Store(inForceOf(&c))
	l, err := socket.ListenUnix(c.Socket)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := socket.ListenTCP("0")
	if err != nil {
		t.Fatal(err)
	}
	s.listeners, s.tcp = append(s.listeners, l, tcp), tcp.Addr()
	for _, start := range []func() error{s.openShelf, s.makeGuardian, s.openHistory, s.startMeasuring, s.startHTTP} {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	s.serveOn(device(c))
	if err := s.models.loadAtStart(); err != nil {
		t.Fatal(err)
	}
	r := &remembering{server: s, t: t, path: c.Socket}
	t.Cleanup(r.stop)
	return r
}

// do asks over TCP, as whoever has the key, or over the socket, as root or the daemon's user is.
func (r *remembering) do(method, path, key string, body any) (status int, header http.Header, text []byte) {
	r.t.Helper()
	at, transport := "http://"+r.tcp.String(), http.DefaultTransport
	if key == administrator {
		at, transport = "http://x", &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", r.path)
		}}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	request, err := http.NewRequest(method, at+path, bytes.NewReader(raw))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != administrator && key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	if r.class != "" {
		request.Header.Set("X-Chimera-Class", r.class)
	}
	answer, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, text
}

// administrator is the key of who comes by the socket.
const administrator = "administrator"

// must asks for what must be had.
func (r *remembering) must(method, path, key string, body, into any) http.Header {
	r.t.Helper()
	status, header, text := r.do(method, path, key, body)
	if status != 200 {
		r.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into, json.MatchCaseInsensitiveNames(true)); err != nil {
			r.t.Fatalf("%v: %s", err, text)
		}
	}
	return header
}

// completion is an answer as these tests look at it.
type completion struct {
	ID          string `json:"id"`
	Fingerprint string `json:"system_fingerprint"`
	Choices     []struct {
		Text         string `json:"text"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
	} `json:"usage"`
}

// request is one of ten tokens, drawn by a seed.
func request(more ...any) map[string]any {
	body := map[string]any{"prompt": []int{1, 2, 3, 1, 2}, "max_tokens": 10, "ignore_eos": true, "seed": 7, "temperature": 0.8}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

func (r *remembering) complete(key string, body map[string]any) (c completion) {
	r.t.Helper()
	r.must("POST", "/v1/completions", key, body, &c)
	return c
}

func (r *remembering) receipt(key, id string) (a api.Receipt) {
	r.t.Helper()
	r.must("GET", "/v1/receipts/"+id, key, nil, &a)
	return a
}

// Over all tenants the costs are the process's CPU time, within a twentieth.
func TestCostsAreTheProcessTime(t *testing.T) {
	r := newRemembering(t, nil)
	began := processCPU()
	r.closeWindow(time.Now())
	first := r.costs()
	for i := range 60 {
		key := []string{dayKey, "night-key", ""}[i%3]
		r.complete(key, request("prompt", "abcabc", "max_tokens", 40))
	}
	for processCPU() < began+300*time.Millisecond { // in which a twentieth is more than the clock's steps
		r.complete(dayKey, request("max_tokens", 40))
	}
	r.closeWindow(time.Now())
	took := (processCPU() - began).Seconds()
	sum, tenants, requests := 0.0, map[store.Tenant]bool{}, int64(0)
	for _, c := range r.costs()[len(first):] {
		sum += c.CoreSeconds + c.OverheadSeconds
		requests += c.Requests
		if c.OverheadSeconds > 0 {
			tenants[c.Tenant] = true
		}
	}
	if !(math.Abs(sum-took) <= 0.05*took) || len(tenants) != 3 || requests < 60 {
		t.Errorf("%.3f s are accounted for of %.3f s, %d tenants, %d requests", sum, took, len(tenants), requests)
	}
	_, _, text := r.do("GET", "/metrics", administrator, nil)
	metered := 0.0
	for line := range strings.Lines(string(text)) {
		var value float64
		if name, rest, found := strings.Cut(line, "} "); found && strings.HasPrefix(name, "chimera_core_seconds_total{") {
			fmt.Sscan(rest, &value)
			metered += value
		}
	}
	if whole := processCPU().Seconds(); !(math.Abs(metered-whole) <= 0.05*whole) || !strings.Contains(string(text), `chimera_core_seconds_total{class="interactive",model="m",tenant="day",tier="source"}`) {
		t.Errorf("the metric has %.3f s of %.3f s", metered, whole)
	}
}

// costs are all rows of the history.
func (r *remembering) costs() (list []store.Cost) {
	r.t.Helper()
	if err := r.history.store.Flush(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	for c, err := range r.history.store.Costs(context.Background(), store.Span{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// Each minute is a window, by model, tenant and class, whose objectives are held against it; a tenant sees its own.
func TestQualityWindows(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) { c.Objectives = config.Objectives{TTFTP95: 1, QPS: 0.001} })
	for range 3 {
		r.complete(dayKey, request())
	}
	r.complete("night-key", request())
	if status, _, text := r.do("POST", "/v1/completions", "night-key", request("max_tokens", -7)); status != 400 {
		t.Errorf("%d %s", status, text)
	}
	r.closeWindow(time.Now())
	var q api.Quality
	r.must("GET", "/v1/quality", administrator, nil, &q)
	if len(q.Windows) != 2 || q.Windows[0].Tenant != "day" || q.Windows[0].Requests != 3 || q.Windows[0].AnswerTokens != 30 || q.Windows[0].PromptTokens != 15 ||
		q.Windows[1].Requests != 1 || q.Windows[1].Class != "interactive" || !(q.Windows[0].TTFT.P50 > 0) || !(q.Windows[0].QPS > 0) || q.Windows[1].Failed+q.Windows[1].Refused != 0 {
		t.Errorf("%+v", q.Windows)
	}
	for key, want := range map[string]int{dayKey: 1, "night-key": 1, "": 0} {
		var q api.Quality
		r.must("GET", "/v1/quality", key, nil, &q)
		if len(q.Windows) != want || want > 0 && (q.Windows[0].Tenant+"-key" != key || q.Windows[0].DeviceBusy != nil || q.Windows[0].Cores != nil) || len(q.Headroom) > 0 {
			t.Errorf("%q sees %+v", key, q.Windows)
		}
		for _, c := range q.Costs { // a model's first decode is nobody's request
			if c.Model == "" || key != "" && (c.Tenant+"-key" != key || c.CoresPrice == nil) || key == "" && c.Tenant+c.Tier != "source" {
				t.Errorf("%q sees costs %+v", key, c)
			}
		}
		if len(q.Costs) < want {
			t.Errorf("%q sees costs %+v", key, q.Costs)
		}
	}
	text, err := client.New(r.path).Quality(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	shown, err := client.ParseQuality(text)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := shown.Print(&out); err != nil || !strings.Contains(out.String(), "m      day     interactive  3") {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// A daemon whose folder can't be written serves on, and says that nothing is kept.
func TestHistoryThatCantBeOpened(t *testing.T) {
	r := newRemembering(t, func(c *config.Config) {
		blocked := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(blocked, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c.History.File = filepath.Join(blocked, "history.db")
	})
	a := r.complete(dayKey, request())
	r.closeWindow(time.Now())
	var status struct{ History api.HistoryState }
	if r.must("GET", "/v1/status", administrator, nil, &status); status.History.State != api.HistoryOff || status.History.Problem == "" {
		t.Errorf("%+v", status.History)
	}
	for _, ask := range []struct {
		method, path string
		body         any
	}{{"GET", "/v1/receipts/" + a.ID, nil}, {"GET", "/v1/quality", nil}, {"POST", "/v1/feedback", map[string]any{"completion_id": a.ID, "rating": 1}}, {"POST", "/v1/forget", map[string]any{"tenant": "day"}}, {"POST", "/v1/forget", map[string]any{"answer": a.ID}}} {
		if status, _, text := r.do(ask.method, ask.path, administrator, ask.body); status != 503 || !bytes.Contains(text, []byte("history_unavailable")) {
			t.Errorf("%s: %d %s", ask.path, status, text)
		}
	}
	if _, _, text := r.do("GET", "/metrics", administrator, nil); !bytes.Contains(text, []byte("chimera_history_failing 1")) {
		t.Error("the metric does not say so")
	}
}

// A disk that is full keeps nobody from being served. It is said, and what waited is written when there is room.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	r := newRemembering(t, func(c *config.Config) { c.History.File = filepath.Join(folder, "history.db") })
	before := r.complete(dayKey, request()).ID
	r.receipt(dayKey, before)
	filler := filepath.Join(folder, "filler")
	_ = os.WriteFile(filler, make([]byte, 8<<20), 0o600) // as far as it goes
	var status struct{ History api.HistoryState }
	last := ""
	for end := time.Now().Add(20 * time.Second); status.History.State != api.HistoryFailing; {
		last = r.complete(dayKey, request()).ID
		r.must("GET", "/v1/status", administrator, nil, &status)
		if time.Now().After(end) {
			t.Fatalf("%+v", status.History)
		}
	}
	if !strings.Contains(status.History.Problem, "full") || status.History.Since == nil || status.History.Queued == 0 {
		t.Errorf("%+v", status.History)
	}
	if got := r.receipt(dayKey, before); got.AnswerTokens != 10 {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(40 * time.Second); status.History.State != api.HistoryOn; time.Sleep(50 * time.Millisecond) {
		r.must("GET", "/v1/status", administrator, nil, &status)
		if time.Now().After(end) {
			t.Fatalf("%+v", status.History)
		}
	}
	if got := r.receipt(dayKey, last); got.AnswerTokens != 10 {
		t.Errorf("%+v", got)
	}
}
