//go:build cuda

package cuda

import (
	"fmt"
	"testing"
	"time"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/engine/lowering"
)

// This file holds the plan of a model larger than any test can load: sizes beyond 32 bits, and the patience that a
// long context needs.

// large is a Llama of 70B parameters, without their values.
func large(t *testing.T) *engine.Program {
	t.Helper()
	const width, layers, heads, kvHeads, head, hidden, vocab, context = 8192, 80, 64, 8, 128, 28672, 128256, 131072
	b := engine.NewBuilder("llama", vocab, context)
	group := b.Group(engine.Group{Name: "full", Layers: layers, Mask: engine.Causal, Heads: kvHeads, KeyWidth: head, ValueWidth: head})
	value := func(name string, n int) engine.ValueID { return b.Value(name, n) }
	x, y, q, k, v := value("x", width), value("y", width), value("q", heads*head), value("k", kvHeads*head), value("v", kvHeads*head)
	attended, h := value("attended", heads*head), value("h", hidden)
	linear := func(name string, out engine.ValueID, rows, cols int) engine.Linear {
		return engine.Linear{Weight: b.Weight(name, rows, cols), Out: out}
	}
	norm := func(in, out engine.ValueID) engine.Norm {
		return engine.Norm{Kind: engine.RMSNorm, Gamma: b.Vector("norm", width), Epsilon: 1e-5, In: in, Out: out}
	}
	rope := &engine.Rope{Dim: head, Base: 500000, Scale: 1, Magnitude: 1}
	b.Add(engine.Embed{Table: b.Weight("embd", vocab, width), Scale: 1, Out: x})
	for i := range layers {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }
		b.Add(norm(x, y))
		b.Add(engine.Linears{In: y, Outputs: []engine.Linear{linear(name("q"), q, heads*head, width),
			linear(name("k"), k, kvHeads*head, width), linear(name("v"), v, kvHeads*head, width)}})
		b.Add(engine.Store{Group: group, Layer: i + 1, K: k, V: v, Rope: rope})
		b.Add(engine.Attend{Group: group, Layer: i + 1, Q: q, Out: attended, Heads: heads, Scale: 1, Rope: rope})
		b.Add(engine.Linears{In: attended, Outputs: []engine.Linear{linear(name("o"), x, width, heads*head)}})
		b.Add(norm(x, y))
		gated := linear(name("up"), h, hidden, width)
		gated.Gate, gated.Activation = b.Weight(name("gate"), hidden, width), engine.SiLU
		b.Add(engine.Linears{In: y, Outputs: []engine.Linear{gated}})
		b.Add(engine.Linears{In: h, Outputs: []engine.Linear{linear(name("down"), x, width, hidden)}})
	}
	out := b.OutputValue("out", width)
	b.Add(engine.Rows{In: x, Out: out})
	b.Add(engine.Head{In: out, Weight: b.Weight("output", vocab, width), Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allQ8 are a program's weights without their values.
func allQ8(p *engine.Program) engine.Weights {
	tensors := enginetest.Tensors{}
	for _, w := range p.Weights {
		tensors[w.Name] = enginetest.Tensor{Tensor: engine.Tensor{Name: w.Name, Type: engine.Q8_0, Rows: w.Rows, Cols: w.Cols, RowBytes: w.Cols / 32 * 34}}
	}
	return tensors
}

func TestPlanOfLargeModel(t *testing.T) {
	p := large(t)
	l, err := lower(p, allQ8(p))
	if err != nil {
		t.Fatal(err)
	}
	o := engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, MaxTokens: 512, MaxSequences: 32, MaxOutputs: 512,
		MaxTop: 20, MaxContext: p.Context, Pages: []int{4 * p.Context / engine.PageTokens}}
	plan := planOf(l, o, &device{})
	const gib = 1 << 30
	// 70e9 weights of 9/8 byte; 327,680 bytes of KV a position; 32 sequences' attention splits are half of the activations.
	for _, part := range []struct {
		name      string
		got       int64
		low, high float64 // GiB
	}{
		{"weights", plan.WeightBytes, 70, 76}, {"KV", plan.KVBytes, 160, 160}, {"activations", plan.ActBytes, 0.5, 1},
		{"batch", plan.BatchBytes, 0.01, 0.1}, {"host", plan.HostBytes, 0.05, 0.3},
	} {
		if size := float64(part.got) / gib; size < part.low || size > part.high {
			t.Errorf("%s: %.3f GiB, want %v to %v", part.name, size, part.low, part.high)
		}
	}
	checkGrids(t, l, o)
	in := &instance{lowered: l, plan: plan, options: o, device: &device{limit: callLimit}, groups: carveGroups(&arena{}, p, o)}
	decode := &engine.Batch{Tokens: make([]int32, 1), Sequences: []engine.SequenceRows{{TokenCount: 1}}, Tables: []engine.Table{{Length: 128}}, Outputs: make([]engine.Output, 1)}
	chunk := &engine.Batch{Tokens: make([]int32, 512), Sequences: []engine.SequenceRows{{TokenCount: 512}}, Tables: []engine.Table{{Length: int32(p.Context)}}}
	if n := in.macsOf(decode); n < 69e9 || n > 72e9 {
		t.Errorf("a token takes %d multiply-accumulates", n)
	}
	in.device.owed.Add(in.macsOf(chunk))
	if got := in.device.patience(); got < 10*time.Minute || got > time.Hour {
		t.Errorf("512 tokens behind 130,560 may take %v", got)
	}
}

// checkGrids: no launch of the largest step is beyond what the driver takes: 2^31-1 thread blocks in x, 65,535 in y and z.
func checkGrids(t *testing.T, l *lowered, o engine.LoadOptions) {
	t.Helper()
	f := &filler{lowered: l, options: o}
	largest := bucket{rows: o.MaxTokens, sequences: o.MaxSequences, outputs: o.MaxOutputs, splits: int(l.splits(o)), many: true}
	for _, launch := range f.launches() {
		if g := launch.size(largest); g[0] > 1<<31-1 || g[1] > 65535 || g[2] > 65535 {
			t.Errorf("%s: grid %v", launch.name, g)
		}
	}
	if n := lowering.TablePages(l.Program, o); n != 32*8192 {
		t.Errorf("page tables of %d entries", n)
	}
}
