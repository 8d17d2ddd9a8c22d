package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The golden references as a client sees them: over HTTP, and by the offline verbs.

// goldenDir is a folder of references; the test skips where it is absent.
func goldenDir(t *testing.T, variable, name string) string {
	dir := os.Getenv(variable)
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", name)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no %s folder: set %s", name, variable)
	}
	return dir
}

func readGolden(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// ask posts a body and decodes the answer.
func ask(url string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.Post(url, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		return fmt.Errorf("%s: %s", r.Status, b.String())
	}
	return json.NewDecoder(r.Body).Decode(into)
}

// translation is a line of the suite: what to ask, and the reference engine's answer.
type translation struct {
	Input      string    `json:"input"`
	References []string  `json:"references"`
	IDs        []int     `json:"ids"`
	Margins    []float64 `json:"margins"`
}

func translations(t *testing.T, dir string) []translation {
	var lines []translation
	readGolden(t, filepath.Join(dir, "greedy-f32.json"), &lines)
	text, err := os.ReadFile(filepath.Join(dir, "suite", "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	suite := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(suite) != len(lines) {
		t.Fatalf("%d lines in the suite, %d answers", len(suite), len(lines))
	}
	for i := range lines {
		if err := json.Unmarshal(suite[i], &lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

// translate asks for one line and returns the text and the token ids, without the end token.
func translate(url, input string) (string, []int, error) {
	var answer struct {
		Choices []struct {
			Message  struct{ Content string }
			Logprobs struct{ Content []struct{ Token string } }
		}
	}
	err := ask(url+"/v1/chat/completions", map[string]any{
		"messages":    []map[string]string{{"role": "user", "content": input}},
		"temperature": 0, "logprobs": true, "return_tokens_as_token_ids": true,
	}, &answer)
	if err != nil {
		return "", nil, err
	}
	var ids []int
	for _, token := range answer.Choices[0].Logprobs.Content {
		id, err := strconv.Atoi(strings.TrimPrefix(token.Token, "token_id:"))
		if err != nil {
			return "", nil, err
		}
		ids = append(ids, id)
	}
	return strings.TrimSpace(answer.Choices[0].Message.Content), ids, nil
}

// translateAll asks for all lines, eight at a time.
func translateAll(t *testing.T, url string, lines []translation) (texts []string, ids [][]int) {
	texts, ids = make([]string, len(lines)), make([][]int, len(lines))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < len(lines); i += 8 {
				var err error
				if texts[i], ids[i], err = translate(url, lines[i].Input); err != nil {
					t.Errorf("line %d: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	return texts, ids
}

// bleu scores the answers against each line's first reference with the sacrebleu package.
func bleu(t *testing.T, python string, texts []string, lines []translation) float64 {
	pairs := make([][2]string, len(texts))
	for i, text := range texts {
		pairs[i] = [2]string{text, lines[i].References[0]}
	}
	in, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "-c", "import json,sys,sacrebleu\np=json.load(sys.stdin)\nprint(sacrebleu.corpus_bleu([a for a,_ in p],[[b for _,b in p]]).score)")
	c.Stdin = bytes.NewReader(in)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	score, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return score
}

// TestGoldenTranslationOverHTTP holds 1,000 greedy answers to the reference engine's ids up to the first
// margin that rounding may turn, and the corpus to its BLEU.
func TestGoldenTranslationOverHTTP(t *testing.T) {
	dir, python := goldenDir(t, "CHIMERA_MT", "mt"), os.Getenv("CHIMERA_PYTHON")
	if python == "" || testing.Short() {
		t.Skip("set CHIMERA_PYTHON to a Python that has sacrebleu (make test does)")
	}
	lines := translations(t, dir)
	for _, c := range []struct {
		file            string
		bleu, tolerance float64
		exact           bool
	}{{"f32", 28.13, 0.05, true}, {"q4_k_m", 28.3, 0.6, false}} {
		t.Run(c.file, func(t *testing.T) {
			d := startDaemon(t, "--model", filepath.Join(dir, "gguf", c.file+".gguf"), "--kv-type", "f32")
			texts, ids := translateAll(t, d.http, lines)
			if t.Failed() {
				return
			}
			same, turned := 0, 0
			for i, line := range lines {
				at := firstDifference(ids[i], slices.DeleteFunc(slices.Clone(line.IDs), func(id int) bool { return id == mtEnd }))
				switch {
				case at < 0:
					same++
				case at < len(line.Margins) && slices.Min(line.Margins[:at+1]) < 4e-3:
					turned++
				case c.exact:
					t.Errorf("line %d: token %d differs: %v, the reference has %v", i, at, ids[i], line.IDs)
				}
			}
			score := bleu(t, python, texts, lines)
			if diff := score - c.bleu; diff > c.tolerance || diff < -c.tolerance {
				t.Errorf("BLEU %.2f, want %.2f +- %.2f", score, c.bleu, c.tolerance)
			}
			t.Logf("%d of %d answers equal the F32 reference, %d differ after a margin below 0.004; BLEU %.3f", same, len(lines), turned, score)
		})
	}
}

// mtEnd is the model's end token, which stands in the reference's ids and in no answer.
const mtEnd = 1

// firstDifference is the first index at which a and b differ, -1 if they are equal.
func firstDifference(a, b []int) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

type templateCase struct {
	Messages []json.RawMessage `json:"messages"`
	Prompt   string            `json:"prompt"`
	IDs      []int             `json:"prompt_ids_add_special"`
}

func templateCases(t *testing.T, dir, group string) map[string]templateCase {
	var all map[string]map[string]json.RawMessage
	readGolden(t, filepath.Join(dir, "chat_templates.json"), &all)
	cases := map[string]templateCase{}
	for name, raw := range all[group] {
		var c templateCase
		if strings.HasPrefix(name, "_") {
			continue
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		cases[name] = c
	}
	if len(cases) == 0 {
		t.Fatalf("no case of %s", group)
	}
	return cases
}

// TestGoldenTemplatesOverHTTP compares /apply-template and /tokenize with the reference server.
func TestGoldenTemplatesOverHTTP(t *testing.T) {
	dir, model := goldenDir(t, "CHIMERA_GOLDEN", "golden"), os.Getenv("CHIMERA_SMOLLM2")
	if model == "" {
		t.Skip("set CHIMERA_SMOLLM2 (make test does)")
	}
	for group, args := range map[string][]string{
		"smollm2":                     {"--model", model},
		"gemma3_forced_builtin_gemma": {"--model", model, "--chat-template", "gemma"},
	} {
		d := startDaemon(t, append(args, "--ctx", "512")...)
		for name, c := range templateCases(t, dir, group) {
			if group != "smollm2" && name == "empty_and_asst_last" {
				continue // the reference folds an empty system message in a way of its own
			}
			var rendered struct{ Prompt string }
			if err := ask(d.http+"/apply-template", map[string]any{"messages": c.Messages}, &rendered); err != nil {
				t.Errorf("%s/%s: %v", group, name, err)
			}
			if rendered.Prompt != c.Prompt {
				t.Errorf("%s/%s:\n%q, want\n%q", group, name, rendered.Prompt, c.Prompt)
			}
			if group != "smollm2" {
				continue
			}
			var tokens struct{ Tokens []int }
			if err := ask(d.http+"/tokenize", map[string]any{"content": c.Prompt, "add_special": true}, &tokens); err != nil || !slices.Equal(tokens.Tokens, c.IDs) {
				t.Errorf("%s/%s: %v: %v, want %v", group, name, err, tokens.Tokens, c.IDs)
			}
		}
		d.stop(t)
	}
}
