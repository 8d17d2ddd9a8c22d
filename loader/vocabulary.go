package loader

import (
	"fmt"
	"log/slog"
	"math"

	"chimera/engine"
	"chimera/tokenizer"
	"chimera/weights"
)

// This file owns the way from a file's metadata to a tokenizer.

// NewTokenizer builds the tokenizer that a model file describes.
func NewTokenizer(f *weights.File) (*tokenizer.Tokenizer, error) {
	r := vocabularyReader{m: f.Metadata()}
	v := tokenizer.Vocab{
		Model: r.text("model"), Pre: r.text("pre"), Tokens: r.texts("tokens"), Scores: r.floats("scores"),
		Types: r.ints("token_type"), Merges: r.texts("merges"),
		BOS: r.id("bos_token_id"), EOS: r.id("eos_token_id"), EOT: r.id("eot_token_id"), EOM: r.id("eom_token_id"),
		UNK:    r.id("unknown_token_id"),
		FIMPad: r.id("fim_pad_token_id"), FIMRepo: r.id("fim_rep_token_id"), FIMSeparator: r.id("fim_sep_token_id"),
		AddBOS: r.flag("add_bos_token"), AddEOS: r.flag("add_eos_token"), AddSpacePrefix: r.flag("add_space_prefix"),
	}
	v.Name, _, _ = f.Metadata().String("general.name")
	if r.err == nil && v.Model == "" {
		r.err = fmt.Errorf("key tokenizer.ggml.model is missing")
	}
	if r.err != nil {
		return nil, OfFile(f, fmt.Errorf("%w: %w", r.err, engine.ErrModelFile))
	}
	t, err := tokenizer.New(v)
	if err != nil {
		return nil, OfFile(f, fmt.Errorf("%w: %w", err, engine.ErrModelFile))
	}
	for _, warning := range t.Warnings() {
		slog.Warn("the model's vocabulary: "+warning, "file", f.Name())
	}
	return t, nil
}

// vocabularyReader reads tokenizer.ggml.* keys and keeps the first error.
type vocabularyReader struct {
	m   *weights.Metadata
	err error
}

const vocabularyPrefix = "tokenizer.ggml."

func readKey[T any](r *vocabularyReader, name string, get func(string) (T, bool, error)) (value T, ok bool) {
	value, ok, err := get(vocabularyPrefix + name)
	if err != nil && r.err == nil {
		r.err = err
	}
	return value, ok
}

func (r *vocabularyReader) text(name string) string {
	s, _ := readKey(r, name, r.m.String)
	return s
}

func (r *vocabularyReader) texts(name string) []string {
	s, _ := readKey(r, name, r.m.Strings)
	return s
}

func (r *vocabularyReader) ints(name string) []int32 {
	s, _ := readKey(r, name, r.m.Ints)
	return s
}

func (r *vocabularyReader) floats(name string) []float32 {
	wide, ok := readKey(r, name, r.m.Floats)
	if !ok {
		return nil
	}
	out := make([]float32, len(wide))
	for i, x := range wide {
		out[i] = float32(x)
	}
	return out
}

func (r *vocabularyReader) id(name string) *int64 {
	if v, _ := r.m.Get(vocabularyPrefix + name); v.Any != nil {
		if n, signed := v.Any.(int64); signed && n < 0 { // some converters write -1 for none
			return &n
		}
	}
	n, ok := readKey(r, name, r.m.Uint)
	if !ok {
		return nil
	}
	id := int64(min(n, math.MaxInt64))
	return &id
}

func (r *vocabularyReader) flag(name string) *bool {
	b, ok := readKey(r, name, r.m.Bool)
	if !ok {
		return nil
	}
	return &b
}
