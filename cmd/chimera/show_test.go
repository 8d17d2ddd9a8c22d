package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"chimera/loader"
	"chimera/weights"
)

// This file owns tests of the summary of a model file.

func TestSummaryOfAFile(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(model, tinyModel(t, sound), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runBinary(t, "", "show", model)
	summary, rest, found := strings.Cut(r.out, "\n\n")
	if r.code != 0 || !found || strings.Contains(summary, " = ") || !strings.HasPrefix(rest, "general.architecture = llama\n") {
		t.Errorf("%+v", r)
	}
	for _, part := range []string{"architecture:   llama\n", "parameters:     ", "weights:        F32 ", "file:           ", "vocabulary:     ", "tokenizer:      "} {
		if !strings.Contains(summary+"\n", part) {
			t.Errorf("no %q in\n%s", part, summary)
		}
	}
	var s struct{ Summary loader.Summary }
	if err := json.Unmarshal([]byte(runBinary(t, "", "show", "--json", model).out), &s); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(model)
	if err != nil || s.Summary.FileBytes != info.Size() || s.Summary.Architecture != "llama" || s.Summary.Parameters == 0 || s.Summary.Vocabulary == 0 {
		t.Errorf("%v %+v", err, s.Summary)
	}
}

func TestPrintSummary(t *testing.T) {
	problem := strings.Repeat("why ", previewRunes) + "and what to do" // which is not cut
	s := loader.Summary{
		Name: "A\x1b[31m\nB", Architecture: "llama", Parameters: 134_515_008, FileBytes: 98_301_728, Context: 8192, Vocabulary: 49152, Tokenizer: "gpt2 smollm",
		Types:         []loader.TypeShare{{Type: "Q4_1", Tensors: 210, Values: 106_168_320}, {Type: "F32", Tensors: 61, Values: 28_346_688}},
		ChatTemplates: []string{"default", "tool_use"}, ChatProblem: problem, License: "apache-2.0",
	}
	want := `name:           A\x1b[31m\nB
architecture:   llama
parameters:     134.5 M
weights:        Q4_1 78.9 % (210 tensors), F32 21.1 % (61 tensors)
file:           93.7 MiB
context:        8192 tokens
vocabulary:     49152 tokens
tokenizer:      gpt2 smollm
chat template:  default, tool_use
licence:        apache-2.0
chat is off:    PROBLEM
not run here:   no ops

`
	want = strings.Replace(want, "PROBLEM", problem, 1)
	var out bytes.Buffer
	if err := printSummary(&out, s, errors.New("no ops")); err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
	out.Reset()
	if err := printSummary(&out, loader.Summary{}, nil); err != nil || out.String() != "parameters:     0\nfile:           0 bytes\nchat template:  none\n\n" {
		t.Errorf("of an empty file: %v\n%s", err, out.String())
	}
}

// A file says what it likes, and show gives all of it, as JSON too.
func TestShowOfOddValues(t *testing.T) {
	model := filepath.Join(t.TempDir(), "m.gguf")
	file := tinyModel(t, func(set func(string, weights.ValueType, any), shapes map[string][]uint64) {
		set("general.name", weights.Text, "\xff\xfe")
		set("general.a\nb\xff", weights.Text, "x")
		set("general.a\nb\xfe", weights.Text, "y")
		set("tokenizer.ggml.tokens", weights.Text, []string{"<unk>", "<s>", "</s>", "a\xff", "b", "ab", "\u2581", "\u2581a"})
		set("tokenizer.ggml.scores", weights.Float32, []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -2, -3, -4, -5})
		set("general.rate", weights.Float64, math.NaN())
		set("tokenizer.chat_template", weights.Text, "{{ x|nosuch }}")
		shapes["odd\t\n\xff"] = []uint64{2}
	})
	if err := os.WriteFile(model, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var s struct {
		Summary  loader.Summary
		Metadata map[string]any
		Tensors  []struct{ Name string }
	}
	r := runBinary(t, "", "show", "--json", model)
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.code != 0 || !utf8.ValidString(r.out) {
		t.Fatalf("%v %+v", err, r)
	}
	tokens, _ := s.Metadata["tokenizer.ggml.tokens"].([]any)
	scores, _ := s.Metadata["tokenizer.ggml.scores"].([]any)
	for _, c := range []struct{ got, want any }{
		{s.Summary.Name, "\ufffd\ufffd"}, {s.Metadata["general.name"], "\ufffd\ufffd"}, {s.Metadata["general.rate"], "NaN"}, {len(tokens), 8}, {tokens[3], "a\ufffd"}, {tokens[6], "\u2581"},
		{len(scores), 8}, {scores[0], "NaN"}, {scores[1], "Infinity"}, {scores[2], "-Infinity"}, {scores[4], -2.0}, {len(s.Tensors), 12}, {s.Summary.ChatProblem != "", true},
	} {
		if c.got != c.want {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
	plain := runBinary(t, "", "show", "--tensors", model)
	summary, rest, _ := strings.Cut(plain.out, "\n\n")
	if plain.code != 0 || !utf8.ValidString(plain.out) || !strings.Contains(rest, `general.a\nb\xff = x`+"\n") || !strings.Contains(rest, "\n"+`odd\t\n\xff `) {
		t.Errorf("%+v", plain)
	}
	if !strings.Contains(summary, "chat is off:    ") || strings.Contains(rest, "chat is off") {
		t.Errorf("%s", plain.out)
	}
}
