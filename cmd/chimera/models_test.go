package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This file owns tests of a daemon that has several models.

// threeModels are small ones of different architectures, and their names.
func threeModels(t *testing.T) (paths map[string]string) {
	t.Helper()
	paths = map[string]string{}
	for _, name := range []string{"llama", "gpt2", "gemma3"} {
		path, err := filepath.Abs(fixture(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(path, name) {
			t.Skip("the fixtures of several architectures are not there: set CHIMERA_CONFORMANCE")
		}
		paths[name] = path
	}
	return paths
}

// serveModels starts a daemon with these tables of models.
func serveModels(t *testing.T, tables string) *process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.toml")
	text := fmt.Sprintf("ctx = 128\nsocket = %q\nhttp = \"0\"\n%s", filepath.Join(dir, "c.sock"), tables)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startProcess(t, chimera("serve", "--config", file))
}

func table(path, name, more string) string {
	return fmt.Sprintf("[[model]]\npath = %q\nname = %q\n%s\n", path, name, more)
}

// modelEntry is a model as the status shows it.
type modelEntry struct {
	Name, State, Problem string
	Running, Waiting     int
	Memory               int64 `json:"memory_bytes"`
}

func (p *process) model(t *testing.T, name string) modelEntry {
	t.Helper()
	r, err := http.Get(p.url() + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var s struct{ Models []modelEntry }
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Models {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no model %s in %+v", name, s.Models)
	return modelEntry{}
}

// until waits for a model to be in a state.
func (p *process) until(t *testing.T, name, state string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); p.model(t, name).State != state; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is %+v, not %s\n%s", name, p.model(t, name), state, p.log)
		}
	}
}

// change asks as the administrator for a model to be loaded or unloaded.
func (p *process) change(t *testing.T, name, verb string) int {
	t.Helper()
	client := over(p.ready.Socket)
	defer client.CloseIdleConnections()
	r, err := client.Post("http://x/v1/models/"+name+"/"+verb, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

func question(name string, seed int) string {
	return fmt.Sprintf(`{"model":%q,"prompt":[1,5,9,%d],"max_tokens":12,"temperature":0.8,"seed":%d,"ignore_eos":true,"logprobs":1}`, name, seed+3, seed)
}

// said is the answer without what belongs to the hour.
func said(t *testing.T, text string) string {
	t.Helper()
	var a struct {
		Model       string
		Fingerprint string `json:"system_fingerprint"`
		Choices     json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil || a.Choices == nil {
		t.Errorf("%v: %s", err, text)
	}
	return a.Model + " " + a.Fingerprint + " " + string(a.Choices)
}

// Three models on one device answer as each does alone, asked one after the other, all at once, and while they are unloaded.
func TestSeveralModelsAnswerAsAlone(t *testing.T) {
	models, want, tables := threeModels(t), map[string]string{}, ""
	const seeds = 4
	for name, path := range models {
		tables += table(path, name, "load = \"demand\"")
		p := serveModels(t, table(path, name, ""))
		for seed := range seeds {
			code, text := p.status(t, question(name, seed))
			if want[question(name, seed)] = said(t, text); code != 200 {
				t.Fatalf("%d %s", code, text)
			}
		}
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.exit(t)
	}
	p := serveModels(t, tables)
	check := func(name string, seed int) {
		code, text := p.status(t, question(name, seed))
		for strings.Contains(text, `"model_unloaded"`) { // it was on its way when it was unloaded
			code, text = p.status(t, question(name, seed))
		}
		if code != 200 {
			t.Errorf("%s: %d %s", name, code, text)
		} else if got := said(t, text); got != want[question(name, seed)] {
			t.Errorf("%s: %.300s, alone %.300s", name, got, want[question(name, seed)])
		}
	}
	var group sync.WaitGroup
	for name := range models {
		for client := range 6 {
			group.Go(func() {
				for i := range 20 {
					check(name, (client+i)%seeds)
				}
			})
		}
		group.Go(func() { // who asks meanwhile has it loaded again
			for range 5 {
				time.Sleep(20 * time.Millisecond)
				if code := p.change(t, name, "unload"); code != 200 {
					t.Errorf("unload: %d", code)
				}
			}
		})
	}
	group.Wait()
	for name := range models {
		m := p.model(t, name) // a client has the end of its answer a moment before its lane lets go of it
		for end := time.Now().Add(30 * time.Second); m.Waiting+m.Running != 0 && time.Now().Before(end); m = p.model(t, name) {
			time.Sleep(5 * time.Millisecond)
		}
		if m.Problem != "" || m.Waiting+m.Running != 0 {
			t.Errorf("%+v", m)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 || strings.Contains(p.log.String(), "level=ERROR") {
		t.Errorf("exit %d\n%s", code, p.log)
	}
}

// A model goes when its time is up; one that is pinned stays. What they took is given back, and a load leaves nothing behind.
func TestModelsComeAndGo(t *testing.T) {
	models := threeModels(t)
	p := serveModels(t, table(models["llama"], "kept", "pin = true")+table(models["gpt2"], "short", "keep_alive = \"100ms\""))
	if code, text := p.status(t, question("short", 1)); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	p.until(t, "short", "configured")
	if m := p.model(t, "kept"); m.State != "ready" || m.Memory == 0 {
		t.Errorf("%+v", m)
	}
	d := &daemonProcess{http: p.url()}
	const weights = `chimera_host_memory_bytes{kind="mapped",purpose="weights"}`
	bytes, alone := func() float64 { return metric(t, p.url(), weights) }, 0.0
	for range 2 { // what comes with the first loads and stays: threads, descriptors of the runtime
		p.change(t, "short", "load")
		p.change(t, "short", "unload")
	}
	http.DefaultClient.CloseIdleConnections()
	alone = bytes()
	goroutines, descriptors := metric(t, p.url(), "go_goroutines"), metric(t, p.url(), "process_open_fds")
	for i := range 20 {
		if load, unload := p.change(t, "short", "load"), p.change(t, "short", "unload"); load != 200 || unload != 200 {
			t.Fatalf("%d: %d %d\n%s", i, load, unload, p.log)
		}
	}
	if now := bytes(); now != alone {
		t.Errorf("%v bytes of weights, %v before", now, alone)
	}
	if now := settled(t, d, "go_goroutines", goroutines+2); now > goroutines+2 {
		t.Errorf("%v goroutines, %v before", now, goroutines)
	}
	if now := settled(t, d, "process_open_fds", descriptors+2); now > descriptors+2 {
		t.Errorf("%v descriptors, %v before", now, descriptors)
	}
	if code := p.change(t, "kept", "unload"); code != 200 || bytes() != 0 {
		t.Errorf("by hand: %d, %v bytes of weights are left", code, bytes())
	}
	for _, purpose := range []string{"kv", "activations", "batch", "staging"} {
		if left := metric(t, p.url(), `chimera_host_memory_bytes{kind="mapped",purpose="`+purpose+`"}`); left != 0 {
			t.Errorf("%v bytes of %s are left", left, purpose)
		}
	}
	if code, text := p.status(t, question("kept", 1)); code != 200 {
		t.Errorf("again: %d %s", code, text)
	}
}

// resident is what the process has in memory that is its own.
func (p *process) resident(t *testing.T) (mib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			_, _ = fmt.Sscan(rest, &mib)
		}
	}
	return mib / 1024
}

// A model that is unloaded while it streams answers to the end, and then its memory is the machine's again.
func TestUnloadWhileStreaming(t *testing.T) {
	large := contextFixture(t)
	p := serveModels(t, table(fixture(t, "llama"), "small", "")+table(large, "large", ""))
	before := p.resident(t)
	body := `{"model":"large","prompt":[1,2,3],"max_tokens":60,"ignore_eos":true,"stream":true}`
	r, err := http.Post(p.url()+"/v1/completions", "", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.ReadFull(r.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	unloaded := make(chan int, 1)
	go func() { unloaded <- p.change(t, "large", "unload") }()
	p.until(t, "large", "draining")
	if during := p.resident(t); during < before+80 {
		t.Errorf("%d MiB while it is there, %d before", during, before)
	}
	if code, text := p.status(t, question("small", 1)); code != 200 {
		t.Errorf("the other: %d %s", code, text)
	}
	if text, err := io.ReadAll(r.Body); err != nil || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("data: [DONE]")) {
		t.Errorf("%v: %s", err, text)
	}
	if code := <-unloaded; code != 200 || p.model(t, "large").State != "configured" {
		t.Errorf("%d, %+v", code, p.model(t, "large"))
	}
	for end := time.Now().Add(10 * time.Second); p.resident(t) > before+25; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d MiB are left, %d before", p.resident(t), before)
		}
	}
}

// SIGTERM during a load on demand ends it, answers who waits, and the daemon.
func TestTerminateWhileLoadingOnDemand(t *testing.T) {
	large := contextFixture(t)
	for delay := range 6 {
		p := serveModels(t, table(fixture(t, "llama"), "small", "")+table(large, "large", ""))
		answered := make(chan string, 1)
		go func() {
			r, err := http.Post(p.url()+"/v1/completions", "", strings.NewReader(question("large", 1)))
			if err != nil {
				answered <- err.Error()
				return
			}
			defer r.Body.Close()
			text, _ := io.ReadAll(r.Body)
			answered <- fmt.Sprint(r.StatusCode, " ", string(text))
		}()
		if delay > 0 {
			p.until(t, "large", "loading")
		}
		time.Sleep(time.Duration(delay) * 25 * time.Millisecond)
		p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.exit(t); code != 0 {
			t.Errorf("exit %d\n%s", code, p.log)
		}
		if text := <-answered; delay > 0 && !strings.HasPrefix(text, "200 ") && !strings.Contains(text, "shutting_down") {
			t.Errorf("after %d: %s", delay, text)
		}
	}
}

// copied is a copy of a file that a test may spoil.
func copied(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	to := filepath.Join(t.TempDir(), "copy.gguf")
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A file that is spoilt when its model is asked for fails that model, which says why; when it is whole again, so is the model.
func TestSpoiltFileFailsItsModelAlone(t *testing.T) {
	models := threeModels(t)
	path := copied(t, models["gpt2"])
	p := serveModels(t, table(models["llama"], "good", "")+table(path, "spoilt", ""))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(whole))-100); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, text := p.status(t, question("spoilt", 1)); code != 500 || !strings.Contains(text, `"model_failed"`) || !strings.Contains(text, "copy.gguf") {
			t.Errorf("%d %s", code, text)
		}
	}
	if m := p.model(t, "spoilt"); m.State != "failed" || !strings.Contains(m.Problem, "copy.gguf") {
		t.Errorf("%+v", m)
	}
	if code, text := p.status(t, question("good", 1)); code != 200 {
		t.Errorf("the other: %d %s", code, text)
	}
	if code, _ := get(t, p.url()+"/health/ready"); code != 200 {
		t.Errorf("ready: %d", code)
	}
	if code := p.change(t, "spoilt", "load"); code != 500 {
		t.Errorf("load: %d", code)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := p.change(t, "spoilt", "load"); code != 200 {
		t.Errorf("load: %d\n%s", code, p.log)
	}
	if code, text := p.status(t, question("spoilt", 1)); code != 200 {
		t.Errorf("%d %s", code, text)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// One of two models of the start that can't be loaded leaves the daemon up and not ready. The only one ends it.
func TestModelOfTheStartFails(t *testing.T) {
	models := threeModels(t)
	path := copied(t, models["llama"])
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	nan := math.Float32bits(float32(math.NaN()))
	if _, err := f.WriteAt([]byte{byte(nan), byte(nan >> 8), byte(nan >> 16), byte(nan >> 24)}, info.Size()-4); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	p := serveModels(t, table(path, "bad", "")+table(models["gpt2"], "good", "load = \"start\""))
	if code, text := get(t, p.url()+"/health/ready"); code != 503 || !strings.Contains(text, "not_ready") || !strings.Contains(text, "model bad: ") {
		t.Errorf("ready: %d %s", code, text)
	}
	if code, text := p.status(t, question("good", 1)); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	if code, text := p.status(t, question("bad", 1)); code != 500 || !strings.Contains(text, "model_failed") {
		t.Errorf("%d %s", code, text)
	}
	r := runBinary(t, "", "serve", "--socket", filepath.Join(t.TempDir(), "c.sock"), "--ctx", "128", "--model", path)
	if r.code != 3 || !strings.Contains(r.errors, "copy.gguf") {
		t.Errorf("alone: exit %d\n%s", r.code, r.errors)
	}
}
