package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// This file owns tests of what a real daemon remembers, by the verbs that ask it, and after it was killed.

// ask has the daemon answer a request and returns the completion's id and the request.
func (d *daemonProcess) ask(t *testing.T, folder string) (id, request string) {
	t.Helper()
	body := `{"prompt":"Once upon a time","max_tokens":8,"temperature":0.9,"seed":3}`
	code, text := answer(t, http.DefaultClient, "POST", d.http+"/v1/completions", body)
	var a struct{ ID string }
	if err := json.Unmarshal([]byte(text), &a); err != nil || code != 200 || !regexp.MustCompile(`^cmpl-[0-9a-f]{32}$`).MatchString(a.ID) {
		t.Fatalf("%d %s", code, text)
	}
	request = filepath.Join(folder, "request.json")
	if err := os.WriteFile(request, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return a.ID, request
}

// An answer is explained, computed again here and on another daemon, and forgotten, by the verbs.
func TestReceiptVerbs(t *testing.T) {
	model := fixture(t, "llama")
	folder := t.TempDir()
	first, second := startDaemon(t, "--model", model, "--ctx", "256", "--quality-control-share", "0"), startDaemon(t, "--model", model, "--ctx", "256", "--threads", "1")
	id, request := first.ask(t, folder)
	receipt, text := filepath.Join(folder, "receipt.json"), filepath.Join(folder, "prompt.txt")
	verb := func(d *daemonProcess, code int, want string, args ...string) result {
		t.Helper()
		r := runBinary(t, "", append(args, "--server", d.socket)...)
		if r.code != code || !strings.Contains(r.out+r.errors, want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", args, r.code, code, want, r.out, r.errors)
		}
		return r
	}
	verb(first, 0, "temperature 0.9, top_p 1, top_k 0, seed 3", "explain", id)
	r := verb(first, 0, `"tokens_digest"`, "explain", id, "--json")
	for path, content := range map[string]string{receipt: r.out, text: "Once upon a time"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verb(first, 1, "the prompt was not kept", "replay", id)
	verb(first, 0, "the same 8 tokens", "replay", id, "--prompt-file", request)
	verb(first, 0, "the same 8 tokens", "replay", strings.TrimPrefix(id, "cmpl-"), "--prompt-file", text)
	verb(second, 1, "no such answer", "replay", id, "--prompt-file", request)
	verb(second, 0, "the same 8 tokens", "replay", id, "--receipt", receipt, "--prompt-file", request)
	verb(second, 1, "is the receipt of", "replay", "cmpl-"+strings.Repeat("0", 32), "--receipt", receipt, "--prompt-file", request)
	if err := os.WriteFile(receipt, []byte(strings.Replace(r.out, `"seed": 3`, `"seed": 4`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	verb(second, 1, "the tokens are others than then, with the same numerics", "replay", id, "--receipt", receipt, "--prompt-file", request)
	verb(first, 0, "0 ratings of the last 30 days", "quality")
	verb(first, 0, `"correction_f1"`, "quality", "--json")
	verb(first, 0, "1 rows forgotten", "forget", id)
	verb(first, 1, "no such answer", "explain", id)
	verb(first, 0, "0 rows forgotten", "forget", "--tenant", "nobody")
}

// A daemon that is killed at any moment has lost no more than its last second, and the next one goes on with the file.
func TestHistoryOfAKilledDaemon(t *testing.T) {
	model, folder := fixture(t, "llama"), t.TempDir()
	file := filepath.Join(folder, "history.db")
	args := []string{"--model", model, "--ctx", "256", "--history-file", file}
	d := startDaemon(t, args...)
	var ids []string
	var last time.Time
	for range 5 {
		id, _ := d.ask(t, folder)
		ids, last = append(ids, id), time.Now()
	}
	time.Sleep(time.Until(last.Add(1100 * time.Millisecond)))
	unwritten, _ := d.ask(t, folder)
	if err := d.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = d.cmd.Wait()
	next := startDaemon(t, args...)
	for _, id := range ids {
		if r := runBinary(t, "", "explain", id, "--server", next.socket); r.code != 0 {
			t.Errorf("%s is lost: %s", id, r.errors)
		}
	}
	if r := runBinary(t, "", "explain", unwritten, "--server", next.socket); r.code != 0 && !strings.Contains(r.errors, "no such answer") {
		t.Errorf("%s", r.errors)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if strings.Contains(next.log.String(), "damaged") {
		t.Errorf("the file was damaged:\n%s", next.log)
	}
}

// Of two daemons with one file the second serves without, and says so.
func TestHistoryInUse(t *testing.T) {
	model, file := fixture(t, "llama"), filepath.Join(t.TempDir(), "history.db")
	first := startDaemon(t, "--model", model, "--ctx", "256", "--history-file", file)
	second := startDaemon(t, "--model", model, "--ctx", "256", "--history-file", file)
	id, _ := second.ask(t, t.TempDir())
	if r := runBinary(t, "", "explain", id, "--server", second.socket); r.code != 1 || !strings.Contains(r.errors, "503: the history can't be asked") {
		t.Errorf("exit %d: %s", r.code, r.errors)
	}
	if text := second.log.String(); !strings.Contains(text, "there is no history") || !strings.Contains(text, "in use by another process") {
		t.Error(text)
	}
	if id, _ := first.ask(t, t.TempDir()); runBinary(t, "", "explain", id, "--server", first.socket).code != 0 {
		t.Error("the first has no history either")
	}
}
