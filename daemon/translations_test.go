package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chimera/internal/fixtures"
)

// This file owns the lines of the translation model's test set, as tokens.

// translation is a line of the translation model's test: what is asked, what it is answered.
type translation struct {
	prompt, reference []int32
	text              string
}

func translations(t *testing.T, dir string) (lines []translation) {
	t.Helper()
	tok, err := OpenTokenizer(filepath.Join(dir, "gguf", "f32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	var prompts []struct {
		IDs []int32 `json:"prompt_ids"`
	}
	if !fixtures.ReadJSON(t, filepath.Join(dir, "greedy-f32.json"), &prompts) {
		t.Fatal("no greedy-f32.json")
	}
	suite, err := os.ReadFile(filepath.Join(dir, "suite", "test.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	const end = 1 // the model's end token
	for i, text := range strings.Split(strings.TrimSpace(string(suite)), "\n") {
		var line struct{ References []string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		reference := append(tok.Encode(line.References[0], false, false), end)
		lines = append(lines, translation{prompts[i].IDs, reference, line.References[0]})
	}
	return lines
}
