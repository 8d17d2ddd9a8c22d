//go:build cuda

package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"chimera/engine"
	"chimera/model"
	"chimera/weights"
)

// This file owns the GPU check of whole models: files of each architecture, written here with random weights and read
// as any other, and those that the project carries.

// modelShape is a small model, or one of SmolLM2's sizes.
type modelShape struct {
	architecture                        string
	layers, width, feed, heads, kvHeads int
	vocab, context                      int
	matrices, embedding                 engine.DType
}

func (s modelShape) head() int { return s.width / s.heads }

// fixtureShape is small; rows of 256 take every type.
func fixtureShape(architecture string, t engine.DType) modelShape {
	return modelShape{architecture, 2, 256, 512, 4, 2, 320, 320, t, t}
}

// smolLM2Shape is SmolLM2-135M as its Q4_1 file has it.
func smolLM2Shape() modelShape {
	return modelShape{"llama", 30, 576, 1536, 9, 3, 49152, 8192, engine.Q4_1, engine.Q8_0}
}

// modelFile collects a file's keys and tensors.
type modelFile struct {
	modelShape
	keys    weights.Metadata
	tensors []weights.OutTensor
	made    uint64
}

func (f *modelFile) number(key string, n int) {
	f.keys.Set(f.architecture+"."+key, weights.Value{Type: weights.Uint32, Any: uint64(n)})
}

func (f *modelFile) real(key string, x float64) {
	f.keys.Set(f.architecture+"."+key, weights.Value{Type: weights.Float32, Any: x})
}

func (f *modelFile) tensor(name string, t engine.DType, data []byte, shape ...uint64) {
	f.tensors = append(f.tensors, weights.OutTensor{Name: name, Type: weights.Type(t), Shape: shape, Write: func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}})
}

func (f *modelFile) matrix(name string, t engine.DType, rows, cols int) {
	f.made++
	f.tensor(name, t, randomData(seeded(f.made), t, rows, cols), uint64(cols), uint64(rows))
}

// vector is a norm's weight around 1, or a bias around 0.
func (f *modelFile) vector(name string, n int, mean float64) {
	f.made++
	r := seeded(f.made)
	f.tensor(name, engine.F32, floatData(engine.F32, n, func(int) float32 { return float32(mean + r.NormFloat64()/8) }), uint64(n))
}

func (f *modelFile) common() {
	f.keys.Set("general.architecture", weights.Value{Type: weights.Text, Any: f.architecture})
	f.number("block_count", f.layers)
	f.number("embedding_length", f.width)
	f.number("feed_forward_length", f.feed)
	f.number("attention.head_count", f.heads)
	f.number("context_length", f.context)
	f.matrix("token_embd.weight", f.embedding, f.vocab, f.width)
	f.vector("output_norm.weight", f.width, 1)
}

// gated is a layer of llama, and what gemma3 has of it.
func (f *modelFile) gated(block string) {
	keyValues := f.kvHeads * f.head()
	f.vector(block+"attn_norm.weight", f.width, 1)
	f.matrix(block+"attn_q.weight", f.matrices, f.width, f.width)
	f.matrix(block+"attn_k.weight", f.matrices, keyValues, f.width)
	f.matrix(block+"attn_v.weight", f.matrices, keyValues, f.width)
	f.matrix(block+"attn_output.weight", f.matrices, f.width, f.width)
	f.vector(block+"ffn_norm.weight", f.width, 1)
	f.matrix(block+"ffn_gate.weight", f.matrices, f.feed, f.width)
	f.matrix(block+"ffn_up.weight", f.matrices, f.feed, f.width)
	f.matrix(block+"ffn_down.weight", f.matrices, f.width, f.feed)
}

func (f *modelFile) gemmaNorms(block string) {
	f.vector(block+"attn_q_norm.weight", f.head(), 1)
	f.vector(block+"attn_k_norm.weight", f.head(), 1)
	f.vector(block+"post_attention_norm.weight", f.width, 1)
	f.vector(block+"post_ffw_norm.weight", f.width, 1)
}

func (f *modelFile) gpt2Layer(block string) {
	for _, norm := range []string{"attn_norm", "ffn_norm"} {
		f.vector(block+norm+".weight", f.width, 1)
		f.vector(block+norm+".bias", f.width, 0)
	}
	for _, m := range []struct {
		name       string
		rows, cols int
	}{{"attn_qkv", 3 * f.width, f.width}, {"attn_output", f.width, f.width}, {"ffn_up", f.feed, f.width}, {"ffn_down", f.width, f.feed}} {
		f.matrix(block+m.name+".weight", f.matrices, m.rows, m.cols)
		f.vector(block+m.name+".bias", m.rows, 0)
	}
}

// open writes the file to memory, reads it, and states its program.
func (s modelShape) open() (*engine.Program, model.Source, error) {
	f := &modelFile{modelShape: s}
	f.common()
	if s.architecture == "gpt2" {
		f.real("attention.layer_norm_epsilon", 1e-5)
		f.matrix("position_embd.weight", engine.F32, s.context, s.width)
		f.vector("output_norm.bias", s.width, 0)
	} else {
		f.real("attention.layer_norm_rms_epsilon", 1e-5)
		f.number("attention.head_count_kv", s.kvHeads)
	}
	for i := range s.layers {
		block := fmt.Sprintf("blk.%d.", i)
		switch s.architecture {
		case "gpt2":
			f.gpt2Layer(block)
		case "gemma3":
			f.gated(block)
			f.gemmaNorms(block)
		default:
			f.gated(block)
		}
	}
	if s.architecture == "gemma3" {
		f.number("attention.sliding_window", 40)
		f.number("attention.sliding_window_pattern", 2)
	}
	var out bytes.Buffer
	if err := weights.WriteFile(&out, &f.keys, f.tensors); err != nil {
		return nil, model.Source{}, err
	}
	return openBytes(s.architecture+".gguf", out.Bytes())
}

func openBytes(name string, data []byte) (*engine.Program, model.Source, error) {
	file, err := weights.Parse(name, data)
	if err != nil {
		return nil, model.Source{}, err
	}
	p, err := model.Build(file)
	return p, model.NewSource(file), err
}

var kvTypes = []engine.DType{engine.F32, engine.F16, engine.Q8_0}

func checkModels(c *checker) {
	for i, t := range checkTypes {
		c.check("llama in "+t.String(), func(v *verdict) error { return c.fixture(v, fixtureShape("llama", t), kvTypes[i%3]) })
	}
	for _, architecture := range []string{"gemma3", "gpt2"} {
		for i, t := range []engine.DType{engine.F16, engine.Q8_0, engine.Q4_K} {
			if c.small && i > 0 {
				continue
			}
			c.check(architecture+" in "+t.String(), func(v *verdict) error { return c.fixture(v, fixtureShape(architecture, t), kvTypes[i]) })
		}
	}
	for _, path := range carriedFiles() {
		for _, kv := range kvTypes {
			c.check(fmt.Sprintf("%s, %v pages", filepath.Base(path), kv), func(v *verdict) error { return c.carried(v, path, kv) })
			if c.small {
				break
			}
		}
	}
	c.check("alone and in a batch of 32", c.company)
}

// carriedFiles are the model files that the project's tests carry: packed beside the binary, or in the tree.
func carriedFiles() []string {
	for _, folder := range []string{"fixtures", filepath.Join("..", "daemon", "testdata", "parts", "*")} {
		if files, _ := filepath.Glob(filepath.Join(folder, "*.gguf")); len(files) > 0 {
			return files
		}
	}
	return nil
}

func (c *checker) carried(v *verdict, path string, kv engine.DType) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	p, err := model.Build(f)
	if err == nil {
		err = c.sameModel(v, p, model.NewSource(f), kv)
	}
	return errors.Join(err, f.Close())
}

func (c *checker) fixture(v *verdict, s modelShape, kv engine.DType) error {
	if c.small {
		s.layers, s.feed = 1, 256
	}
	p, w, err := s.open()
	if err != nil {
		return err
	}
	return c.sameModel(v, p, w, kv)
}

// sameModel computes prompts in chunks, prompts and decode together, and compares every row.
func (c *checker) sameModel(v *verdict, p *engine.Program, w engine.Weights, kv engine.DType) error {
	o := checkOptions(p, kv)
	o.MaxContext = min(p.Context, 320)
	o.Pages = checkPages(p, o.MaxContext)
	q, err := c.pair(p, w, o)
	if err != nil {
		return err
	}
	return errors.Join(c.converse(v, q, o.MaxContext), q.close())
}

func (c *checker) converse(v *verdict, q *pair, context int) error {
	tokens := tokensFrom(5, context, q.vocab)
	steps := [][]part{
		{{0, 0, tokens[:1]}}, {{0, 1, tokens[1:18]}}, {{0, 18, tokens[18:19]}, {1, 0, tokens[3:12]}},
		{{1, 9, tokens[12:13]}, {0, 19, tokens[19:20]}, {2, 0, tokens[7:8]}},
	}
	for i, parts := range steps {
		if err := q.rows(v, fmt.Sprintf("step %d", i), parts...); err != nil {
			return err
		}
		if err := meaningful(q.off.Logits); err != nil {
			return err
		}
	}
	at := 20
	for most := c.size(context, 84); at+64 <= most; at += 64 {
		if err := q.last(v, fmt.Sprintf("chunk at %d", at), part{0, at, tokens[at : at+64]}); err != nil {
			return err
		}
	}
	if err := q.rows(v, "decode behind it", part{0, at, tokens[at : at+1]}); err != nil {
		return err
	}
	return q.pages(v, 0, 0, at+1)
}

// meaningful refuses logits that would be the same whatever was computed.
func meaningful(logits []float32) error {
	low, high := slices.Min(logits), slices.Max(logits)
	if math.IsNaN(float64(low)) || math.IsInf(float64(high), 0) || math.IsInf(float64(low), 0) || high-low < 1e-3 {
		return fmt.Errorf("the CPU's logits lie between %v and %v: the check compares nothing", low, high)
	}
	return nil
}

// company: a sequence's bytes do not depend on what else is in its steps.
func (c *checker) company(v *verdict) error {
	s := fixtureShape("llama", engine.Q4_1)
	s.layers = c.size(2, 1)
	p, w, err := s.open()
	if err != nil {
		return err
	}
	q, err := c.pair(p, w, checkOptions(p, engine.F16))
	if err != nil {
		return err
	}
	return errors.Join(c.aloneAndNot(v, q), q.close())
}

func (c *checker) aloneAndNot(v *verdict, q *pair) error {
	tokens := tokensFrom(9, 40, q.vocab)
	var alone [][]float32
	for _, others := range []int{0, 31} {
		for i, n := range []int{20, 1, 1, 1} {
			at := 0
			if i > 0 {
				at = 19 + i
			}
			q.on.Reset()
			for s := range others {
				if _, err := q.add(q.on, part{s + 1, i, tokens[s%8 : s%8+1]}); err != nil {
					return err
				}
			}
			row, err := q.add(q.on, part{0, at, tokens[at : at+n]})
			if err == nil {
				err = addRows(q.on, row+n-1, row+n)
			}
			if err == nil {
				err = runOn(q.gpu, q.on)
			}
			if err != nil {
				return err
			}
			if others == 0 {
				alone = append(alone, slices.Clone(q.on.Logits))
			} else {
				v.floats(fmt.Sprintf("step %d in company", i), alone[i], q.on.Logits)
			}
		}
	}
	return nil
}
