package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/scheduler/trace"
)

// This file owns the tests of what a daemon records.

// A daemon records what it was asked, and how it ended, but no word of it.
func TestRecordTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.jsonl")
	d := startDaemon(t, "--model", fixture(t, "llama"), "--ctx", "128", "--record-trace", path, "--queue-length", "2")
	tokens := make([]int, 40)
	for i := range tokens {
		tokens[i] = 5 + i*7%400
	}
	ask := func(prompt []int, n int) error {
		_, err := post(http.DefaultClient, d.http, map[string]any{"prompt": prompt, "max_tokens": 7, "ignore_eos": true, "n": n})
		return err
	}
	for range 2 {
		if err := ask(tokens, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(tokens[:20], 2); err != nil {
		t.Fatal(err)
	}
	if err := ask(tokens[1:20], 3); err == nil {
		t.Error("three answers are taken by a queue of two")
	}
	if _, err := streamOnce(d, map[string]any{"prompt": tokens[2:20], "max_tokens": 100, "ignore_eos": true}, true, 2); err != nil {
		t.Fatal(err)
	}
	settled(t, d, "chimera_requests_running", 0)
	status := runBinary(t, "", "ps", "--json", "--server", d.http)
	d.stop(t)
	if r := runBinary(t, "", "simulate", "--trace", path, "--cost", file(t, status.out)); r.code != 0 || !strings.Contains(r.out, "8: 8 answered") || !strings.Contains(status.out, `"constant_ms"`) {
		t.Errorf("what was recorded, with what steps took: %+v\n%s", r, status.out)
	}
	tr, err := trace.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r := tr.Requests
	if len(r) != 8 {
		t.Fatalf("%d requests are recorded, want 8: %+v", len(r), r)
	}
	for i, want := range [][2]int{{40, 7}, {40, 7}, {20, 7}, {20, 7}, {19, 7}, {19, 7}, {19, 7}} {
		if r[i].Prompt != want[0] || r[i].Answer != want[1] && !r[i].Refused {
			t.Errorf("request %d: %+v, want %v", i, r[i], want)
		}
	}
	if hung := r[7]; hung.Prompt != 18 || hung.Answer < 2 {
		t.Errorf("the one that hung up: %+v", hung)
	}
	if len(r[0].Blocks) != 2 || r[0].Blocks[1] != r[1].Blocks[1] || r[0].Blocks[0] != r[2].Blocks[0] || r[0].Blocks[0] == r[4].Blocks[0] {
		t.Errorf("what they share is lost: %v %v %v %v", r[0].Blocks, r[1].Blocks, r[2].Blocks, r[4].Blocks)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), `"end":"refused"`) != 3 || strings.Count(string(text), `"end":"`) > 4 {
		t.Errorf("%v\n%s", err, text)
	}
	if r := runBinary(t, "", "serve", fixture(t, "llama"), "--record-trace", t.TempDir()); r.code != exitUsage || !strings.Contains(r.errors, "record_trace") {
		t.Errorf("a folder: %+v", r)
	}
}
