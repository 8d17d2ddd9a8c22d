package daemon

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
	"chimera/model"
	"chimera/weights"
)

// This file owns tests of errors about a model file: they name the file, the key and the tensor, each once.

func TestErrorsNameTheFileOnce(t *testing.T) {
	text, number := weights.Value{Type: weights.Text, Any: "x"}, weights.Value{Type: weights.Uint32, Any: uint64(1)}
	tokenizes := func(f *weights.File) error { _, err := loader.NewTokenizer(f); return err }
	for key, c := range map[string]struct {
		value weights.Value
		read  func(*weights.File) error
	}{
		"tokenizer.ggml.tokens":       {text, tokenizes},
		"tokenizer.ggml.eos_token_id": {text, tokenizes},
		"tokenizer.ggml.model":        {text, tokenizes}, // one that is not known
		"tokenizer.chat_template":     {number, func(f *weights.File) error { _, err := loader.NamedTemplates(f); return err }},
		"llama.expert_count":          {text, func(f *weights.File) error { _, err := model.Build(f); return err }},
	} {
		f := fileOfKey(t, key, c.value)
		err := c.read(f)
		if !errors.Is(err, engine.ErrModelFile) || strings.Count(err.Error(), f.Name()) != 1 || strings.Count(err.Error(), key) != 1 {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// fileOfKey is a model file with no more than an architecture and one key.
func fileOfKey(t *testing.T, key string, value weights.Value) *weights.File {
	t.Helper()
	m := &weights.Metadata{}
	m.Set("general.architecture", weights.Value{Type: weights.Text, Any: "llama"})
	m.Set(key, value)
	return fixtures.FileOf(t, m)
}

func TestErrorsNameTheTensorOnce(t *testing.T) {
	const tensor = "blk.0.attn_norm.weight"
	path := fixtures.Spoilt(t, fixtures.Biased, tensor, func(values []float32) { values[1] = float32(math.NaN()) })
	_, loads := loader.Load(path, loader.OptionsOf(fixtures.SmallConfig()))
	for verb, err := range map[string]error{
		"quantize": Quantize(t.Context(), QuantizeRequest{In: path, Out: filepath.Join(t.TempDir(), "out"), Type: "f16"}),
		"load":     loads,
	} {
		if err == nil || strings.Count(err.Error(), tensor) != 1 || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v", verb, err)
		}
	}
}
