package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chimera/client"
)

// This file owns tests of a daemon that is configured by tables: tenants, deadlines, and who may administer.

// answer is what a request gets.
func answer(t *testing.T, c *http.Client, method, url, body string, head ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	return a.StatusCode, string(text)
}

// settledModel is the first model's entry when its clients are gone. They have the end of their answers a moment before the lane lets go of them.
// What the daemon asks itself, such as an answer once more that the control group has drawn, is in none of its figures but its own.
func settledModel(t *testing.T, c *http.Client) (m client.Model) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		code, text := answer(t, c, "GET", "http://x/v1/status", "")
		status, err := client.ParseStatus([]byte(text))
		if err != nil || code != 200 || len(status.Models) == 0 {
			t.Fatalf("%d %s: %v", code, text, err)
		}
		if m = status.Models[0]; m.Running+m.Waiting == 0 && m.Idle != nil || time.Now().After(end) {
			return m
		}
	}
}

// A daemon takes its models and tenants from tables; a reload changes the tenants at once and says what waits for a restart.
func TestTablesOfADaemon(t *testing.T) {
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "c.toml"), filepath.Join(dir, "c.sock")
	write := func(text string) {
		text = fmt.Sprintf("ctx = 128\nsocket = %q\nhttp = \"0\"\n[[model]]\npath = %q\nname = \"one\"\n%s", socket, fixture(t, "llama"), text)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const foo = "keys = [\"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"]\n"
	write("[[tenant]]\nname = \"day\"\n" + foo + fmt.Sprintf("[[tenant]]\nname = \"own\"\nuids = [%d]\n", os.Getuid()))
	p := startProcess(t, chimera("serve", "--config", file))
	const body = `{"prompt":"x","max_tokens":1}`
	unix, tcp := over(socket), http.DefaultClient
	if code, text := answer(t, tcp, "POST", p.url()+"/v1/completions", body, "Authorization", "Bearer foo", "x-chimera-class", "batch"); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	p.log.wait(t, "class=batch tenant=day", 1)
	if code, text := answer(t, unix, "POST", "http://x/v1/completions", body); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	p.log.wait(t, "tenant=own", 1)
	if code, text := answer(t, unix, "POST", "http://x/v1/completions", body, "X-Chimera-Priority", "11"); code != 400 || !strings.Contains(text, `"param":"X-Chimera-Priority"`) {
		t.Errorf("%d %s", code, text)
	}
	if m := settledModel(t, unix); m.ID != "one" || m.State != "ready" || m.Running != 0 || m.Waiting != 0 || m.Memory == 0 || m.Idle == nil {
		t.Errorf("%+v", m)
	}
	if code, text := answer(t, tcp, "POST", p.url()+"/v1/cache/pins", `{"name":"a","prompt":"x"}`); code != 403 || !strings.Contains(text, "not_permitted") {
		t.Errorf("over TCP: %d %s", code, text)
	}
	if code, text := answer(t, unix, "DELETE", "http://x/v1/cache/pins", `{"name":""}`); code != 400 || !strings.Contains(text, `"param":"name"`) {
		t.Errorf("over the socket: %d %s", code, text)
	}

	write("[[tenant]]\nname = \"night\"\n" + foo + "[cache]\npins = [\"/nowhere\"]\n[scheduler]\ndeadline_ms = 3000\n")
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.log.wait(t, "some changed settings need a restart", 1)
	if text := p.log.String(); !strings.Contains(text, "settings=[cache.pins]") || !strings.Contains(text, `changed="[tenant scheduler.deadline_ms]"`) {
		t.Errorf("%s", text)
	}
	answer(t, tcp, "POST", p.url()+"/v1/completions", body, "X-Api-Key", "foo")
	p.log.wait(t, "tenant=night", 1)
	write("[[tenant]]\nname = \"none\"\n")
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.log.wait(t, "c.toml:7:3: tenant[0]: tenant", 1)
	answer(t, tcp, "POST", p.url()+"/v1/completions", body, "X-Api-Key", "foo")
	p.log.wait(t, "tenant=night", 2)
}

// What is pinned, by the settings or over the socket, stays in the cache and is shown; the answers are as before.
func TestPinsOfADaemon(t *testing.T) {
	dir := t.TempDir()
	file, prefix, socket := filepath.Join(dir, "c.toml"), filepath.Join(dir, "support.txt"), filepath.Join(dir, "c.sock")
	text := strings.Repeat("a pinned beginning of prompts ", 20)
	settings := fmt.Sprintf("model = [%q]\nctx = 512\nsocket = %q\n", fixture(t, "llama"), socket)
	for path, content := range map[string]string{prefix: text, file: settings + fmt.Sprintf("[cache]\npins = [%q]\nhalf_life = \"5m\"\n", prefix)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startProcess(t, chimera("serve", "--config", file, "--isolate-tenants"))
	unix := over(socket)
	ask := func(method, path, body string, want int, parts ...string) string {
		t.Helper()
		code, text := answer(t, unix, method, "http://x"+path, body)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s %s: no %s in %s", method, path, part, text)
			}
		}
		if code != want {
			t.Errorf("%s %s: %d %s", method, path, code, text)
		}
		return text
	}
	for end := time.Now().Add(15 * time.Second); !strings.Contains(ask("GET", "/v1/cache", "", 200), `"name":"support","tokens":`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what is pinned does not show")
		}
	}
	for end := time.Now().Add(15 * time.Second); !strings.Contains(ask("GET", "/v1/cache", "", 200, `"half_life_seconds":300`), `"ready":true`); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what is pinned is never computed")
		}
	}
	request := fmt.Sprintf(`{"prompt":%q,"max_tokens":3,"temperature":0}`, text+"and its end")
	if text := ask("POST", "/v1/completions", request, 200); strings.Contains(text, `"cached_tokens":0`) {
		t.Errorf("the pin is not found: %s", text)
	}
	ask("POST", "/v1/cache/pins", fmt.Sprintf(`{"name":"other","prompt":%q}`, text), 200, `"name":"other"`)
	ask("POST", "/v1/cache/pins", `{"name":"support","prompt":"something else that is long enough to fill a page or two of the cache, whatever the vocabulary"}`, 409, "not_pinned", "unpin it first")
	ask("POST", "/v1/cache/pins", `{"name":"short","prompt":"x"}`, 400, "16 to 512")
	ask("DELETE", "/v1/cache/pins", `{"name":"other"}`, 200)
	ask("DELETE", "/v1/cache/pins", `{"name":"other"}`, 404, "no_such_pin")
	if r := runBinary(t, "", "cache", "--server", socket); r.code != 0 || !strings.Contains(r.out, "requests found a prefix") || !strings.Contains(r.out, "support") {
		t.Errorf("%+v", r)
	}
	for name, args := range map[string][]string{
		"too much": {"--cache-pins", prefix + "=a", "--cache-pins", prefix + "=b", "--isolate-tenants=false", "--ctx", "16", "--max-sequences", "1", "--socket", socket + "2"},
		"no such":  {"--cache-pins", prefix + "x", "--socket", socket + "2"},
	} {
		if r := runBinary(t, "", append([]string{"serve", "--config", file}, args...)...); r.code != 2 || !strings.Contains(r.errors, "cache.pins: ") {
			t.Errorf("%s: exit %d: %s", name, r.code, r.errors)
		}
	}
}
