package daemon

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/scheduler"
)

// This file owns tests of models that give no numbers: weights that are not finite, and logits.

// Weights that are no numbers are refused by whatever loads them, and the tensor is named.
func TestWeightsThatAreNoNumbers(t *testing.T) {
	nan := 0.0
	nan /= nan
	for _, tensor := range []string{"token_embd.weight", "blk.1.ffn_down.weight", "blk.0.attn_norm.weight", "blk.1.attn_q.bias"} {
		path := fixtures.Spoilt(t, fixtures.Biased, tensor, func(values []float32) { values[len(values)-1] = float32(nan) })
		_, err := loader.Load(path, loader.OptionsOf(fixtures.SmallConfig()))
		if !errors.Is(err, engine.ErrModelFile) || !strings.Contains(err.Error(), tensor+": value ") {
			t.Errorf("%s: %v", tensor, err)
		}
	}
}

// Logits that are no numbers end the offline verbs with the place, and a request with an error.
func TestLogitsThatAreNoNumbers(t *testing.T) {
	path := fixtures.Overflowing(t, fixtures.Biased)
	var wrong *engine.NotFiniteError
	if err := Logits(t.Context(), fixtures.SmallConfig(), LogitsRequest{Model: path, IDs: []int32{1, 2, 3}, Out: filepath.Join(t.TempDir(), "x.f32")}); !errors.As(err, &wrong) || wrong.Position != 2 {
		t.Errorf("logits: %v", err)
	}
	l, err := loader.Load(path, loader.OptionsOf(fixtures.SmallConfig()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lane := onItsOwn(t, t.Context(), l.Instance, scheduler.Config{StepTokens: 64, QueueLength: 4})
	for _, temperature := range []float32{0, 1} {
		seq, err := lane.Submit(t.Context(), scheduler.Request{Prompt: []int32{1, 2, 3, 4}, MaxTokens: 5, Sampling: scheduler.Sampling{Temperature: temperature, TopP: 1, Repetition: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := seq.Next(t.Context()); err != nil || e.HasToken || e.Finish != scheduler.Failed || !errors.As(e.Err, &wrong) || wrong.Position != 3 {
			t.Errorf("temperature %v: %+v, %v", temperature, e, err)
		}
	}
	lane.Drain()
	if err := lane.Err(); err != nil {
		t.Error(err)
	}
}

func TestPerplexityNamesTheWindow(t *testing.T) {
	path := fixtures.Overflowing(t, filepath.Join(fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance"), "llama", "llama-f32.gguf"))
	text := strings.Repeat("a long text of some words ", 60)
	_, err := Perplexity(fixtures.SmallConfig(), PerplexityRequest{Model: path, Text: []byte(text), Progress: func(int, int) {}})
	if err == nil || errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), "window 1 of ") || !strings.Contains(err.Error(), "logits that are NaN or infinite at position 32") {
		t.Error(err)
	}
}

// What spells a special token is text unless it is asked for, as llama-perplexity has it.
func TestPerplexitySpecial(t *testing.T) {
	path := filepath.Join(fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance"), "llama", "llama-f32.gguf")
	tok, err := OpenTokenizer(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("</s> some words ", 100)
	plain, special := len(tok.Encode(text, true, false)), len(tok.Encode(text, true, true))
	if plain/64 == special/64 {
		t.Fatalf("%d and %d tokens show no difference", plain, special)
	}
	for parse, tokens := range map[bool]int{false: plain, true: special} {
		r, err := Perplexity(fixtures.SmallConfig(), PerplexityRequest{Model: path, Text: []byte(text), ParseSpecial: parse, Progress: func(int, int) {}})
		if err != nil || r.Chunks != tokens/64 {
			t.Errorf("special tokens %v: %d windows of 64, %d tokens, %v", parse, r.Chunks, tokens, err)
		}
	}
}

// A text that a model holds for impossible has no perplexity that JSON could hold.
func TestPerplexityOutOfRange(t *testing.T) {
	path := fixtures.Spoilt(t, filepath.Join(fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance"), "llama", "llama-f32.gguf"), "output_norm.weight", func(values []float32) {
		for i := range values {
			values[i] = 1e6
		}
	})
	_, err := Perplexity(fixtures.SmallConfig(), PerplexityRequest{Model: path, Text: []byte(strings.Repeat("some words ", 100)), Progress: func(int, int) {}})
	if err == nil || !strings.HasPrefix(err.Error(), "window 1 of ") || !strings.Contains(err.Error(), "no perplexity") {
		t.Error(err)
	}
}
