package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// This file owns tests of a daemon that is asked while it loads.

// over is a client of a Unix socket.
func over(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
}

// The listeners answer before the model is there: health says that it is loading, and a request waits for a small model.
func TestAskedWhileLoading(t *testing.T) {
	model := os.Getenv("CHIMERA_SMOLLM2")
	if model == "" {
		t.Skip("CHIMERA_SMOLLM2 is not set: the fixtures load too fast to be asked")
	}
	socket := filepath.Join(t.TempDir(), "c.sock")
	p := &process{cmd: chimera("serve", "--socket", socket, "--ctx", "128", "--model", model), log: &lockedBuffer{}}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	client := over(socket)
	ask := func(method, path, body string) (int, string) {
		request, _ := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
		r, err := client.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(text)
	}
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(time.Millisecond) {
		code, _ := ask("GET", "/health/live", "")
		if code == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("nobody answers:\n%s", p.log)
		}
	}
	if code, text := ask("GET", "/health/ready", ""); code != 503 || !strings.Contains(text, `"loading"`) {
		t.Errorf("ready: %d %s", code, text)
	}
	if code, text := ask("GET", "/v1/status", ""); code != 200 || !strings.Contains(text, `"state":"loading","loading_percent":`) {
		t.Errorf("status: %d %s", code, text)
	}
	if code, text := ask("POST", "/v1/completions", `{"prompt":"x","max_tokens":1}`); code != 200 {
		t.Errorf("a request that waits: %d %s", code, text)
	}
	if code, text := ask("GET", "/health/ready", ""); code != 200 {
		t.Errorf("ready: %d %s", code, text)
	}
	if code, text := ask("GET", "/v1/status", ""); code != 200 || !strings.Contains(text, `"state":"serving"`) || !strings.Contains(text, `"numerics_id":"`) {
		t.Errorf("status: %d %s", code, text)
	}
}
