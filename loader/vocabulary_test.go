package loader

import (
	"errors"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/weights"
)

// An id that is no token is told as the file has it, whatever its type.
func TestIDsAreToldAsTheFileHasThem(t *testing.T) {
	for want, value := range map[string]weights.Value{
		"eos_token_id is 4294967295, but there are 4 tokens":    {Type: weights.Uint32, Any: uint64(4294967295)},
		"eos_token_id is 1099511627776, but there are 4 tokens": {Type: weights.Uint64, Any: uint64(1 << 40)},
		"eos_token_id is -1, but there are 4 tokens":            {Type: weights.Int32, Any: int64(-1)},
		"eos_token_id is -7, but there are 4 tokens":            {Type: weights.Int64, Any: int64(-7)},
	} {
		f := fixtures.FileWith(t, nil)
		fixtures.ByteVocabulary(f.Metadata())
		f.Metadata().Set("tokenizer.ggml.eos_token_id", value)
		tok, err := NewTokenizer(f)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if w := tok.Warnings(); len(w) != 1 || !strings.Contains(w[0], want) {
			t.Errorf("warnings %q, want %q", w, want)
		}
	}
}

// What is wrong with a vocabulary names file and key, each once.
func TestVocabularyErrorsNameTheFileOnce(t *testing.T) {
	number := weights.Value{Type: weights.Float32, Any: 1.5}
	for key, change := range map[string]func(*weights.Metadata){
		"tokenizer.ggml.model":        func(m *weights.Metadata) { m.Set("tokenizer.ggml.model", number) },
		"tokenizer.ggml.tokens":       func(m *weights.Metadata) { m.Set("tokenizer.ggml.tokens", number) },
		"tokenizer.ggml.bos_token_id": func(m *weights.Metadata) { m.Set("tokenizer.ggml.bos_token_id", number) },
		"tokenizer.ggml.token_type": func(m *weights.Metadata) {
			m.Set("tokenizer.ggml.token_type", weights.Value{Type: weights.Array, Element: weights.Int32, Any: []int64{1}})
		},
	} {
		f := fixtures.FileWith(t, nil)
		fixtures.ByteVocabulary(f.Metadata())
		change(f.Metadata())
		_, err := NewTokenizer(f)
		if !errors.Is(err, engine.ErrModelFile) || strings.Count(err.Error(), f.Name()) != 1 || strings.Count(err.Error(), key) != 1 {
			t.Errorf("%s: %v", key, err)
		}
	}
	f := fixtures.FileWith(t, nil)
	if _, err := NewTokenizer(f); err == nil || strings.Count(err.Error(), f.Name()) != 1 || !strings.Contains(err.Error(), "tokenizer.ggml.model is missing") {
		t.Errorf("no vocabulary: %v", err)
	}
}
