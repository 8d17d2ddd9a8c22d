package model

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"chimera/engine"
	"chimera/weights"
)

// This file owns tests of every architecture over sound files and what may be wrong with them.

func TestSoundModels(t *testing.T) {
	for _, architecture := range Architectures() {
		p, err := Build(sound(architecture).file(t))
		if err != nil {
			t.Errorf("%s: %v", architecture, err)
			continue
		}
		kvHeads := 2
		if architecture == "gpt2" {
			kvHeads = 4
		}
		g := p.Groups[0]
		if len(p.Groups) != 1 || g.Layers != 2 || g.Heads != kvHeads || g.KeyWidth != 4 || g.ValueWidth != 4 || p.Vocab != 10 || p.Context != 32 || p.Architecture != architecture {
			t.Errorf("%s: %d layers, %d KV heads of %d, %d tokens, context %d", architecture, g.Layers, g.Heads, g.KeyWidth, p.Vocab, p.Context)
		}
		attends := 0
		for _, op := range p.Ops {
			if a, ok := op.(engine.Attend); ok {
				attends++
				if a.Heads != 4 || a.Scale != 0.5 || (a.Rope == nil) != (architecture == "gpt2") {
					t.Errorf("%s: attention %+v", architecture, a)
				}
			}
		}
		if attends != 2 {
			t.Errorf("%s: %d attentions", architecture, attends)
		}
	}
}

// TestEveryTensorIsNeeded: a file without any one of its tensors, or with one of another shape, is
// refused by the tensor's name.
func TestEveryTensorIsNeeded(t *testing.T) {
	for _, architecture := range Architectures() {
		for name, shape := range sound(architecture).tensors {
			optional := architecture != "llama" && strings.HasSuffix(name, ".bias") && !strings.Contains(name, "norm")
			if _, err := Build(sound(architecture).lose(name).file(t)); optional != (err == nil) {
				t.Errorf("%s without %s: %v", architecture, name, err)
			} else if err != nil {
				named(t, err, "tensor "+name+" is missing")
			}
			longer := append([]uint64(nil), shape...)
			longer[len(longer)-1]++
			wider := append([]uint64{shape[0] + 1}, shape[1:]...)
			for _, bad := range [][]uint64{longer, wider, {1}, {shape[0], 2, 3}, append([]uint64{2}, shape...)} {
				if name == "token_embd.weight" && bad[0] == shape[0] {
					continue // its rows are what says how large the vocabulary is
				}
				_, err := Build(sound(architecture).shape(name, bad...).file(t))
				if err == nil {
					t.Errorf("%s with %s of %d was taken", architecture, name, bad)
					continue
				}
				named(t, err, "tensor "+name)
			}
		}
	}
}

// named checks the promise: the file's fault, and file and field by name.
func named(t *testing.T, err error, field string) {
	t.Helper()
	if !errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), "m.gguf: ") || !strings.Contains(err.Error(), field) {
		t.Errorf("want the file and %q: %v", field, err)
	}
}

func TestHyperParameters(t *testing.T) {
	nan, infinity := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		key    string // after the architecture's name
		values []weights.Value
	}{
		{"block_count", []weights.Value{number(0), number(1 << 31), wide(1 << 63), signed(-1), text("2"), real(2)}},
		{"embedding_length", []weights.Value{number(0), number(1 << 31), signed(-16), wide(1<<64 - 1)}},
		{"feed_forward_length", []weights.Value{number(0), number(1 << 31), {Type: weights.Array, Element: weights.Uint32, Any: []uint64{24, 48}}}},
		{"context_length", []weights.Value{number(0), wide(1 << 40), signed(-1)}},
		{"attention.head_count", []weights.Value{number(0), number(3), number(17), number(1 << 31), {Type: weights.Array, Element: weights.Uint32, Any: []uint64{4, 2}}}},
		{"attention.head_count_kv", []weights.Value{number(0), number(3), number(8), number(1 << 31)}},
		{"attention.key_length", []weights.Value{number(0), number(1), number(5), number(514), number(1 << 20), number(1 << 31)}},
		{"attention.value_length", []weights.Value{number(0), number(8), number(1 << 31)}},
		{"attention.layer_norm_rms_epsilon", []weights.Value{real(nan), real(infinity), real(-1), real(1e9), text("1e-5")}},
		{"rope.dimension_count", []weights.Value{number(0), number(3), number(6), number(1 << 31)}},
		{"rope.freq_base", []weights.Value{real(nan), real(infinity), real(0), real(1), real(-10000), text("10000")}},
		{"rope.scaling.factor", []weights.Value{real(nan), real(-2), real(1e-30), real(1e30)}},
		{"rope.scaling.type", []weights.Value{text("dynamic"), number(1)}},
		{"expert_count", []weights.Value{number(8), text("8")}},
	} {
		for _, v := range c.values {
			for _, architecture := range []string{"llama", "gemma3"} {
				key := architecture + "." + c.key
				_, err := Build(sound(architecture).set(key, v).file(t))
				if err == nil {
					t.Errorf("key %s = %v was taken", key, v.Any)
					continue
				}
				if !errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), "m.gguf: ") {
					t.Errorf("key %s = %v: the error does not name the file: %v", key, v.Any, err)
				}
				// A size that is possible in itself shows in a tensor's shape, and others as experts.
				if !strings.Contains(err.Error(), key) && !strings.Contains(err.Error(), "tensor ") && !strings.Contains(err.Error(), "experts") {
					t.Errorf("key %s = %v: the error names no field: %v", key, v.Any, err)
				}
			}
		}
	}
	for key, v := range map[string]weights.Value{
		"gemma3.attention.sliding_window": number(1 << 31), "gemma3.attention.sliding_window_pattern": number(1 << 31),
		"gemma3.rope.freq_base_swa": real(nan),
	} {
		_, err := Build(sound("gemma3").set(key, v).file(t))
		if err == nil {
			t.Fatalf("key %s = %v was taken", key, v.Any)
		}
		named(t, err, "key "+key)
	}
}

func TestMissingKeys(t *testing.T) {
	for _, architecture := range Architectures() {
		for key := range sound(architecture).keys {
			if strings.HasSuffix(key, "head_count_kv") || strings.HasSuffix(key, "sliding_window") {
				continue // have meanings when absent: as many as heads, and none
			}
			_, err := Build(sound(architecture).drop(key).file(t))
			if err == nil {
				t.Fatalf("%s without %s was taken", architecture, key)
			}
			named(t, err, "key "+key+" is missing")
		}
	}
}

func TestYaRNKeysAreBounded(t *testing.T) {
	yarn := func() *draft {
		return sound("llama").set("llama.rope.scaling.type", text("yarn")).set("llama.rope.scaling.factor", real(4))
	}
	if _, err := Build(yarn().file(t)); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"yarn_beta_fast", "yarn_beta_slow", "yarn_ext_factor", "yarn_attn_factor", "attn_factor"} {
		for _, x := range []float64{0, -1, math.NaN(), math.Inf(1), 1e30} {
			_, err := Build(yarn().set("llama.rope.scaling."+key, real(x)).file(t))
			if err == nil {
				t.Fatalf("%s = %v was taken", key, x)
			}
			named(t, err, "key llama.rope.scaling."+key)
		}
	}
	_, err := Build(yarn().set("llama.rope.scaling.original_context_length", number(0)).file(t))
	if err == nil {
		t.Fatal("an original context of 0 was taken")
	}
	named(t, err, "original_context_length")
}

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]struct {
		d     *draft
		wants string
	}{
		"an architecture":          {sound("llama").set("general.architecture", text("mamba")), `architecture "mamba"`},
		"experts":                  {sound("llama").set("llama.expert_count", number(8)), "a mixture of 8 experts"},
		"a tensor that no op uses": {sound("llama").shape("blk.0.attn_q_norm.weight", 4), "tensor blk.0.attn_q_norm.weight"},
	} {
		_, err := Build(c.d.file(t))
		var unsupported *engine.UnsupportedError
		if !errors.As(err, &unsupported) {
			t.Fatalf("%s: %v", name, err)
		}
		named(t, err, c.wants)
	}
	if _, err := Build(sound("llama").set("llama.expert_count", number(0)).file(t)); err != nil {
		t.Errorf("no experts: %v", err)
	}
}

func TestRopeFactors(t *testing.T) {
	if _, err := Build(sound("llama").shape("rope_freqs.weight", 2).file(t)); err != nil {
		t.Error(err)
	}
	_, err := Build(sound("llama").shape("rope_freqs.weight", 3).file(t))
	if err == nil {
		t.Fatal("three factors for two pairs were taken")
	}
	named(t, err, "tensor rope_freqs.weight")
}

func TestVocabulary(t *testing.T) {
	list := func(kind weights.ValueType, v any) weights.Value {
		return weights.Value{Type: weights.Array, Element: kind, Any: v}
	}
	if _, err := Build(sound("llama").set("tokenizer.ggml.tokens", list(weights.Text, make([]string, 9))).file(t)); err != nil {
		t.Errorf("a padded embedding: %v", err)
	}
	for name, v := range map[string]weights.Value{
		"tokens": list(weights.Text, make([]string, 11)), "merges": list(weights.Int32, []int64{1}),
		"scores": list(weights.Text, []string{"a"}), "token_type": list(weights.Float32, []float64{1}),
	} {
		_, err := Build(sound("llama").set("tokenizer.ggml."+name, v).file(t))
		if err == nil {
			t.Fatalf("tokenizer.ggml.%s = %v was taken", name, v.Any)
		}
		named(t, err, "key tokenizer.ggml."+name)
	}
}

// TestTensorsThatCannotBeComputedWith: integers are known by size alone.
func TestTensorsThatCannotBeComputedWith(t *testing.T) {
	data := sound("llama").bytes(t)
	at := strings.Index(string(data), "blk.1.ffn_up.weight") + len("blk.1.ffn_up.weight") + 4 + 2*8
	data[at] = 26 // I32
	f, err := weights.Parse("m.gguf", data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Build(f)
	if err == nil {
		t.Fatal("it was taken")
	}
	named(t, err, "tensor blk.1.ffn_up.weight has type I32")
}

// TestAbsurdSizesAreCheap: what a file claims costs nothing before its tensors have been seen.
func TestAbsurdSizesAreCheap(t *testing.T) {
	f := sound("gemma3").set("gemma3.block_count", number(maxLayers)).set("gemma3.feed_forward_length", number(maxWidth)).
		set("gemma3.context_length", number(maxContext)).file(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Build(f)
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 32<<20 {
		t.Errorf("%d bytes: %v", after.TotalAlloc-before.TotalAlloc, err)
	}
}

// TestConformance: every fixture is stated, or refused by name.
func TestConformance(t *testing.T) {
	folder := os.Getenv("CHIMERA_CONFORMANCE")
	if folder == "" {
		folder = "../../shared/conformance"
	} else if !filepath.IsAbs(folder) {
		folder = filepath.Join("..", folder)
	}
	text, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		t.Skipf("no fixtures: %v", err)
	}
	var manifest struct{ Models map[string]json.RawMessage }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	built := 0
	for name := range manifest.Models {
		paths, _ := filepath.Glob(filepath.Join(folder, name, "*.gguf"))
		for _, path := range paths {
			f, err := weights.Open(path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			_, err = Build(f)
			var unsupported *engine.UnsupportedError
			switch {
			case err == nil:
				built++
			case !errors.As(err, &unsupported) || !strings.HasPrefix(err.Error(), path+": "):
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Logf("%d files are stated, the others refused by name", built)
	if built == 0 {
		t.Error("no file was stated")
	}
}

// FuzzModel: whatever a file says, it is stated or refused by an error that names the file.
func FuzzModel(f *testing.F) {
	for _, architecture := range Architectures() {
		f.Add(sound(architecture).bytes(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := weights.Parse("m.gguf", data)
		if err != nil {
			return
		}
		if _, err := Build(file); err != nil && (!errors.Is(err, engine.ErrModelFile) || !strings.HasPrefix(err.Error(), "m.gguf: ")) {
			t.Fatal(err)
		}
	})
}
