package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// This file owns tests of a daemon's edge: who is let in, by which address.

func TestForeignPagesAreRefused(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "c.sock")
	p := startProcess(t, chimera("serve", "--socket", socket, "--http", "127.0.0.1:0", "--ctx", "128", "--model", fixture(t, "llama"),
		"--allowed-hosts", "chat.example", "--cors-origins", "https://ui.example", "--log-format", "json"))
	for _, c := range []struct {
		address, host, origin string
		want                  int
	}{
		{p.url(), "", "", 200},
		{p.url(), "localhost:1234", "", 200},
		{p.url(), "chat.example", "", 200},
		{p.url(), "evil.example", "", 403},
		{p.url(), "", "https://ui.example", 200},
		{p.url(), "", "https://evil.example", 403},
		{p.url(), "", "null", 403},
		{"http://unix", "evil.example", "https://evil.example", 200},
	} {
		client := http.DefaultClient
		if c.address == "http://unix" {
			client = over(socket)
		}
		request, err := http.NewRequest("POST", c.address+"/v1/completions", strings.NewReader(`{"prompt":[1,2],"max_tokens":1}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/plain")
		if c.host != "" {
			request.Host = c.host
		}
		if c.origin != "" {
			request.Header.Set("Origin", c.origin)
		}
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != c.want || r.Header.Get("X-Request-Id") == "" {
			t.Errorf("%+v: %d %s", c, r.StatusCode, text)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	if want := `"msg":"request","id":"req-`; !strings.Contains(p.log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, p.log)
	}
}
