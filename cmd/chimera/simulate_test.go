package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// This file owns the tests of the verb simulate.

const publishedTrace = "../../scheduler/trace/testdata/mooncake_conversation.jsonl"

func TestSimulate(t *testing.T) {
	r := runBinary(t, "", "simulate", "--trace", publishedTrace, "--first", "40", "--speed", "0.02", "--ctx", "8000", "--json")
	var report struct {
		Requests, Answered int
		TTFT               struct {
			N   int
			P50 float64
		} `json:"ttft_ms"`
	}
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != 0 || report.Answered != report.Requests || report.TTFT.N != report.Answered || report.TTFT.P50 < 100 {
		t.Fatalf("%+v, %v", r, err)
	}
	if !strings.Contains(r.errors, "requests of more than 8000 tokens are left out (--ctx)") || report.Requests >= 40 || report.Requests < 30 {
		t.Errorf("%d requests\n%s", report.Requests, r.errors)
	}
	again := runBinary(t, "", "simulate", "--trace", publishedTrace, "--first", "40", "--speed", "0.02", "--ctx", "8000", "--json")
	if again.out != r.out {
		t.Errorf("another time it gives\n%s\nnot\n%s", again.out, r.out)
	}
	people := runBinary(t, "", "simulate", "--synthetic", "requests=50,tenants=ann:1/bob:1")
	for _, want := range []string{"50 requests in ", "50: 50 answered", "TTFT", "in the queue", "ann ", "bob "} {
		if !strings.Contains(people.out, want) {
			t.Errorf("it lacks %q:\n%s%s", want, people.out, people.errors)
		}
	}
	slow := runBinary(t, "", "simulate", "--synthetic", "-", "--cost", file(t, `{"constant_ms":5000}`))
	if !strings.Contains(slow.out, "steps of 5000.0 ms") {
		t.Errorf("%+v", slow)
	}
}

// file is a new one with that text.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "given")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSimulateRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "at least one of the flags in the group [trace synthetic] is required"},
		{"--synthetic - --trace x", "none of the others can be"},
		{"--synthetic rate=-1", "synthetic: rate=-1: use a number between"},
		{"--synthetic color=red", `"color" is no parameter`},
		{"--trace /nowhere/t", "/nowhere/t: no such file"},
		{"--trace " + file(t, "{}"), "given:1: no trace is known by its first line"},
		{"--trace " + file(t, `{"chimera_trace":1,"block_tokens":16,"started":"2026-01-02T03:04:05Z"}`+"\n"+`{"prompt":0}`), "given:2: a prompt of 0 tokens"},
		{"--synthetic - --cost " + file(t, "{}"), "given: it has no coefficients"},
		{"--synthetic - --ctx 2", "raise --ctx"},
		{"--synthetic - --pages 0", ""},
		{"--synthetic - --speed 0", "--speed"},
		{"--synthetic - --step-tokens 0", "--step-tokens"},
		{"--synthetic - --without ageing,class --rule Horizon=64 --rule ShortStep=1s --itl-ms 50", ""},
		{"--synthetic - --without agein", `--without: "agein" is no characteristic of the policy: there are class,`},
		{"--synthetic - --rule Horizont=64", `"Horizont" is no constant of the policy: there are`},
		{"--synthetic - --rule Horizon", "whole"},
	} {
		r := runBinary(t, "", append([]string{"simulate"}, strings.Fields(c.args)...)...)
		if c.want == "" {
			if r.code != 0 {
				t.Errorf("%s: %+v", c.args, r)
			}
			continue
		}
		if r.code != exitUsage || !strings.Contains(r.errors, c.want) || r.out != "" {
			t.Errorf("%s: %+v, want %q", c.args, r, c.want)
		}
	}
}
