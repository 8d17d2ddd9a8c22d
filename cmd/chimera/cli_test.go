package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chimera/config"
	"chimera/weights"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"chimera/daemon"
	"chimera/gpu"
)

// This file owns tests of the command line: help, exit codes, errors, and the verbs that talk.

// result is what a run of the binary left.
type result struct {
	code        int
	out, errors string
}

func runBinary(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	c := chimera(args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// Every verb, also one below another, says what it is for, how it is typed, an example that begins with it, and what each flag means.
func TestHelpOfEveryVerb(t *testing.T) {
	root := runBinary(t, "", "--help")
	met := 0
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for _, verb := range c.Commands() {
			met++
			path := strings.TrimPrefix(verb.CommandPath(), "chimera ")
			if !strings.Contains(path, " ") && !strings.Contains(root.out, "\n  "+path+" ") {
				t.Errorf("chimera --help does not name %s", path)
			}
			checkHelp(t, path)
			visit(verb)
		}
	}
	visit(rootCommand())
	if met != 37 {
		t.Errorf("%d verbs", met)
	}
}

func checkHelp(t *testing.T, verb string) {
	t.Helper()
	r := runBinary(t, "", append(strings.Fields(verb), "--help")...)
	if r.code != 0 || r.errors != "" {
		t.Errorf("%s --help: exit %d, %q", verb, r.code, r.errors)
	}
	purpose, _, _ := strings.Cut(r.out, "\nUsage:")
	if strings.Count(purpose, ". ")+strings.Count(purpose, ".\n") == 0 {
		t.Errorf("%s --help does not say in a sentence what it is for", verb)
	}
	for _, part := range []string{"Usage:\n  chimera " + verb, "Examples:\n  ", "chimera " + verb, "Flags:\n"} {
		if !strings.Contains(r.out, part) {
			t.Errorf("%s --help has no %q", verb, part)
		}
	}
	for line := range strings.Lines(r.out) {
		if utf8.RuneCountInString(line) > 160 && !strings.Contains(line, "--") {
			t.Errorf("%s --help: a line of %d columns: %q", verb, len(line), line)
		}
		if flag := strings.TrimSpace(line); strings.HasPrefix(flag, "--") && len(strings.Fields(flag)) < 3 {
			t.Errorf("%s: %q says nothing", verb, flag)
		}
	}
}

// Every way to fail has its exit code, and says what was wrong and where to look.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.gguf")
	if err := os.WriteFile(bad, []byte("not a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	none, out := filepath.Join(dir, "none.gguf"), filepath.Join(dir, "out")
	toml := filepath.Join(dir, "c.toml")
	if err := os.WriteFile(toml, []byte("treads = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := filepath.Join(dir, "no.sock")
	for _, c := range []struct {
		args string // separated by spaces
		code int
		want string // in the message
	}{
		{"version", 0, ""}, {"", 0, ""}, {"help serve", 0, ""},
		{"srve", 2, "serve"}, {"nonsense", 2, `unknown command "nonsense"`}, {"--nonsense", 2, "unknown flag"},
		{"serve --treads 1", 2, "did you mean --threads?"}, {"bench serve --request 1", 2, "did you mean --requests?"}, {"bench --request 1", 2, "did you mean --requests?"}, {"ps --xyzzy", 2, "unknown flag: --xyzzy\n"},
		{"serve", 2, "no model: give --model PATH"}, {"serve extra", 3, "extra: there is no such file"}, {"serve " + none + " --model a=none", 2, "two models have that name"}, {"serve --config " + toml, 2, toml + ":1:1: unknown key treads"},
		{"serve --config " + none, 2, none}, {"serve --model x --http bad", 2, `address "bad"`}, {"serve --model x --kv-type q4", 2, "use f32, f16 or q8_0"},
		{"serve --model x --threads -1", 2, "--threads"}, {"serve --model a=x --model b=x", 2, "two models have that name"},
		{"serve --model " + none, 3, none + ": there is no such file"}, {"serve --model " + bad, 3, bad},
		{"show", 2, "MODEL is missing\nUsage:   chimera show MODEL [flags]\nExample: chimera show m.gguf\n"}, {"show a b", 2, "\"b\" is one operand too many\nUsage: "}, {"show " + none, 3, "no such file"}, {"show " + bad, 3, bad}, {"show " + bad + " --isa mmx", 2, "--isa"},
		{"tokenize", 2, "\"model\" not set\nUsage:   chimera tokenize --model MODEL [flags]\nExample: echo"}, {"tokenize " + bad, 2, "takes flags alone; did you mean --model " + bad + "?\nUsage: "},
		{"bench memry", 2, "did you mean 'chimera bench memory'?"}, {"perplexity m.gguf", 2, "did you mean --model m.gguf?"}, {"tokenize --model " + none, 3, "no such file"}, {"tokenize --model " + bad, 3, bad},
		{"template", 2, "model"}, {"template --model a --template b", 2, "model"}, {"template --model " + none, 3, "no such file"}, {"template --template " + none, 2, none + "\" is neither a file"},
		{"logits --model x --out y", 2, "ids"}, {"logits --model x --ids 1,a --out y", 2, `"a" is no token id`}, {"logits --model x --ids 1 --out y --positions some", 2, "last or all"},
		{"logits --ids 1 --out " + out + " --model " + none, 3, "no such file"}, {"logits --ids 1 --out " + out + " --model " + bad, 3, bad},
		{"perplexity --model " + none, 2, `"text" not set`}, {"perplexity --model " + none + " --text " + toml, 3, "no such file"}, {"perplexity --model " + bad + " --text " + none, 1, none},
		{"perplexity --model " + bad + " --text " + toml + " --ctx x", 2, "--ctx"}, {"perplexity --model " + bad + " --text " + toml, 3, bad},
		{"quantize --type f16 " + none, 2, "OUT is missing\nUsage: "}, {"quantize --type f16", 2, "IN is missing"}, {"quantize " + bad + " " + out, 2, `flags in the group [type mix] is required`}, {"quantize --type f16 " + none + " " + out, 3, "no such file"}, {"quantize --type f16 " + bad + " " + out, 3, bad},
		{"run hello --server " + nobody, 1, "no daemon answers at " + nobody + ": start one with 'chimera serve --model FILE'"},
		{"chat --server " + nobody, 0, ""}, {"ps --server " + nobody, 1, "start one with"}, {"cache --server " + nobody, 1, "start one with"}, {"load x --server " + nobody, 1, "start one with"}, {"load", 2, "NAME is missing"}, {"tier set", 2, "TIER is missing"}, {"tier auto --server " + nobody, 1, "start one with"}, {"explain", 2, "ID is missing"}, {"replay x --prompt-file " + none, 1, "no such file"}, {"replay x --receipt " + toml, 1, toml + " is no receipt"}, {"forget a b", 2, "one operand too many"}, {"quality --server " + nobody, 1, "start one with"}, {"report --server " + nobody, 1, "start one with"}, {"report --out x.pdf", 2, "must end in .html, .md or .json"}, {"report --fail-on x", 2, "the one word that it takes is missed"}, {"unload a b", 2, "one operand too many"}, {"bench serve --server " + nobody, 1, "start one with"},
		{"run", 2, "there is no prompt: give one, or send it to standard input\nUsage:   chimera run PROMPT... [flags]\nExample: chimera run \""}, {"ps --servr x", 2, "did you mean --server?"}, {"serve --kv_typ=f16", 2, "did you mean --kv-type?"}, {"run --temperature hot x", 2, "--temperature"}, {"bench --server " + nobody, 1, "start one with"}, {"bench --clients 0", 2, "--clients"}, {"bench serve --clients 0", 2, "--clients"}, {"bench serve --rate NaN", 2, "--rate"},
		{"bench srve", 2, "did you mean 'chimera bench serve'?"}, {"bench serve --header x", 2, "--header"}, {"bench serve --header a b:c", 2, ""}, {"bench serve --repeat -1", 2, "--repeat"},
		{"bench engine", 2, `"model" not set`}, {"bench engine --model " + none, 3, "no such file"}, {"bench engine --model " + bad, 3, bad}, {"bench engine --model x --rounds 0", 2, "--rounds"},
		{"bench engine --model x --rows 8,+4", 2, `--rows: "+4": use R or R+P`}, {"bench engine --model x --rows 8+0", 2, `--rows: "8+0"`}, {"bench engine --model x --rows 0", 2, "--rows"}, {"bench engine --model x --rows 9999999999999999999", 2, "--rows"}, {"bench engine --model x --rows 16384+1", 2, "--rows"},
		{"bench engine --model x --mix 8,128,64", 2, "--mix \"8,128,64\": use serve:"}, {"bench engine --model x --mix serve:0,1,1", 2, "--mix"}, {"bench engine --model x --mix serve:8,128", 2, "--mix"}, {"bench engine --model x --mix serve:8,128,x", 2, "--mix"}, {"bench engine --model x --mix serve:16384,128,1", 2, "--mix"},
		{"run x --server=", 2, "--server is empty"}, {"chat --server=", 2, "--server is empty"}, {"ps --server=", 2, "--server is empty"}, {"gpu --server=", 2, "--server is empty"}, {"bench --server=", 2, "--server is empty"},
		{"ps --server 127.0.0.1:1", 1, "no daemon answers at"}, {"gpu --server " + nobody, 1, "no daemon answers at " + nobody}, {"gpu --local", 0, ""}, {"gpu --local --json", 0, ""},
		{"gpu --local --server x", 2, "[local server]"}, {"gpu extra", 2, "extra"}, {"version extra", 2, "extra"},
	} {
		r := runBinary(t, "", strings.Fields(c.args)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) {
			t.Errorf("chimera %s: exit %d, want %d with %q\n%s", c.args, r.code, c.code, c.want, r.errors)
		}
		if c.code != 0 && (!strings.HasPrefix(r.errors, "chimera: ") && !strings.Contains(r.errors, "\nchimera: ") || strings.Contains(r.errors, "goroutine ")) {
			t.Errorf("chimera %s: %q", c.args, r.errors)
		}
		if (c.code == 2) != strings.Contains(r.errors, "--help' ") && (c.code == 2) != strings.Contains(r.errors, "--help'.") {
			t.Errorf("chimera %s: the way to --help: %q", c.args, r.errors)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("chimera %s has left %s", c.args, out)
		}
	}
}

// What ends a daemon decides its code: the unit starts it again after 10 and leaves it down after 11.
func TestExitCodesOfServe(t *testing.T) {
	poisoned := fmt.Errorf("the engine stopped: step failed: %w", daemon.ErrPoisoned)
	verdict := func(n gpu.Need) error { return &daemon.GPUError{Verdict: gpu.Verdict{Needs: n}, Cause: poisoned} }
	for want, list := range map[int][]error{
		10: {daemon.ErrPoisoned, poisoned, errors.Join(errors.New("closing"), poisoned), verdict(gpu.NewProcess)},
		11: {verdict(gpu.Reset), verdict(gpu.Reboot), fmt.Errorf("serve: %w", verdict(gpu.NewCard))},
		1:  {errors.New("poisoned")},
		2:  {&config.Error{Err: errors.New("x")}},
		3:  {daemon.ErrModelFile},
	} {
		for _, err := range list {
			if got := exitCode(err); got != want {
				t.Errorf("%v: exit %d, want %d", err, got, want)
			}
		}
	}
	help := runBinary(t, "", "--help").out
	readme, err := os.ReadFile("../../README.md")
	for _, code := range []int{exitFailed, exitUsage, exitModel, daemon.ExitRestart, daemon.ExitOutOfService, exitInterrupted} {
		if text := fmt.Sprintf("%d ", code); err != nil || !strings.Contains(help, text) || !strings.Contains(string(readme), text) {
			t.Errorf("exit code %d is not in --help and README (%v)", code, err)
		}
	}
}

// A line that is wrong is named, and what it must be.
func TestTokenizeNamesTheLine(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(model, tinyModel(t, sound), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		input, want string
		args        []string
	}{
		{"\"a\"\nhello\n", "line 2: it must be a JSON string", nil},
		{"[1]\n[1,\"2\"]\n", "line 2: it must be a JSON array of token ids", []string{"--decode"}},
		{"[1]\n[999999]\n", "line 2: id 999999 lies outside the vocabulary", []string{"--decode"}},
	} {
		r := runBinary(t, c.input, append([]string{"tokenize", "--model", model}, c.args...)...)
		if r.code != 1 || !strings.Contains(r.errors, c.want) || strings.Count(r.out, "\n") != 1 {
			t.Errorf("%q: exit %d, %q %q", c.input, r.code, r.out, r.errors)
		}
	}
}

// A text that begins with its BOS has one, not two, in all that the offline verbs do with it.
func TestOfflineVerbsAddOneBOS(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(model, tinyModel(t, sound), 0o600); err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{`"ab"`: "[1,6,5]", `"<s>ab"`: "[1,6,5]", `" <s>ab"`: "[1,6,5]", `""`: "[1]"} {
		if r := runBinary(t, input, "tokenize", "--model", model, "--add-special", "--parse-special"); r.code != 0 || strings.TrimSpace(r.out) != want {
			t.Errorf("%s: exit %d, %q, want %s; %s", input, r.code, r.out, want, r.errors)
		}
	}
	text := strings.Repeat("ab", 20)
	var outcome [2]string
	for i, text := range []string{text, "<s>" + text} {
		r := runBinary(t, text, "perplexity", "--model", model, "--ctx", "8", "--parse-special", "--text", "-")
		if r.code != 0 {
			t.Fatalf("exit %d: %s", r.code, r.errors)
		}
		outcome[i] = r.out
	}
	if outcome[0] != outcome[1] || outcome[0] == "" {
		t.Errorf("perplexity of a text %q, with its BOS %q", outcome[0], outcome[1])
	}
}

// A start that fails says why, once, and nothing of requests that nobody made.
func TestFailedStartSaysWhyAlone(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	broken := tinyModel(t, func(set func(string, weights.ValueType, any), _ map[string][]uint64) {
		set("tokenizer.chat_template", weights.Uint32, uint64(5))
	})
	if err := os.WriteFile(model, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	r := runBinary(t, "", "serve", "--model", model, "--socket", filepath.Join(t.TempDir(), "s"))
	if r.code != 3 || strings.Contains(r.errors, "draining") || strings.Count(r.errors, model) != 1 || !strings.Contains(r.errors, "key tokenizer.chat_template: want a string") {
		t.Errorf("exit %d: %q", r.code, r.errors)
	}
}

// Read directly, without a GPU the list is empty, which is no failure.
func TestGPULocal(t *testing.T) {
	for _, args := range [][]string{{"gpu", "--local"}, {"gpu", "--local", "--json"}} {
		r := runBinary(t, "", args...)
		var answer struct {
			Devices []any
			Reason  string
		}
		if len(args) == 3 {
			if err := json.Unmarshal([]byte(r.out), &answer); err != nil || answer.Devices == nil || (answer.Reason == "") != (len(answer.Devices) > 0) {
				t.Errorf("%v: %v %s", args, err, r.out)
			}
		}
		if r.code != 0 || r.errors == "" && r.out == "" {
			t.Errorf("%v: exit %d\n%s%s", args, r.code, r.out, r.errors)
		}
	}
}

// fakeServer answers as any OpenAI-compatible server would: with the last message, word by word.
func fakeServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/v1/models":
			io.WriteString(w, `{"data":[{"id":"echo","loaded":true,"max_model_len":99}]}`)
		case "/v1/gpu":
			io.WriteString(w, `{"devices":[{"index":0,"name":"X","bus":"0000:17:00.0","verdict":{"action":"degrade","reason":"hot"},"reading":{"power_watts":412.5}}]}`)
		case "/v1/cache":
			io.WriteString(w, `{"caches":[{"model":"echo","lookups":8,"hits":6,"prefixes":[{"name":"n","key":"0a","tokens":32,"uses":2,"hotness":1.5,"saved_seconds":0.25}]}]}`)
		case "/v1/quality":
			io.WriteString(w, `{"windows":[{"until":"2027-01-02T03:04:05Z","model":"echo","tenant":"day","class":"batch","requests":7,"refused":2,"qps":0.5,"ttft_ms":{"mean":12,"p95":34},"missed":["qps","ttft_ms"]}],"ratings":31,"correlations":[{"measure":"ttft_ms","n":31,"pearson":0.25,"pearson_low":-0.125,"pearson_high":0.5},{"measure":"chrf","n":3,"problem":"3 rated answers, it takes 30"}]}`)
		case "/v1/report":
			fmt.Fprintf(w, `{"scope":%q,"executive_summary":[{"model":"echo","missed":["qps"],"statements":[{"topic":"Throughput","status":"missed","text":"It completed 2 queries a second."}]}],"optimisation_recommendations":[{"model":"echo"}],"risks":[]}`, r.URL.RawQuery)
		case "/v1/tiers":
			entry := `{"model":"echo","tier":"q4_k","generation":3,"mode":"manual","until":"2027-01-02T03:04:05Z","ladder":[{"tier":"source","bytes":2000000,"scores":{},"state":"holds"},{"tier":"q4_k","scores":{"chrf":{"value":52.5,"low":-0.25,"high":0.5}},"state":"unsure"}],"events":[{"time":"2027-01-02T03:04:05Z","from":"source","to":"q2_k","reason":"asked","state":"reverted","problem":"no room"}]}`
			if r.Method == "GET" {
				entry = `{"models":[` + entry + `]}`
			} else if got := string(body); got != `{"model":"echo","tier":"q4_k","for":"2h"}` && got != `{"tier":"auto"}` {
				http.Error(w, got, 400)
				return
			}
			io.WriteString(w, entry)
		case "/v1/experiments":
			if r.Method == "POST" && string(body) != `{"model":"echo","factors":["tier","door"],"for":"2m","now":true}` {
				http.Error(w, string(body), 400)
				return
			}
			io.WriteString(w, `{"running":{"model":"echo","factor":"door","done":1,"of":2,"since":"2027-01-02T03:04:05Z","waiting":true},"factors":[],"problems":[{"model":"echo","factor":"door","problem":"no room"}],"experiments":[{"time":"2027-01-02T03:04:05Z","model":"echo","kind":"setting","factor":"tier","off":"source","on":"q8_0","n":6,"method":"replay","measures":[{"measure":"qps","before":85,"after":81,"low":-5,"high":-3}]}]}`)
		case "/v1/receipts/cmpl-1":
			io.WriteString(w, `{"id":"1","tokens_digest":"0a","model":"echo","outcome":"stop","queue_ms":1.25,"core_seconds":0.5,"ratings":[4]}`)
		case "/v1/forget":
			fmt.Fprintf(w, `{"rows":%d}`, len(body))
		case "/v1/replay":
			fmt.Fprintf(w, `{"equal":%t,"tokens":3,"tokens_digest":"0a"}`, strings.Contains(string(body), "cmpl-1"))
		case "/v1/models/a/b c/load", "/v1/models/echo/unload":
			if r.Method != "POST" || !strings.Contains("/v1/models/a%2Fb%20c/load /v1/models/echo/unload", r.URL.EscapedPath()) {
				http.Error(w, "bad", 400)
				return
			}
			io.WriteString(w, `{"name":"echo","state":"ready"}`)
		case "/v1/models/other/load":
			w.WriteHeader(403)
			io.WriteString(w, `{"error":{"message":"for root alone"}}`)
		case "/v1/status":
			io.WriteString(w, `{"state":"serving","models":[{"id":"echo","loaded":true,"max_model_len":99}],"requests":{"running":1,"waiting":2},"kv_pages":{"used":3,"total":4}}`)
		default:
			if strings.Contains(string(body), "forever") {
				fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\"endless\"}}]}\n\n")
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			for _, word := range []string{"an ", "answer"} {
				fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", word)
			}
			io.WriteString(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}\n\ndata: [DONE]\n\n")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestTalkVerbs(t *testing.T) {
	server := fakeServer(t).URL
	for _, c := range []struct {
		stdin       string
		args        []string
		out, errors string
	}{
		{"", []string{"run", "why", "so"}, "an answer\n", "time to first token"},
		{"from a pipe\n", []string{"run"}, "an answer\n", "2 tokens"},
		{"one\ntwo\n", []string{"chat", "--system", "s"}, "an answer\nan answer\n", ""},
		{"", []string{"ps"}, "echo", ""},
		{"", []string{"ps"}, "1 running, 2 waiting, 3 of 4 KV pages in use", ""},
		{"", []string{"ps", "--json"}, `"total": 4`, ""},
		{"", []string{"cache"}, "echo: 6 of 8 requests found a prefix", ""},
		{"", []string{"cache"}, "0a      n       32      2     1.50     0.2 s\n", ""},
		{"", []string{"cache", "--json"}, `"hotness": 1.5`, ""},
		{"", []string{"quality"}, "echo   day     batch  7     2        0       0          0.50  0       12       34", ""},
		{"", []string{"quality"}, "qps ttft_ms\n\n31 ratings of the last 30 days\n", ""},
		{"", []string{"quality"}, "ttft_ms     31  0.250 (-0.125 to 0.500)  -         -        \n", ""},
		{"", []string{"quality", "--json"}, `"pearson": 0.25`, ""},
		{"", []string{"report"}, "| Throughput | missed | It completed 2 queries a second. |  |\n", ""},
		{"", []string{"explain", "cmpl-1"}, "cost         0.5 core seconds, - GPU seconds\n", ""},
		{"", []string{"explain", "cmpl-1", "--json"}, `"queue_ms": 1.25`, ""},
		{"", []string{"forget", "cmpl-1"}, "19 rows forgotten\n", ""}, {"", []string{"forget", "--tenant", "day"}, "16 rows forgotten\n", ""},
		{"", []string{"replay", "cmpl-1"}, "the same 3 tokens", ""},
		{"", []string{"tier", "list"}, "*  q4_k    -    -        unsure  chrf 52.5 (-0.25 to +0.5)\n", ""},
		{"", []string{"tier", "list"}, "source to q2_k, reverted: asked; no room\n", ""},
		{"", []string{"tier", "list", "--json"}, `"generation": 3`, ""},
		{"", []string{"tier", "set", "q4_k", "--model", "echo", "--for", "2h"}, "echo: manual until 2027-01-0", ""},
		{"", []string{"tier", "auto"}, "   source  2.0  -        holds   -\n", ""},
		{"", []string{"experiment", "list"}, "echo   setting  tier    source  q8_0  qps 85 to 81\nnot measured: door of echo: no room\n", ""},
		{"", []string{"experiment", "list"}, "door of echo, 1 of 2 done, waiting until nobody is served\n", ""},
		{"", []string{"experiment", "show", "TIER"}, "measured 2027-01-0", ""}, {"", []string{"experiment", "show", "setting"}, "qps      85      81     -4      -5 to -3\n", ""},
		{"", []string{"experiment", "run", "--model", "echo", "--factor", "tier", "--factor", "door", "--for", "2m", "--now"}, "qps 85 to 81\n", ""},
		{"", []string{"experiment", "list", "--json"}, `"waiting": true`, ""},
		{"", []string{"load", "a/b c"}, "", ""}, {"", []string{"unload", "echo"}, "", ""},
		{"", []string{"gpu"}, "degrade: hot", ""},
		{"", []string{"gpu", "--json"}, `"power_watts": 412.5`, ""},
		{"", []string{"bench", "--clients", "2", "--requests", "4", "--prompt-words", "3", "--tokens", "2"}, "4 requests answered, 0 failed", ""},
		{"", []string{"bench", "--requests", "2", "--rate", "100", "--json"}, `"own_cpu_share"`, ""},
	} {
		for _, address := range []string{server, strings.TrimPrefix(server, "http://")} {
			r := runBinary(t, c.stdin, append(c.args, "--server", address)...)
			if r.code != 0 || !strings.Contains(r.out, c.out) || !strings.Contains(r.errors, c.errors) {
				t.Errorf("%v: exit %d\n%s%s", c.args, r.code, r.out, r.errors)
			}
		}
	}
	if r := runBinary(t, "", "load", "other", "--server", server); r.code != 1 || !strings.Contains(r.errors, "403: for root alone") {
		t.Errorf("load: %+v", r)
	}
	t.Setenv("CHIMERA_SERVER", server)
	if r := runBinary(t, "", "run", "x"); r.code != 0 || r.out != "an answer\n" {
		t.Errorf("CHIMERA_SERVER: %+v", r)
	}
	if r := runBinary(t, "", "run", "x", "--server", "/nowhere.sock"); r.code != 1 {
		t.Errorf("the flag does not win over CHIMERA_SERVER: %+v", r)
	}
}

func TestRunInterrupted(t *testing.T) {
	c := chimera("run", "forever", "--server", fakeServer(t).URL)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("endless"))); err != nil {
		t.Fatal(err)
	}
	c.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, out)
	if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted || errs.String() != "chimera: interrupted\n" {
		t.Errorf("%v %q", err, errs.String())
	}
}

// Verbs that work on a file: what they say when nothing is wrong, and what they leave out.
func TestOfflineVerbsSay(t *testing.T) {
	model, out := fixture(t, "llama"), filepath.Join(t.TempDir(), "out.gguf")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("one two three ", 40)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runBinary(t, "", "quantize", "--type", "f16", model, out); r.code != 0 || r.errors != "" {
		t.Errorf("quantize without a terminal: %+v", r)
	}
	for ctx, want := range map[string]string{"1": "--ctx 1 leaves no token to score", "2": "--ctx 2 leaves no token to score", "3": ""} {
		r := runBinary(t, "", "perplexity", "--model", model, "--text", text, "--ctx", ctx)
		if (r.code == 0) != (want == "") || r.code != 0 && r.code != 2 || !strings.Contains(r.errors, want) {
			t.Errorf("perplexity --ctx %s: %+v", ctx, r)
		}
	}
	for flag, sums := range map[string]bool{"--tensors": false, "--sha256": true} {
		r := runBinary(t, "", "show", model, flag)
		if r.code != 0 || !strings.Contains(r.out, "TENSOR") || strings.Contains(r.out, "SHA256") != sums {
			t.Errorf("show %s: %+v", flag, r)
		}
	}
}
