//go:build cgo

package cgotest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"chimera/cgo"
	"chimera/engine"
	"chimera/engine/enginetest"
)

// This file runs whole steps of a small program that uses every op and odd sizes, with weights made
// here: the sanitizers see the step's code through it, and no model file is needed.

// stepWeights are tensors in memory.
type stepWeights struct{ enginetest.Tensors }

// add makes a random tensor; vectors are floats near one.
func (w stepWeights) add(name string, b blockType, rows, cols int) {
	r := random(uint64(len(name)*1000 + rows))
	data := b.rawMatrix(r, rows, cols, false)
	if rows == 1 {
		for i := range cols {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(1+float32(r.NormFloat64())/8))
		}
	}
	w.Put(name, engine.DType(b.dtype), rows, cols, data)
}

const (
	stepWidth, stepHeads, stepKVHeads, stepHeadDim = 96, 6, 2, 20
	stepFF, stepVocab, stepContext, stepWindow     = 160, 203, 320, 33
)

// stepProgram has one layer of full attention and one of a window, with adjacent and halved pairs.
func stepProgram(t testing.TB) (*engine.Program, stepWeights) {
	t.Helper()
	w, p := stepWeights{enginetest.Tensors{}}, engine.NewBuilder("test", stepVocab, stepContext)
	groups := []engine.GroupID{
		p.Group(engine.Group{Name: "full", Layers: 1, Mask: engine.Causal, Heads: stepKVHeads, KeyWidth: stepHeadDim, ValueWidth: stepHeadDim}),
		p.Group(engine.Group{Name: "window", Layers: 1, Mask: engine.Window, Window: stepWindow, Heads: stepKVHeads, KeyWidth: stepHeadDim, ValueWidth: stepHeadDim}),
	}
	weight := func(name string, kind, rows, cols int) engine.WeightID {
		w.add(name, blockTypes[kind], rows, cols)
		return p.Weight(name, rows, cols)
	}
	const f32, f16, bf16, q4, q41, q50, q8 = 0, 1, 2, 3, 4, 5, 7 // indices into blockTypes
	x, h := p.Value("x", stepWidth), p.Value("h", stepWidth)
	q, k, v := p.Value("q", stepHeads*stepHeadDim), p.Value("k", stepKVHeads*stepHeadDim), p.Value("v", stepKVHeads*stepHeadDim)
	a, ff := p.Value("a", stepHeads*stepHeadDim), p.Value("ff", stepFF)
	p.Add(engine.Embed{Table: weight("embed", f16, stepVocab, stepWidth), Positions: weight("positions", f32, stepContext, stepWidth), Scale: 0.5, Out: x})
	for layer := range 2 {
		n := func(s string) string { return fmt.Sprintf("%d.%s", layer, s) }
		kinds := [][4]int{{q8, q41, f32, q50}, {bf16, q4, f32, q8}}[layer]
		p.Add(engine.Norm{Kind: engine.NormKind(layer + 1), Gamma: weight(n("norm"), f32, 1, stepWidth), Epsilon: 1e-5,
			In: x, Out: h})
		p.Add(engine.Linears{In: h, Outputs: []engine.Linear{
			{Weight: weight(n("q"), kinds[0], stepHeads*stepHeadDim, stepWidth), Bias: weight(n("q.bias"), f32, 1, stepHeads*stepHeadDim), Out: q},
			{Weight: weight(n("k"), kinds[0], stepKVHeads*stepHeadDim, stepWidth), Out: k},
			{Weight: weight(n("v"), kinds[1], stepKVHeads*stepHeadDim, stepWidth), Out: v},
		}})
		rope := &engine.Rope{Style: engine.RopeStyle(layer), Dim: 16, Base: 10000, Scale: 1, Magnitude: 1}
		p.Add(engine.Store{Group: groups[layer], Layer: 1, K: k, V: v, Norm: weight(n("knorm"), f32, 1, stepHeadDim), Epsilon: 1e-6, Rope: rope})
		p.Add(engine.Attend{Group: groups[layer], Layer: 1, Q: q, Out: a, Heads: stepHeads, Scale: 0.2, Norm: weight(n("qnorm"), f32, 1, stepHeadDim),
			Epsilon: 1e-6, Rope: rope, Softcap: 20 * float32(layer)})
		p.Add(engine.Linears{In: a, Outputs: []engine.Linear{{Weight: weight(n("o"), kinds[2], stepWidth, stepHeads*stepHeadDim), Residual: x, Out: x}}})
		p.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: weight(n("ffnorm"), f32, 1, stepWidth), Beta: weight(n("ffbeta"), f32, 1, stepWidth), Epsilon: 1e-5,
			In: x, Out: h})
		gateBias := engine.NoWeight
		if layer == 1 {
			gateBias = weight(n("gate.bias"), f32, 1, stepFF)
		}
		p.Add(engine.Linears{In: h, Outputs: []engine.Linear{{Weight: weight(n("up"), kinds[3], stepFF, stepWidth), Gate: weight(n("gate"), kinds[3], stepFF, stepWidth), GateBias: gateBias, Activation: engine.SiLU, Out: ff}}})
		p.Add(engine.Linears{In: ff, Outputs: []engine.Linear{{Weight: weight(n("down"), kinds[1], stepWidth, stepFF), Out: h}}})
		p.Add(engine.Add{A: x, B: h, Out: x})
	}
	last, normed := p.OutputValue("last", stepWidth), p.OutputValue("normed", stepWidth)
	p.Add(engine.Rows{In: x, Out: last})
	p.Add(engine.Norm{Kind: engine.RMSNorm, Gamma: weight("outnorm", f32, 1, stepWidth), Epsilon: 1e-5, In: last, Out: normed})
	p.Add(engine.Head{In: normed, Weight: weight("head", q8, stepVocab, stepWidth), Scale: 0.3, Softcap: 15})
	program, err := p.Program()
	if err != nil {
		t.Fatal(err)
	}
	return program, w
}

// open opens the CPU.
func open(t *testing.T, isa string, threads int) *cgo.Backend {
	t.Helper()
	b, err := cgo.Open(cgo.Options{ISA: isa, Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func loadStep(t *testing.T, isa string, threads int, kv engine.DType) engine.Instance {
	t.Helper()
	p, w := stepProgram(t)
	in, err := open(t, isa, threads).Load(p, w, engine.LoadOptions{Policy: engine.Policy{KV: kv}, Pages: []int{64, 64},
		MaxTokens: 64, MaxSequences: 4, MaxOutputs: 40, MaxTop: 5, MaxContext: stepContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func stepTokens(n int) []int32 {
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((i*31 + 7) % stepVocab)
	}
	return tokens
}

func stepPages(first int) []int32 {
	pages := make([]int32, stepContext/engine.PageTokens)
	for i := range pages {
		pages[i] = int32(first + i*7%20)
	}
	return pages
}

// both is the same table in both groups.
func both(pages []int32) []engine.PageTable {
	return []engine.PageTable{{Pages: pages}, {Pages: pages}}
}

// runStep computes tokens from position first, with a companion of three tokens if asked, and returns
// the last row's logits and its sampled token.
func runStep(t *testing.T, in engine.Instance, b *engine.Batch, tokens []int32, first int, pages []int32, company bool) ([]float32, int32) {
	t.Helper()
	b.Reset()
	b.Generation = in.Generation()
	if company {
		if _, err := b.AddSequence(stepTokens(3), 0, both([]int32{63})); err != nil {
			t.Fatal(err)
		}
	}
	row, err := b.AddSequence(tokens, first, both(pages))
	if err != nil {
		t.Fatal(err)
	}
	last := row + len(tokens) - 1
	for i := range min(last, 19) { // more rows than the head takes at a time
		if _, err := b.AddOutput(engine.Output{Row: int32(i), Mode: engine.Score, Target: int32(i), Top: 5, TopP: 1, Repetition: 1}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	at, err := b.AddOutput(engine.Output{Row: int32(last), Mode: engine.Sample | engine.WholeRow, Temperature: 1, TopP: 0.9, Repetition: 1.1, Seed: 5},
		[]engine.Penalty{{Token: 3, Seen: 1}}, []engine.Bias{{Token: 9, Value: 1}})
	complete(t, in, b, err)
	return slices.Clone(b.Logits), b.Results[at].Token
}

// complete has a batch computed that could be filled without an error.
func complete(t *testing.T, in engine.Instance, b *engine.Batch, err error) {
	t.Helper()
	if err == nil {
		err = in.Submit(b)
	}
	if err == nil {
		err = in.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// runPrompt feeds the prompt in chunks and returns what runStep does for the last one.
func runPrompt(t *testing.T, in engine.Instance, tokens []int32, chunk int, pages []int32, company bool) (logits []float32, token int32) {
	t.Helper()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < len(tokens); first += chunk {
		logits, token = runStep(t, in, b, tokens[first:min(first+chunk, len(tokens))], first, pages, company)
	}
	return logits, token
}

func TestStepGivesTheSameBytes(t *testing.T) {
	tokens := stepTokens(290)
	for _, kv := range kvTypes {
		want, wantToken := runPrompt(t, loadStep(t, "scalar", 1, kv), tokens, 60, stepPages(0), false)
		if slices.ContainsFunc(want, func(x float32) bool { return x != x || x < -15 || x > 15 }) || slices.Max(want)-slices.Min(want) < 1e-3 {
			t.Fatalf("%v KV: logits without meaning: %v", kv, want)
		}
		for _, c := range []struct {
			isa            string
			threads, chunk int
			company        bool
		}{{"scalar", 2, 17, true}, {"avx2", 1, 60, false}, {"avx2", 3, 1, true}, {"avx512f", 2, 33, false}, {"avx512vnni", 2, 16, true}, {"avx512vnni", 1, 1, false}} {
			t.Run(fmt.Sprintf("%v/%s/%d threads/%d tokens/company %v", kv, c.isa, c.threads, c.chunk, c.company), func(t *testing.T) {
				if !cgo.HasISA(c.isa) {
					t.Skip("this machine does not have it")
				}
				got, token := runPrompt(t, loadStep(t, c.isa, c.threads, kv), tokens, c.chunk, stepPages(20), c.company)
				same(t, "logits", got, want)
				if token != wantToken {
					t.Errorf("token %d, not %d", token, wantToken)
				}
			})
		}
	}
}

// A step that nobody asks for an output ends too: its head has no rounds, so nobody meets there.
func TestStepWithoutOutputs(t *testing.T) {
	for _, threads := range []int{1, 3} {
		in := loadStep(t, "auto", threads, engine.F16)
		b, err := in.NewBatch()
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		b.Generation = in.Generation()
		_, err = b.AddSequence(stepTokens(3), 0, both(stepPages(0)))
		complete(t, in, b, err)
	}
}

// A row is drawn by its position in its sequence, whatever its place in the batch: the reference draws from the logits
// of the step. Each of the rows, seeds and choices would draw something else with another's.
func TestDrawsAreOfThePosition(t *testing.T) {
	const first, n = 21, 7
	in := loadStep(t, "auto", 2, engine.F32)
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	tokens := stepTokens(first + n)
	runStep(t, in, b, tokens[:first], 0, stepPages(0), false)
	b.Reset()
	b.Generation = in.Generation()
	if _, err := b.AddSequence(stepTokens(3), 0, both([]int32{63})); err != nil {
		t.Fatal(err)
	}
	row, err := b.AddSequence(tokens[first:], first, both(stepPages(0)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range min(n, in.Limits().MaxRows) {
		o := engine.Output{Row: int32(row + n - 1 - i), Mode: engine.Sample | engine.WholeRow, Temperature: 4, TopP: 1, Repetition: 1, Seed: uint64(i % 2), Choice: int32(i % 3)}
		if _, err := b.AddOutput(o, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(in.Submit(b), in.Wait()); err != nil {
		t.Fatal(err)
	}
	for i, o := range b.Outputs {
		position := first + n - 1 - i
		if want := plainSample(b.Logits[i*stepVocab:][:stepVocab], o, position, nil, nil); b.Results[i].Token != want {
			t.Errorf("position %d: token %d, not %d", position, b.Results[i].Token, want)
		}
	}
}

// A sequence goes on from pages that were copied, or exported and imported, as from its own.
func TestPagesMove(t *testing.T) {
	in := loadStep(t, "auto", 2, engine.F16)
	tokens, own, other := stepTokens(41), stepPages(0), stepPages(30)
	want, _ := runPrompt(t, in, tokens, 40, own, false)
	for g := engine.GroupID(1); g <= 2; g++ {
		buffer := make([]byte, in.Limits().Groups[g-1].PageBytes)
		for i := range 3 {
			if i == 1 {
				if err := in.CopyPages(g, []engine.PageCopy{{From: own[i], To: other[i]}}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := errors.Join(moved(in.Export(g, own[i], buffer)), moved(in.Import(g, other[i], buffer))); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := runStep(t, in, b, tokens[40:], 40, other, false)
	same(t, "logits", got, want)
}

// moved waits for a transfer.
func moved(ticket *engine.Ticket, err error) error {
	if err != nil {
		return err
	}
	return ticket.Wait()
}

func TestPagesOutsideAreRefused(t *testing.T) {
	in := loadStep(t, "auto", 1, engine.F16)
	buffer := make([]byte, in.Limits().Groups[0].PageBytes)
	for field, errs := range map[string][]error{
		"pages": {moved(in.Export(1, -1, buffer)), moved(in.Import(1, 64, buffer)), moved(in.Export(1, 0, buffer[1:])),
			in.CopyPages(1, []engine.PageCopy{{From: 0, To: 64}})},
		"groups": {moved(in.Export(0, 0, buffer)), moved(in.Import(3, 0, buffer)), in.CopyPages(-1, []engine.PageCopy{{}})},
	} {
		for i, err := range errs {
			if refused := new(engine.BatchError); !errors.As(err, &refused) || refused.Field != field {
				t.Errorf("%s, %d: %v", field, i, err)
			}
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	in := loadStep(t, "auto", 1, engine.F32)
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	refused := new(engine.BatchError)
	if err := in.Submit(b); !errors.As(err, &refused) || refused.Field != "tokens" {
		t.Errorf("an empty step: %v", err)
	}
	if err := in.Wait(); !errors.As(err, &refused) || refused.Field != "depth" {
		t.Errorf("waiting for nothing: %v", err)
	}
	if _, err := b.AddSequence([]int32{1}, 0, both([]int32{0})); err != nil {
		t.Fatal(err)
	}
	if err := in.Submit(b); !errors.As(err, &refused) || refused.Field != "generation" {
		t.Errorf("a step of no generation: %v", err)
	}
	b.Generation = in.Generation()
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	if err := in.Submit(b); !errors.As(err, &refused) || refused.Field != "depth" {
		t.Errorf("a second step: %v", err)
	}
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []cgo.Options{{Threads: 1}, {Threads: 1, ISA: "sse2"}, {Threads: 1, ISA: "AVX2"}, {ISA: "auto"}, {Threads: -1, ISA: "auto"}} {
		if b, err := cgo.Open(o); err == nil {
			b.Close()
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	p, w := stepProgram(t)
	backend := open(t, "auto", 1)
	if _, err := backend.Load(p, w, engine.LoadOptions{Pages: []int{1}}); err == nil {
		t.Error("pages for one group of two were taken")
	}
	delete(w.Tensors, "1.gate")
	if _, err := backend.Load(p, w, engine.LoadOptions{Pages: []int{1, 1}}); err == nil {
		t.Error("a missing tensor was not noticed")
	}
}
