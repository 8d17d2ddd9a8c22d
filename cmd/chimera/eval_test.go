package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chimera/quality/eval"
)

// This file owns tests of the verb eval: the same figures from a file and from a daemon, runs that are killed, baselines, refusals.

// evalHome gives the binary a folder for journals that is the test's own.
func evalHome(t *testing.T) (journals string) {
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", dir)
	return filepath.Join(dir, "chimera", "eval")
}

func evaluated(t *testing.T, args ...string) (r eval.Report, text string) {
	t.Helper()
	got := runBinary(t, "", append([]string{"eval", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 {
		t.Fatalf("%v: exit %d, %s, %v", args, got.code, got.errors, err)
	}
	return r, got.out
}

// TestEvalTranslation is the fixture's published scores, of the model that a verb loads and of one that a daemon serves to several
// clients at once; as the reference has them, with K and V in f32.
func TestEvalTranslation(t *testing.T) {
	dir := goldenDir(t, "CHIMERA_MT", "mt")
	if testing.Short() {
		t.Skip("it translates 2,000 lines")
	}
	evalHome(t)
	model, lines := filepath.Join(dir, "gguf", "f32.gguf"), filepath.Join(dir, "suite", "test.jsonl")
	own, _ := evaluated(t, "--suite", lines, "--file", model, "--kv-type", "f32")
	d := startDaemon(t, "--model", model, "--kv-type", "f32")
	served, _ := evaluated(t, "--suite", lines, "--url", d.http+"/v1", "--clients", "16")
	for name, r := range map[string]eval.Report{"of the file": own, "served": served} {
		bleu, chrf := r.Scores["bleu"], r.Scores["chrf"]
		if got := fmt.Sprintf("%.4f %.2f", bleu.Value, chrf.Value); got != "28.1257 52.81" || bleu.N != 1000 || r.N != 1000 || r.Failed != 0 {
			t.Errorf("%s: BLEU and chrF %s over %d", name, got, bleu.N)
		}
		if !(*bleu.Low > 25 && *bleu.Low < 27 && *bleu.High > 29.5 && *bleu.High < 31.5) { // the fixture has 25.85 to 30.61
			t.Errorf("%s: the interval is %v to %v", name, *bleu.Low, *bleu.High)
		}
		if short, edge := r.ByTag["short"]["bleu"], r.ByTag["edge"]["bleu"]; fmt.Sprintf("%.2f", short.Value) != "29.65" || short.N != 424 || edge.N != 215 {
			t.Errorf("%s: short lines %+v, edge cases %+v", name, short, edge)
		}
	}
	for i := range own.Items { // which the model itself has read; it holds its own answers for likely
		if own.Items[i].Control.Tokens == 0 || own.Items[i].Control.LogProbability > 0 {
			t.Errorf("%+v", own.Items[i])
		}
		own.Items[i].Control = eval.Reading{}
	}
	if f := own.Scores["fluency"]; f.N != 1000 || !(f.Value > 1 && f.Value < 2) || own.Control != own.Who.Numerics || served.Control != "" {
		t.Errorf("fluency %+v, of %q and %q", f, own.Control, served.Control)
	}
	if own.Digest != served.Digest || own.Who != served.Who || !reflect.DeepEqual(own.Items, served.Items) {
		t.Errorf("alone and in batches the answers differ: %+v and %+v", own.Who, served.Who)
	}
}

// TestEvalAtATier: a tier's answers are read by the file that it was made of, which finds them less fluent than its own; scores are those of a daemon at
// that tier, whose control nobody can ask.
func TestEvalAtATier(t *testing.T) {
	dir := goldenDir(t, "CHIMERA_MT", "mt")
	evalHome(t)
	model, lines := filepath.Join(dir, "gguf", "f32.gguf"), firstLines(t, filepath.Join(dir, "suite", "dev.jsonl"), 60)
	source, before := evaluated(t, "--suite", lines, "--file", model)
	got := runBinary(t, "", "eval", "--json", "--suite", lines, "--file", model, "--tier", "q2_k", "--baseline", file(t, before))
	var r eval.Report
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	d := r.Baseline.Difference["fluency"]
	t.Logf("fluency %v, of the source %v, difference %+v", r.Scores["fluency"].Value, source.Scores["fluency"].Value, d)
	if r.Control != source.Control || r.Who == source.Who || r.Scores["fluency"].N != 60 || !(d.Low > 0) || !slices.Contains(r.Baseline.Worse, "fluency") || got.code != exitFailed || !strings.Contains(got.errors, "fluency is worse than the baseline by") {
		t.Errorf("%+v %+v, exit %d, %s", r.Scores, r.Baseline, got.code, got.errors)
	}
	if _, compared := r.Baseline.Difference["relevance"]; !compared || r.RelevanceBy != source.RelevanceBy || r.RelevanceBy != source.Who.Numerics || len(r.Baseline.NotCompared) != 0 {
		t.Errorf("relevance is by %q, of the source by %q: %+v", r.RelevanceBy, source.RelevanceBy, r.Baseline)
	}
	served, _ := evaluated(t, "--suite", lines, "--url", startDaemon(t, "--model", model, "--tier", "q2_k", "--quality-edge-budget", "0").http)
	if served.Who != r.Who || served.Scores["bleu"].Value != r.Scores["bleu"].Value || served.Scores["fluency"].N != 0 || served.Control != "" || served.RelevanceBy != served.Who.Numerics {
		t.Errorf("%+v and %+v", served.Scores, r.Scores)
	}
	lean, _ := evaluated(t, "--suite", lines, "--file", model, "--tier", "q2_k", "--metrics", "bleu,chrf")
	if names := strings.Join(lean.Scores.Names(), " "); names != "bleu chrf" || lean.Control+lean.RelevanceBy != "" || lean.Items[0].Relevance != nil || lean.Scores["bleu"].Value != r.Scores["bleu"].Value {
		t.Errorf("%s, %+v", names, lean.Items[0])
	}
}

// TestEvalRepeats: drawn answers are the same of a file and of a daemon, each item's differ, and the report tells by how much.
func TestEvalRepeats(t *testing.T) {
	dir := goldenDir(t, "CHIMERA_MT", "mt")
	evalHome(t)
	model, lines := filepath.Join(dir, "gguf", "f32.gguf"), firstLines(t, filepath.Join(dir, "suite", "dev.jsonl"), 25)
	own, _ := evaluated(t, "--suite", lines, "--file", model, "--repeats", "3", "--temperature", "0.8")
	url := startDaemon(t, "--model", model).http
	served, text := evaluated(t, "--suite", lines, "--url", url, "--repeats", "3", "--temperature", "0.8", "--clients", "3")
	for i := range own.Items {
		own.Items[i].Control = eval.Reading{}
	}
	if !reflect.DeepEqual(own.Items, served.Items) || !reflect.DeepEqual(own.Consistency, served.Consistency) || len(own.Items) != 75 || own.N != 25 {
		t.Errorf("of a file and of a daemon answers differ: %d and %d", len(own.Items), len(served.Items))
	}
	if chrf, c := served.Scores["chrf"], served.Scores["consistency"]; chrf.Spread == nil || !(*chrf.Spread > 0) || !(c.Value > 10 && c.Value < 99) || c.N != 25 || len(served.Consistency) != 25 || served.Settings.Temperature != 0.8 {
		t.Errorf("%+v", served.Scores)
	}
	if again := runBinary(t, "", "eval", "--suite", lines, "--url", url, "--repeats", "3", "--temperature", "0.8", "--baseline", file(t, text)); again.code != 0 || !strings.Contains(again.out, "spread") || !strings.Contains(again.out, "consistency") {
		t.Errorf("%+v", again)
	}
	usual, _ := evaluated(t, "--suite", lines, "--url", url, "--repeats", "2")
	if usual.Settings.Temperature != 1 || usual.Settings.Repeats != 2 || !(usual.Scores["consistency"].Value < served.Scores["consistency"].Value) {
		t.Errorf("%+v: %+v", usual.Settings, usual.Scores["consistency"])
	}
	greedy, _ := evaluated(t, "--suite", lines, "--url", url, "--repeats", "2", "--temperature", "0")
	if c := greedy.Scores["consistency"]; c.Value != 100 || *greedy.Scores["chrf"].Spread != 0 {
		t.Errorf("%+v", greedy.Scores)
	}
}

// firstLines is a file of another's first lines.
func firstLines(t *testing.T, name string, n int) string {
	t.Helper()
	all, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(bytes.Join(bytes.SplitAfter(all, []byte("\n"))[:n], nil)))
}

// TestEvalKilled kills a run again and again, by SIGKILL; in the end the report is the one of a run that nobody ended.
func TestEvalKilled(t *testing.T) {
	dir := goldenDir(t, "CHIMERA_MT", "mt")
	journals := evalHome(t)
	lines := firstLines(t, filepath.Join(dir, "suite", "dev.jsonl"), 120)
	d := startDaemon(t, "--model", filepath.Join(dir, "gguf", "f32.gguf"))
	args := []string{"--suite", lines, "--url", d.socket, "--clients", "3"}
	_, want := evaluated(t, args...)
	if left, _ := os.ReadDir(journals); len(left) != 0 {
		t.Errorf("%d journals are left of a run that ended well", len(left))
	}
	for kill := range 3 {
		c := chimera(append([]string{"eval", "--json"}, args...)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitForJournal(t, journals, 1000*(kill+1))
		c.Process.Kill()
		c.Wait()
	}
	if _, got := evaluated(t, args...); got != want {
		t.Error("another report after three kills")
	}
}

// waitForJournal waits until a run has written so many bytes, or has ended.
func waitForJournal(t *testing.T, journals string, size int) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		names, _ := filepath.Glob(filepath.Join(journals, "*.jsonl"))
		if len(names) == 1 {
			if info, err := os.Stat(names[0]); err == nil && info.Size() >= int64(size) {
				return
			}
		}
	}
	t.Fatal("the journal does not grow")
}

// TestEvalChoices holds the likelihoods of choices, which come over HTTP, to logits that come without it.
func TestEvalChoices(t *testing.T) {
	model := filepath.Join(goldenDir(t, "CHIMERA_MT", "mt"), "gguf", "f32.gguf")
	evalHome(t)
	question, choices := "Type of message", []string{"Nachrichtentyp", "größer als"}
	lines := file(t, fmt.Sprintf(`{"id":"a","input":"%s\n","kind":"choice","choices":["%s","%s"],"answer":0}`, question, choices[0], choices[1]))
	r, text := evaluated(t, "--suite", lines, "--file", model, "--kv-type", "f32")
	if r.Settings.Choices != eval.ByLikelihood || len(r.Items[0].Likelihoods) != 2 {
		t.Fatal(text)
	}
	for n, choice := range choices {
		want := likelihoodByLogits(t, model, question, question+" "+choice)
		if got := r.Items[0].Likelihoods[n]; !(math.Abs(got-want) <= 1e-3) {
			t.Errorf("%q: %v, by its logits %v", choice, got, want)
		}
	}
}

// likelihoodByLogits is what the verbs tokenize and logits make of a text's log-probability behind its beginning.
func likelihoodByLogits(t *testing.T, model, behind, whole string) (sum float64) {
	t.Helper()
	var ids [2][]int
	got := runBinary(t, fmt.Sprintf("%q\n%q\n", behind, whole), "tokenize", "--model", model, "--add-special")
	for n, line := range strings.Split(strings.TrimSpace(got.out), "\n") {
		if err := json.Unmarshal([]byte(line), &ids[n]); err != nil {
			t.Fatal(got, err)
		}
	}
	first, list := len(ids[0]), strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids[1])), ","), "[]")
	if !slices.Equal(ids[0], ids[1][:first]) {
		t.Fatalf("%v does not begin as %v", ids[1], ids[0])
	}
	out := filepath.Join(t.TempDir(), "rows")
	if got := runBinary(t, "", "logits", "--model", model, "--ids", list, "--positions", "all", "--kv-type", "f32", "--out", out); got.code != 0 {
		t.Fatal(got)
	}
	bytes, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary := len(bytes) / 4 / len(ids[1])
	at := func(position, id int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*(position*vocabulary+id):])))
	}
	for position := first - 1; position+1 < len(ids[1]); position++ {
		partition := 0.0
		for id := range vocabulary {
			partition += math.Exp(at(position, id))
		}
		sum += at(position, ids[1][position+1]) - math.Log(partition)
	}
	return sum
}

// scripted is a server that answers each question with its last word; slow ones wait until the test ends.
func scripted(t *testing.T, answered *atomic.Int64) string {
	s := httptest.NewServer(script(t, answered))
	t.Cleanup(s.Close)
	return s.URL
}

// script is what scripted answers.
func script(t *testing.T, answered *atomic.Int64) http.Handler {
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Messages []struct{ Content string } }
		if json.NewDecoder(r.Body).Decode(&body) != nil || r.URL.Path != "/v1/chat/completions" {
			http.NotFound(w, r)
			return
		}
		words := strings.Fields(body.Messages[0].Content)
		switch last := words[len(words)-1]; last {
		case "slow":
			select {
			case <-ended:
			case <-r.Context().Done():
			}
		case "long":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"message":"the prompt is too long"}}`)
		default:
			answered.Add(1)
			fmt.Fprintf(w, "data: {\"model\":\"script\",\"choices\":[{\"delta\":{\"content\":%q},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", last)
		}
	})
}

// Ctrl+C ends a run at once, with the code of an interruption, and says how it goes on.
func TestEvalInterrupted(t *testing.T) {
	evalHome(t)
	var answered atomic.Int64
	url := scripted(t, &answered)
	lines := file(t, `{"id":"a","input":"say Paris","kind":"qa","answer":"Paris"}`+"\n"+`{"id":"b","input":"be slow","kind":"qa","answer":"x"}`)
	var errs bytes.Buffer
	c := chimera("eval", "--suite", lines, "--url", url, "--clients", "1")
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for answered.Load() < 2 { // one of them is who it is
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // until it has been written down
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	if got := errs.String(); c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(got, "give the same command again") || !strings.Contains(got, "interrupted") {
		t.Errorf("exit %d: %s", c.ProcessState.ExitCode(), got)
	}
}

func TestEvalBaseline(t *testing.T) {
	evalHome(t)
	var answered atomic.Int64
	url := scripted(t, &answered)
	questions := func(right string) string {
		var b strings.Builder
		for i := range 12 {
			fmt.Fprintf(&b, `{"id":"%d","input":"say w%d","kind":"qa","answer":"%s%d"}`+"\n", i, i, right, i)
		}
		fmt.Fprintf(&b, `{"id":"c","input":"A or B","kind":"choice","choices":["x","y"],"answer":"y"}`+"\n")
		return file(t, b.String())
	}
	lines := questions("w")
	r, text := evaluated(t, "--suite", lines, "--url", url)
	if r.Scores["exact"].Value != 1 || r.Who.Model != "script" || r.Settings.Choices != eval.ByLetter || len(r.Items) != 13 || r.ByTag == nil {
		t.Errorf("%s", text)
	}
	before := file(t, text)
	if got := runBinary(t, "", "eval", "--suite", lines, "--url", url, "--baseline", before); got.code != 0 || !strings.Contains(got.out, "less baseline") || !strings.Contains(got.out, "exact") || !strings.Contains(got.out, "choices by the letter") {
		t.Errorf("%+v", got)
	}
	better := strings.ReplaceAll(text, `"text": "w`, `"text": "v`)
	if got := runBinary(t, "", "eval", "--suite", lines, "--url", url, "--baseline", file(t, better)); got.code != 0 || got.errors != "" {
		t.Errorf("better than the baseline: %+v", got)
	}
	// The same suite, where the server's answers are wrong and the baseline's were right.
	wrong := questions("v")
	_, text = evaluated(t, "--suite", wrong, "--url", url)
	right := strings.ReplaceAll(text, `"text": "w`, `"text": "v`)
	got := runBinary(t, "", "eval", "--suite", wrong, "--url", url, "--baseline", file(t, right))
	if got.code != exitFailed || !strings.Contains(got.errors, "exact is worse than the baseline by -1.0000 (-1.0000 to -0.6667)\nf1 is worse") || !strings.Contains(got.out, "exact") {
		t.Errorf("worse than the baseline: %+v", got)
	}
	if got := runBinary(t, "", "eval", "--suite", wrong, "--url", url, "--baseline", before); got.code != exitFailed || !strings.Contains(got.errors, "baseline: it is of a suite with digest") || got.out != "" {
		t.Errorf("another suite's baseline: %+v", got)
	}
	if r, _ := evaluated(t, "--suite", "qa", "--url", url); r.Suite != "qa" || r.N != 96 || r.Scores["exact"].N != 96 {
		t.Errorf("the suite qa: %s with %d items, %+v", r.Suite, r.N, r.Scores)
	}
	long := file(t, `{"id":"a","input":"too long","kind":"qa","answer":"x"}`+"\n"+`{"id":"b","input":"say y","kind":"qa","answer":"y"}`)
	got = runBinary(t, "", "eval", "--suite", long, "--url", url)
	if got.code != exitFailed || !strings.Contains(got.errors, "1 of 2 items got no answer, the first of them a: ") || !strings.Contains(got.out, "0.5000") {
		t.Errorf("an item that is refused: %+v", got)
	}
}

func TestEvalRefuses(t *testing.T) {
	evalHome(t)
	lines := file(t, `{"id":"a","input":"say Paris","kind":"qa","answer":"Paris"}`)
	nobody := filepath.Join(t.TempDir(), "no.sock")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", exitUsage, `required flag(s) "suite" not set`},
		{"--suite x --file m --model n", exitUsage, "if any flags in the group [file model] are set none of the others can be"},
		{"--suite x --file m --url n", exitUsage, "if any flags in the group [file url]"},
		{"--suite x --threads 2", exitUsage, "--threads concerns a model that is loaded with --file"},
		{"--suite x --file m --header a:b", exitUsage, "--header is for a server"},
		{"--suite x --clients 0", exitUsage, "use a number between 1 and 1024"},
		{"--suite x --metrics bleu,blue", exitUsage, `--metrics: there is no metric "blue"; known are acc, acc_norm, bleu`},
		{"--suite x --metrics=", exitUsage, "--metrics is empty"},
		{"--suite x --repeats 0", exitUsage, "use a number between 1 and 64"},
		{"--suite x --temperature -1", exitUsage, "use a number between 0 and 100"},
		{"--suite x --url=", exitFailed, "x: no such file"},
		{"--suite " + lines + " --url=", exitUsage, "--url is empty"},
		{"--suite " + lines + " --sealed " + lines, exitFailed, `both have an item "a"`},
		{"--suite " + lines + " --url " + nobody, exitFailed, "no daemon answers"},
		{"--suite " + lines + " --file /nowhere/m.gguf", exitModel, "/nowhere/m.gguf: there is no such file"},
		{"--suite " + lines + " --baseline " + lines, exitFailed, "it is no report of 'chimera eval --json'"},
		{"--suite " + file(t, "{}") + " --url " + nobody, exitFailed, "given:1: id: it is missing"},
	} {
		r := runBinary(t, "", append([]string{"eval"}, strings.Fields(c.args)...)...)
		if r.code != c.code || !strings.Contains(r.errors, c.want) || r.out != "" {
			t.Errorf("%s: %+v, want %d and %q", c.args, r, c.code, c.want)
		}
	}
}
