package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chimera/weights"
)

// These tests give the real binary model files that are not sound: it must end by itself, with exit
// code 3 and an error that names file and field, and take little memory for it.

// hostileMemoryKiB is what a bad file may cost beyond what the same verb takes for a sound one.
const hostileMemoryKiB = 64 << 10

// outcome is how a run of the binary ended.
type outcome struct {
	code   int // -1: killed
	rssKiB int64
	stderr string
}

func runVerb(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := chimera(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	_ = c.Wait() // the exit code says it
	return outcome{
		code: c.ProcessState.ExitCode(), stderr: stderr.String(),
		rssKiB: c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss,
	}
}

// sane checks what holds for any file: an answer or an error of the file's, never a crash.
func (o outcome) sane(t *testing.T, what, path string, baseKiB int64) {
	t.Helper()
	switch {
	case o.code != 0 && o.code != exitModel, strings.Contains(o.stderr, "goroutine "), strings.Contains(o.stderr, "SIG"):
		t.Errorf("%s: exit code %d: %.1000s", what, o.code, o.stderr)
	case o.code == exitModel && !strings.Contains(o.stderr, path):
		t.Errorf("%s: the error does not name the file: %s", what, o.stderr)
	case o.rssKiB > baseKiB+hostileMemoryKiB:
		t.Errorf("%s: %d KiB, %d for a sound file: %s", what, o.rssKiB, baseKiB, o.stderr)
	}
}

// verbs are the ways to read a model file.
func verbs(t *testing.T, path string) map[string][]string {
	out := filepath.Join(t.TempDir(), "out")
	return map[string][]string{
		"show": {"show", path}, "sums": {"show", path, "--sha256"}, "plan": {"show", path, "--plan"},
		"ids":      {"logits", "--model", path, "--ids", "1,3,4", "--out", out, "--threads", "1"},
		"text":     {"logits", "--model", path, "--text", "ab", "--out", out, "--threads", "1"},
		"tokenize": {"tokenize", "--model", path},
		"quantize": {"quantize", "--type", "f16", path, out},
	}
}

// tinyModel is a sound llama of one layer with a vocabulary of eight tokens.
func tinyModel(t *testing.T, edit func(set func(string, weights.ValueType, any), shapes map[string][]uint64)) []byte {
	t.Helper()
	var m weights.Metadata
	set := func(key string, kind weights.ValueType, v any) {
		value := weights.Value{Type: kind, Any: v}
		switch v.(type) {
		case []string, []int64, []float64:
			value = weights.Value{Type: weights.Array, Element: kind, Any: v}
		}
		m.Set(key, value)
	}
	set("general.architecture", weights.Text, "llama")
	for key, n := range map[string]uint64{
		"block_count": 1, "embedding_length": 8, "feed_forward_length": 8, "attention.head_count": 2, "context_length": 16,
	} {
		set("llama."+key, weights.Uint32, n)
	}
	set("llama.attention.layer_norm_rms_epsilon", weights.Float32, 1e-5)
	set("tokenizer.ggml.model", weights.Text, "llama")
	set("tokenizer.ggml.tokens", weights.Text, []string{"<unk>", "<s>", "</s>", "a", "b", "ab", "\u2581", "\u2581a"})
	set("tokenizer.ggml.scores", weights.Float32, []float64{0, 0, 0, -1, -2, -3, -4, -5})
	set("tokenizer.ggml.token_type", weights.Int32, []int64{2, 3, 3, 1, 1, 1, 1, 1})
	set("tokenizer.ggml.bos_token_id", weights.Uint32, uint64(1))
	set("tokenizer.ggml.eos_token_id", weights.Uint32, uint64(2))
	set("tokenizer.ggml.unknown_token_id", weights.Uint32, uint64(0))
	shapes := map[string][]uint64{"token_embd.weight": {8, 8}, "output_norm.weight": {8}}
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"} {
		shapes["blk.0."+name+".weight"] = []uint64{8, 8}
	}
	shapes["blk.0.attn_norm.weight"], shapes["blk.0.ffn_norm.weight"] = []uint64{8}, []uint64{8}
	edit(set, shapes)
	var tensors []weights.OutTensor
	for name, shape := range shapes {
		n := uint64(1)
		for _, x := range shape {
			n *= x
		}
		tensors = append(tensors, weights.OutTensor{Name: name, Type: weights.F32, Shape: shape, Write: func(w io.Writer) error {
			values := make([]float32, n)
			for i := range values {
				values[i] = float32(i%7) / 8
			}
			return binary.Write(w, binary.LittleEndian, values)
		}})
	}
	var out bytes.Buffer
	if err := weights.WriteFile(&out, &m, tensors); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sound(func(string, weights.ValueType, any), map[string][]uint64) {}

// TestSoundTinyModel: the file that the others are made of runs, and says what a run costs.
func TestSoundTinyModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, tinyModel(t, sound), 0o600); err != nil {
		t.Fatal(err)
	}
	for verb, args := range verbs(t, path) {
		if o := runVerb(t, args...); o.code != 0 {
			t.Errorf("%s: exit code %d: %s", verb, o.code, o.stderr)
		}
	}
}

func baseline(t *testing.T) map[string]int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, tinyModel(t, sound), 0o600); err != nil {
		t.Fatal(err)
	}
	kib := map[string]int64{}
	for verb, args := range verbs(t, path) {
		kib[verb] = runVerb(t, args...).rssKiB
	}
	return kib
}

// header is the start of a file with one tensor of shape and type 0 (F32) at offset.
func header(offset uint64, shape ...uint64) []byte {
	b := append([]byte("GGUF\x03\x00\x00\x00"), make([]byte, 16)...)
	b[8] = 1
	b = binary.LittleEndian.AppendUint64(b, 1)
	b = append(b, 'w')
	b = binary.LittleEndian.AppendUint32(b, uint32(len(shape)))
	for _, n := range shape {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, offset)
	return append(b, make([]byte, 128)...)
}

func TestHostileFiles(t *testing.T) {
	base := baseline(t)
	edited := func(key string, kind weights.ValueType, v any) []byte {
		return tinyModel(t, func(set func(string, weights.ValueType, any), _ map[string][]uint64) { set(key, kind, v) })
	}
	shaped := func(name string, shape ...uint64) []byte {
		return tinyModel(t, func(_ func(string, weights.ValueType, any), shapes map[string][]uint64) { shapes[name] = shape })
	}
	lost := tinyModel(t, func(_ func(string, weights.ValueType, any), shapes map[string][]uint64) {
		delete(shapes, "blk.0.ffn_up.weight")
	})
	whole := tinyModel(t, sound)
	const every, computing, reading = "show sums plan ids text tokenize quantize", "plan ids text", "plan ids text tokenize"
	for _, c := range []struct {
		name  string
		data  []byte
		field string
		verbs string // which must refuse; the others do as they like
	}{
		{"empty", nil, "magic", every},
		{"49 bytes", whole[:49], "tensor_count", every},
		{"no GGUF", []byte(strings.Repeat("not a model ", 10)), "magic", every},
		{"half", whole[:len(whole)/2], "tensor", every},
		{"all but a byte of data", whole[:len(whole)-1], "tensor", every},
		{"dimension 2^42", header(0, 1<<42), "tensor w", every},
		{"dimension 2^63", header(0, 1<<63), "tensor w", every},
		{"offset beyond the file", header(1<<40, 4), "tensor w", every},
		{"tokens as integers", edited("tokenizer.ggml.tokens", weights.Int32, []int64{1, 2}), "key tokenizer.ggml.tokens", reading},
		{"scores as strings", edited("tokenizer.ggml.scores", weights.Text, []string{"a"}), "key tokenizer.ggml.scores", reading},
		{"types as floats", edited("tokenizer.ggml.token_type", weights.Float32, []float64{1}), "key tokenizer.ggml.token_type", reading},
		{"more tokens than rows", shaped("token_embd.weight", 8, 7), "key tokenizer.ggml.tokens", computing},
		{"architecture as a number", edited("general.architecture", weights.Uint32, uint64(1)), "key general.architecture", computing},
		{"unknown architecture", edited("general.architecture", weights.Text, "mamba"), `architecture "mamba"`, computing},
		{"experts", edited("llama.expert_count", weights.Uint32, uint64(8)), "experts", computing},
		{"no heads", edited("llama.attention.head_count", weights.Uint32, uint64(0)), "key llama.attention.head_count", computing},
		{"2^31 layers", edited("llama.block_count", weights.Uint32, uint64(1<<31)), "key llama.block_count", computing},
		{"context 2^40", edited("llama.context_length", weights.Uint64, uint64(1<<40)), "key llama.context_length", computing},
		{"missing tensor", lost, "tensor blk.0.ffn_up.weight is missing", computing},
		{"misshapen tensor", shaped("blk.0.ffn_up.weight", 8, 7), "tensor blk.0.ffn_up.weight", computing},
		{"vector of another length", shaped("output_norm.weight", 9), "tensor output_norm.weight", computing},
	} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		for verb, args := range verbs(t, path) {
			o := runVerb(t, args...)
			o.sane(t, c.name+": "+verb, path, base[verb])
			if strings.Contains(c.verbs, verb) && (o.code != exitModel || !strings.Contains(o.stderr, c.field)) {
				t.Errorf("%s: %s: exit code %d, want %d and %q: %s", c.name, verb, o.code, exitModel, c.field, o.stderr)
			}
		}
	}
}

func TestHostilePathsOfModels(t *testing.T) {
	folder := t.TempDir()
	locked := filepath.Join(folder, "locked.gguf")
	if err := os.WriteFile(locked, tinyModel(t, sound), 0); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, filepath.Join(folder, "none.gguf"), locked} {
		for verb, args := range verbs(t, path) {
			o := runVerb(t, args...)
			if path == locked && os.Geteuid() == 0 {
				continue // root reads it
			}
			if o.code != exitModel || !strings.Contains(o.stderr, path) {
				t.Errorf("%s %s: exit code %d: %s", verb, path, o.code, o.stderr)
			}
		}
	}
}

// TestOddModels: absurd sizes that are consistent, each a model that may run or be refused.
func TestOddModels(t *testing.T) {
	base := baseline(t)
	for name, edit := range map[string]func(func(string, weights.ValueType, any), map[string][]uint64){
		"context 2^30": func(set func(string, weights.ValueType, any), _ map[string][]uint64) {
			set("llama.context_length", weights.Uint32, uint64(1<<30))
		},
		"frequencies divided by zero": func(_ func(string, weights.ValueType, any), shapes map[string][]uint64) {
			shapes["rope_freqs.weight"] = []uint64{2} // its first value is 0
		},
		"BOS beyond the vocabulary": func(set func(string, weights.ValueType, any), _ map[string][]uint64) {
			set("tokenizer.ggml.bos_token_id", weights.Uint32, uint64(1<<20))
		},
		"heads of two elements": func(set func(string, weights.ValueType, any), _ map[string][]uint64) {
			set("llama.attention.head_count", weights.Uint32, uint64(4))
		},
	} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, tinyModel(t, edit), 0o600); err != nil {
			t.Fatal(err)
		}
		for verb, args := range verbs(t, path) {
			runVerb(t, args...).sane(t, name+": "+verb, path, base[verb])
		}
	}
}

// TestFlippedMetadata flips bits of whole models' metadata and runs them.
func TestFlippedMetadata(t *testing.T) {
	sources := map[string][]byte{"tiny": tinyModel(t, sound)}
	for _, name := range []string{"llama/llama-f32", "gpt2/gpt2-f16", "gemma3/gemma3-f32", "llama_quant/llama_quant-q4_k_m"} {
		if data, err := os.ReadFile(filepath.Join("../../../shared/conformance", name+".gguf")); err == nil {
			sources[name] = data
		} else {
			t.Logf("without the fixture %s", name)
		}
	}
	random := rand.New(rand.NewPCG(7, 7))
	for name, data := range sources {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args := verbs(t, path)
		base := map[string]int64{}
		for _, verb := range []string{"text", "plan"} {
			base[verb] = runVerb(t, args[verb]...).rssKiB
		}
		end := bytes.LastIndex(data, []byte(".weight"))
		for range 40 {
			flipped := bytes.Clone(data)
			bit := random.IntN(8 * end)
			flipped[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(path, flipped, 0o600); err != nil {
				t.Fatal(err)
			}
			for verb, kib := range base {
				runVerb(t, args[verb]...).sane(t, fmt.Sprintf("%s: bit %d flipped: %s", name, bit, verb), path, kib)
			}
		}
	}
}
