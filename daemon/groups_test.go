package daemon

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"chimera/engine"
	"chimera/loader"
	"chimera/weights"
)

// This file owns the tests of what the pools of pages take.

// gemma3 writes a model with the KV geometry of Gemma 3 270M (18 layers, every sixth without a window, one KV head of 256
// elements) and little else.
func gemma3(t *testing.T) string {
	t.Helper()
	const width, wide, head = 16, 32, 256
	number := func(n uint64) weights.Value { return weights.Value{Type: weights.Uint32, Any: n} }
	var m weights.Metadata
	m.Set("general.architecture", weights.Value{Type: weights.Text, Any: "gemma3"})
	m.Set("gemma3.attention.layer_norm_rms_epsilon", weights.Value{Type: weights.Float32, Any: 1e-6})
	for key, n := range map[string]uint64{
		"block_count": 18, "embedding_length": width, "feed_forward_length": wide, "context_length": 32768,
		"attention.head_count": 4, "attention.head_count_kv": 1, "attention.key_length": head, "attention.value_length": head,
		"attention.sliding_window": 512,
	} {
		m.Set("gemma3."+key, number(n))
	}
	shapes := map[string][]uint64{"token_embd.weight": {width, 10}, "output_norm.weight": {width}}
	for layer := range 18 {
		for name, shape := range map[string][]uint64{
			"attn_norm": {width}, "attn_q": {width, 4 * head}, "attn_k": {width, head}, "attn_v": {width, head}, "attn_output": {4 * head, width},
			"attn_q_norm": {head}, "attn_k_norm": {head}, "post_attention_norm": {width}, "post_ffw_norm": {width},
			"ffn_norm": {width}, "ffn_gate": {width, wide}, "ffn_up": {width, wide}, "ffn_down": {wide, width},
		} {
			shapes[fmt.Sprintf("blk.%d.%s.weight", layer, name)] = shape
		}
	}
	var tensors []weights.OutTensor
	for name, shape := range shapes {
		bytes := uint64(4)
		for _, n := range shape {
			bytes *= n
		}
		tensors = append(tensors, weights.OutTensor{Name: name, Type: weights.F32, Shape: shape, Write: func(w io.Writer) error {
			_, err := w.Write(make([]byte, bytes))
			return err
		}})
	}
	path := filepath.Join(t.TempDir(), "gemma3.gguf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := weights.WriteFile(f, &m, tensors); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A context of 8,192 positions takes three tenths of what it would if every layer kept all of it, and so do the pools.
func TestWindowsTakeLittle(t *testing.T) {
	f, p, err := loader.Open(gemma3(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const context, step = 8192, 512
	all := func(engine.Group) int { return context / engine.PageTokens }
	few := func(g engine.Group) int { return g.PagesFor(context, step) }
	for _, sequences := range []int{1, 4, 32} {
		plan, err := loader.Plan(f, p, loader.Options{Threads: 1, KVType: "f16", ISA: "auto", Device: "cpu", Context: context, StepTokens: step, MaxSequences: sequences})
		if err != nil {
			t.Fatal(err)
		}
		bytes := func(pages func(engine.Group) int) (sum int64) {
			for i, g := range plan.Groups {
				sum += int64(pages(p.Groups[i])) * g.PageBytes
			}
			return sum
		}
		before := bytes(func(g engine.Group) int { return all(g)*min(sequences, loader.PooledContexts) + sequences })
		t.Logf("%d sequences: %.1f of %.1f MiB a context, pools of %.1f of %.1f MiB", sequences, float64(bytes(few))/(1<<20),
			float64(bytes(all))/(1<<20), float64(plan.KVBytes)/(1<<20), float64(before)/(1<<20))
		if bytes(few)*10 > bytes(all)*3 || plan.KVBytes*10 > before*3 || plan.KVBytes < bytes(few) {
			t.Errorf("%d sequences: %d of %d bytes a context, pools of %d of %d", sequences, bytes(few), bytes(all), plan.KVBytes, before)
		}
	}
}

// A pool holds what all sequences need at once if they are short, and full contexts of some if they are not.
func TestPagesOfPools(t *testing.T) {
	o := loader.Options{StepTokens: 64, MaxSequences: 32}
	for want, g := range map[int]engine.Group{
		4*64 + 32: {Mask: engine.Causal},
		4*11 + 32: {Mask: engine.Window, Window: 90}, // 89 positions, 64 new ones, and up to 15 on either side
		2 * 32:    {State: 8},
	} {
		if got := o.Pages(g, 1024); got != want {
			t.Errorf("%+v: %d pages, want %d", g, got, want)
		}
	}
}
