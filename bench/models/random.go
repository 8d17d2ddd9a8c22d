package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"chimera/weights"
)

// This file owns the llama of random weights. Its rows are multiples of 256, so that each type has its own blocks in all of it, which
// those of SmolLM2 have not; it has that model's vocabulary, and a body that is large beside the head.

// shape is that of a llama whose head is its embedding.
type shape struct {
	width, feed, layers, heads, kvHeads, head int
}

var standard = shape{width: 1024, feed: 3072, layers: 12, heads: 16, kvHeads: 4, head: 64}

// Seed of the weights, and the longest context, which the rows of long prompts need.
const (
	seed          = 16
	contextLength = 8192
)

// matrix is a tensor by its rows' length and their number; a norm has no rows.
type matrix struct {
	name      string
	in, out   int
	deviation float64
}

// matrices are drawn so that each row's product with a normed input is about 1; what goes into the residual stream less, so that it
// does not grow with the layers.
func (s shape) matrices(vocabulary int) []matrix {
	list := []matrix{
		{name: "token_embd.weight", in: s.width, out: vocabulary, deviation: 1 / math.Sqrt(float64(s.width))},
		{name: "output_norm.weight", in: s.width},
	}
	residual := 1 / math.Sqrt(2*float64(s.layers))
	for layer := range s.layers {
		for _, m := range []matrix{
			{name: "attn_norm", in: s.width}, {name: "attn_q", in: s.width, out: s.heads * s.head, deviation: 1},
			{name: "attn_k", in: s.width, out: s.kvHeads * s.head, deviation: 1}, {name: "attn_v", in: s.width, out: s.kvHeads * s.head, deviation: 1},
			{name: "attn_output", in: s.heads * s.head, out: s.width, deviation: residual},
			{name: "ffn_norm", in: s.width}, {name: "ffn_gate", in: s.width, out: s.feed, deviation: 1}, {name: "ffn_up", in: s.width, out: s.feed, deviation: 1},
			{name: "ffn_down", in: s.feed, out: s.width, deviation: residual},
		} {
			m.name = fmt.Sprintf("blk.%d.%s.weight", layer, m.name)
			m.deviation /= math.Sqrt(float64(m.in))
			list = append(list, m)
		}
	}
	return list
}

func (m matrix) tensor(number int) weights.OutTensor {
	t := weights.OutTensor{Name: m.name, Type: weights.F32, Shape: []uint64{uint64(m.in)}}
	t.Write = func(w io.Writer) error {
		_, err := w.Write(weights.Quantize(weights.F32, slices.Repeat([]float32{1}, m.in), nil))
		return err
	}
	if m.out > 0 {
		t.Type, t.Shape = weights.F16, append(t.Shape, uint64(m.out))
		t.Write = func(w io.Writer) error { return m.draw(w, rand.New(rand.NewPCG(seed, uint64(number)))) }
	}
	return t
}

func (m matrix) draw(w io.Writer, from *rand.Rand) error {
	row, bytes := make([]float32, m.in), make([]byte, 0, 2*m.in)
	for range m.out {
		for i := range row {
			row[i] = float32(from.NormFloat64() * m.deviation)
		}
		if _, err := w.Write(weights.Quantize(weights.F16, row, bytes)); err != nil {
			return err
		}
	}
	return nil
}

// metadata is the shape, and the tokenizer of the other file.
func (s shape) metadata(tokenizer *weights.Metadata) (*weights.Metadata, int, error) {
	tokens, ok, err := tokenizer.Strings("tokenizer.ggml.tokens")
	if err != nil || !ok {
		return nil, 0, errors.Join(err, errors.New("the model has no tokenizer.ggml.tokens: give SmolLM2's file"))
	}
	m := &weights.Metadata{}
	text := func(key, v string) { m.Set(key, weights.Value{Type: weights.Text, Any: v}) }
	number := func(key string, v int) { m.Set(key, weights.Value{Type: weights.Uint32, Any: uint64(v)}) }
	text("general.architecture", "llama")
	text("general.name", "Random llama")
	number("general.file_type", 1) // mostly F16
	number("llama.block_count", s.layers)
	number("llama.context_length", contextLength)
	number("llama.embedding_length", s.width)
	number("llama.feed_forward_length", s.feed)
	number("llama.attention.head_count", s.heads)
	number("llama.attention.head_count_kv", s.kvHeads)
	number("llama.rope.dimension_count", s.head)
	number("llama.vocab_size", len(tokens))
	m.Set("llama.rope.freq_base", weights.Value{Type: weights.Float32, Any: 10000.})
	m.Set("llama.attention.layer_norm_rms_epsilon", weights.Value{Type: weights.Float32, Any: 1e-5})
	for _, key := range tokenizer.Keys() {
		if strings.HasPrefix(key, "tokenizer.") {
			v, _ := tokenizer.Get(key)
			m.Set(key, v)
		}
	}
	return m, len(tokens), nil
}

// writeFile writes it with the tokenizer of another model.
func (s shape) writeFile(path, model string) error {
	other, err := weights.Open(model)
	if err != nil {
		return err
	}
	defer other.Close()
	m, vocabulary, err := s.metadata(other.Metadata())
	if err != nil {
		return fmt.Errorf("%s: %w", model, err)
	}
	var tensors []weights.OutTensor
	for i, x := range s.matrices(vocabulary) {
		tensors = append(tensors, x.tensor(i))
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(weights.WriteFile(f, m, tensors), f.Close())
}

// holds says whether a file's tensors are those of the shape.
func (s shape) holds(f *weights.File) error {
	table, ok := f.Tensor("token_embd.weight")
	if !ok || len(table.Shape) != 2 {
		return errors.New("token_embd.weight is no matrix")
	}
	list := s.matrices(int(table.Shape[1]))
	if len(list) != len(f.Tensors()) {
		return fmt.Errorf("%d tensors, not %d", len(f.Tensors()), len(list))
	}
	for i, m := range list {
		want, t := m.tensor(i), f.Tensors()[i]
		if t.Name != want.Name || t.Type != want.Type || !slices.Equal(t.Shape, want.Shape) {
			return fmt.Errorf("tensor %s is %s %d, not %s %s %d", t.Name, t.Type, t.Shape, want.Name, want.Type, want.Shape)
		}
	}
	return nil
}
