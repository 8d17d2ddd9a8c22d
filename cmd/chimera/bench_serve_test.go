package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// This file owns tests of what bench serve sends and prints.

// The fields asked for are in each head, the prompts are as told, and what is printed as JSON says how it went.
func TestBenchServe(t *testing.T) {
	var mu sync.Mutex
	var prompts []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Prompt    string
			MaxTokens int  `json:"max_tokens"`
			IgnoreEOS bool `json:"ignore_eos"`
		}
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil || r.Header.Get("X-Chimera-Class") != "batch" || r.Header.Get("Authorization") != "Bearer a:b" || body.MaxTokens != 7 || !body.IgnoreEOS {
			t.Errorf("%v %s %v", err, text, r.Header)
		}
		mu.Lock()
		prompts = append(prompts, body.Prompt)
		n := len(prompts)
		mu.Unlock()
		if n == 4 {
			http.Error(w, `{"error":{"message":"full"}}`, http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n")
	}))
	defer s.Close()
	args := []string{
		"bench", "serve", "--server", s.URL, "--json", "--requests", "6", "--warm-up", "2", "--repeat", "2", "--shared-words", "5", "--prompt-words", "3", "--tokens", "7",
		"--header", "X-Chimera-Class: batch", "--header", "authorization:Bearer a:b",
	}
	r := runBinary(t, "", args...)
	var report struct {
		Completed, Failed int
		Errors            map[string]int
		Little            struct {
			InFlight float64 `json:"in_flight"`
		} `json:"littles_law"`
		Share float64 `json:"own_cpu_share"`
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 {
		t.Fatalf("%v, exit %d, %s%s", err, r.code, r.out, r.errors)
	}
	if report.Completed != 5 || report.Failed != 1 || report.Errors["429"] != 1 || report.Little.InFlight <= 0 || report.Little.InFlight > 1 || report.Share <= 0 {
		t.Errorf("%+v\n%s", report, r.out)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, p := range prompts {
		if len(strings.Fields(p)) != 8 || p != prompts[i%2] || i == 1 && p == prompts[0] {
			t.Errorf("prompt %d: %q", i, p)
		}
	}
}
