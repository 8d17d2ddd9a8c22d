//go:build cuda

package cuda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chimera/cgo"
	"chimera/cuda/cudatest"
	"chimera/engine"
	"chimera/model"
	"chimera/weights"
)

// This file holds the backend to the CPU's: the same batches give the same bytes, model by model, on the
// emulated driver.

// options are small, so that sequences meet every edge: several pages, splits, buckets, chunks.
func options(p *engine.Program, kv engine.DType) engine.LoadOptions {
	context := min(p.Context, 640)
	return engine.LoadOptions{
		Policy: engine.Policy{KV: kv}, MaxTokens: 64, MaxVectors: 8, MaxSequences: 5, MaxOutputs: 48,
		MaxTop: 5, MaxTargets: 12, MaxContext: context, Pages: pagesEach(p, 5*(context/engine.PageTokens+1)),
	}
}

// pagesEach is a pool of n pages for each group.
func pagesEach(p *engine.Program, n int) []int { return slices.Repeat([]int{n}, len(p.Groups)) }

// tables are a sequence's page tables: the same page ids in each group, but those that nobody sees any more.
func tables(l engine.Limits, first int, pages []int32) (all []engine.PageTable) {
	for _, g := range l.Groups {
		base := min(g.FirstSeen(first)/engine.PageTokens, len(pages))
		all = append(all, engine.PageTable{Base: base, Pages: pages[base:]})
	}
	return all
}

// onCPU is the backend that the GPU's is held to.
func onCPU(t *testing.T) engine.Backend {
	t.Helper()
	b, err := cgo.Open(cgo.Options{Threads: 1, ISA: "auto"})
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

// gpu takes the emulated GPU for a test, and checks at its end that nothing is left and no order was broken.
func gpu(t *testing.T, name string) *Backend {
	t.Helper()
	cudatest.Check(t)
	b, err := New(0, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	pinned(t)
	return b
}

func load(t *testing.T, b engine.Backend, p *engine.Program, w engine.Weights, o engine.LoadOptions) engine.Instance {
	t.Helper()
	in, err := b.Load(p, w, o)
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

// openModel reads a fixture.
func openModel(t *testing.T, path string) (*engine.Program, model.Source) {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	p, err := model.Build(f)
	if err != nil {
		t.Skip(err)
	}
	return p, model.NewSource(f)
}

func conformance(t *testing.T) string {
	dir := os.Getenv("CHIMERA_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "conformance")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no conformance folder: set CHIMERA_CONFORMANCE")
	}
	return dir
}

// rowsOf computes tokens 0, 1 ... of one sequence in chunks and returns the logits of every row of the last chunk.
func rowsOf(t *testing.T, in engine.Instance, tokens []int32, chunks []int) []float32 {
	t.Helper()
	b, err := in.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	pages := make([]int32, (len(tokens)+engine.PageTokens-1)/engine.PageTokens)
	for i := range pages {
		pages[i] = int32(len(pages) - i)
	}
	var logits []float32
	at := 0
	for _, n := range chunks {
		b.Reset()
		row, err := b.AddSequence(tokens[at:at+n], at, tables(b.Limits(), at, pages))
		if err != nil {
			t.Fatal(err)
		}
		for i := max(0, n-8); i < n; i++ {
			if _, err := b.AddOutput(engine.Output{Row: int32(row + i), Mode: engine.Score | engine.WholeRow, Target: 1, TopP: 1, Top: 3}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		run(t, in, b)
		logits = append(logits, b.Logits...)
		at += n
	}
	return logits
}

func run(t *testing.T, in engine.Instance, b *engine.Batch) {
	t.Helper()
	b.Generation = in.Generation()
	if err := in.Submit(b); err != nil {
		t.Fatal(err)
	}
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestModelsAsOnTheCPU(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(conformance(t), "*", "*.gguf"))
	parts, more := filepath.Glob(filepath.Join("..", "daemon", "testdata", "parts", "*", "*.gguf"))
	if err != nil || more != nil || len(files) == 0 || len(parts) == 0 {
		t.Fatalf("no models: %v, %v", err, more)
	}
	for _, path := range append(files, parts...) {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			p, w := openModel(t, path)
			for _, kv := range []engine.DType{engine.F32, engine.F16, engine.Q8_0} {
				t.Run(kv.String(), func(t *testing.T) { sameAsOnTheCPU(t, name, p, w, kv) })
			}
		})
	}
}

func sameAsOnTheCPU(t *testing.T, name string, p *engine.Program, w engine.Weights, kv engine.DType) {
	cpu := load(t, onCPU(t), p, w, options(p, kv))
	on := load(t, gpu(t, name), p, w, options(p, kv))
	tokens := make([]int32, 45)
	for i := range tokens {
		tokens[i] = int32((i*i*7 + 3*i) % p.Vocab)
	}
	chunks := []int{1, 20, 1, 1, 17, 5}
	want, got := rowsOf(t, cpu, tokens, chunks), rowsOf(t, on, tokens, chunks)
	if !bytes.Equal(bytesOf(want), bytesOf(got)) {
		t.Error(firstDifference(want, got))
	}
}

func firstDifference(want, got []float32) string {
	for i := range want {
		if want[i] != got[i] {
			return fmt.Sprintf("logit %d of %d is %v, the CPU's is %v", i, len(want), got[i], want[i])
		}
	}
	return "only zeros or NaNs differ"
}
