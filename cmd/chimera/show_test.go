package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/daemon"
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
	var s struct{ Summary daemon.Summary }
	if err := json.Unmarshal([]byte(runBinary(t, "", "show", "--json", model).out), &s); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(model)
	if err != nil || s.Summary.FileBytes != info.Size() || s.Summary.Architecture != "llama" || s.Summary.Parameters == 0 || s.Summary.Vocabulary == 0 {
		t.Errorf("%v %+v", err, s.Summary)
	}
}

func TestPrintSummary(t *testing.T) {
	s := daemon.Summary{
		Name: "A\x1b[31m\nB", Architecture: "llama", Parameters: 134_515_008, FileBytes: 98_301_728, Context: 8192, Vocabulary: 49152, Tokenizer: "gpt2 smollm",
		Types:         []daemon.TypeShare{{Type: "Q4_1", Tensors: 210, Values: 106_168_320}, {Type: "F32", Tensors: 61, Values: 28_346_688}},
		ChatTemplates: []string{"default", "tool_use"}, License: "apache-2.0",
	}
	const want = `name:           A\x1b[31m\nB
architecture:   llama
parameters:     134.5 M
weights:        Q4_1 78.9 % (210 tensors), F32 21.1 % (61 tensors)
file:           93.7 MiB
context:        8192 tokens
vocabulary:     49152 tokens
tokenizer:      gpt2 smollm
chat template:  default, tool_use
licence:        apache-2.0
not run here:   no ops

`
	var out bytes.Buffer
	if err := printSummary(&out, s, errors.New("no ops")); err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
	out.Reset()
	if err := printSummary(&out, daemon.Summary{}, nil); err != nil || out.String() != "parameters:     0\nfile:           0 bytes\nchat template:  none\n\n" {
		t.Errorf("of an empty file: %v\n%s", err, out.String())
	}
}
