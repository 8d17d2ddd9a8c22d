package daemon

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chimera/cgo"
	"chimera/engine"
	"chimera/internal/fixtures"
	"chimera/loader"
)

// The numeric contract: the same prompt gives the same bytes, whatever else is in the batch, however it
// was chunked, with any number of threads and on any instruction set, at each KV type. Every variant's
// logits are compared bit by bit with those of the scalar kernels on one thread, whole prompt at once.

// variant is one way to compute the same thing.
type variant struct {
	isa     string
	threads int
	chunk   int // tokens of a step
	company int // other sequences in each step
}

func (v variant) String() string {
	return fmt.Sprintf("%s/%d threads/chunks of %d/%d others", v.isa, v.threads, v.chunk, v.company)
}

// variants covers each dimension alone and the corners together.
func variants() []variant {
	list := []variant{
		{"scalar", 2, 64, 0}, {"scalar", 1, 7, 3}, {"avx2", 1, 64, 0}, {"avx2", 2, 16, 0}, {"avx2", 2, 1, 2}, {"avx2", 2, 13, 31},
		{"avx512f", 2, 64, 0}, {"avx512f", 1, 9, 5}, {"avx512vnni", 1, 64, 0}, {"avx512vnni", 2, 16, 31}, {"avx512vnni", 2, 1, 0},
		{"avx512vnni", 2, 33, 4},
	}
	return slices.DeleteFunc(list, func(v variant) bool { return !cgo.HasISA(v.isa) })
}

// runVariant computes the last row's logits of ids.
func runVariant(t *testing.T, path, kv string, v variant, ids []int32) []float32 {
	t.Helper()
	o := loader.Options{Threads: v.threads, KVType: kv, ISA: v.isa, StepTokens: 256, MaxSequences: 32, MaxLogprobs: 4, Context: 256}
	l, err := loader.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := l.Instance.NewBatch()
	if err != nil {
		t.Fatal(err)
	}
	limits := l.Instance.Limits()
	var last []float32
	others := make([]int, v.company)
	for first := 0; first < len(ids); first += v.chunk {
		n := min(v.chunk, len(ids)-first)
		b.Reset()
		b.Generation = l.Instance.Generation()
		for s := range v.company { // companions: other tokens, some ahead and some behind
			m := 1 + (s+first)%3
			if others[s]+m > companionPageCount*engine.PageTokens {
				continue
			}
			if _, err := b.AddSequence(companion(s, m, l.Program.Vocab), others[s], companionTables(limits, s)); err != nil {
				t.Fatal(err)
			}
			others[s] += m
		}
		row, err := b.AddSequence(ids[first:first+n], first, tables(limits, first, n, v.chunk))
		if err != nil {
			t.Fatal(err)
		}
		if first+n == len(ids) {
			if _, err := b.AddOutput(engine.Output{Row: int32(row + n - 1), Mode: engine.WholeRow}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Instance.Submit(b); err != nil {
			t.Fatal(err)
		}
		if err := l.Instance.Wait(); err != nil {
			t.Fatal(err)
		}
		last = append([]float32(nil), b.Logits...)
	}
	return last
}

func companion(s, n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((s*31 + i*17 + 3) % vocab)
	}
	return ids
}

const companionPageCount = 2

// companionTables come from the end of each pool, out of the prompt's way.
func companionTables(l engine.Limits, s int) (all []engine.PageTable) {
	for _, g := range l.Groups {
		last := int32(g.Pages - 1 - companionPageCount*s)
		all = append(all, engine.PageTable{Pages: []int32{last, last - 1}})
	}
	return all
}

// tables are the prompt's pages for n tokens from first on. Of each group it has as few as it can do with in such chunks, so
// that a window's are used again, in an order of their own: neighbours in the sequence are none in memory.
func tables(l engine.Limits, first, n, chunk int) (all []engine.PageTable) {
	for _, g := range l.Groups {
		few := g.PagesFor(l.MaxContext, chunk)
		t := engine.PageTable{Base: g.FirstSeen(first) / engine.PageTokens}
		for page := t.Base; page*engine.PageTokens < first+n; page++ {
			t.Pages = append(t.Pages, int32(few-1-page%few))
		}
		all = append(all, t)
	}
	return all
}

func sameBits(a, b []float32) int {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	if len(a) != len(b) || len(a) == 0 {
		return 0
	}
	return -1
}

func TestContract(t *testing.T) {
	dir := fixtures.SharedDir(t, "CHIMERA_CONFORMANCE", "conformance")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.gguf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no model in %s (%v)", dir, err)
	}
	compared := 0
	for _, path := range files {
		f, p, err := loader.Open(path)
		if err != nil {
			continue // refused by name; TestConformance shows it as a skip
		}
		f.Close()
		ids := companion(7, min(150, p.Context-1), p.Vocab)
		for _, kv := range []string{"f32", "f16", "q8_0"} {
			t.Run(filepath.Base(path)+"/"+kv, func(t *testing.T) {
				want := runVariant(t, path, kv, variant{"scalar", 1, 256, 0}, ids)
				for _, v := range variants() {
					got := runVariant(t, path, kv, v, ids)
					if at := sameBits(got, want); at >= 0 {
						t.Errorf("%v: logit %d is %x, want %x", v, at, math.Float32bits(got[at]), math.Float32bits(want[at]))
					}
					compared++
				}
			})
			if testing.Short() {
				break
			}
		}
	}
	if !cgo.HasISA("avx512vnni") {
		t.Log("this machine has no AVX-512 with VNNI: those kernels were compiled, not run")
	}
	t.Logf("%d variants gave the same bytes", compared)
}

// One window of a real text with the scalar kernels must score as with the fastest.
func TestContractPerplexityWindow(t *testing.T) {
	path := os.Getenv("CHIMERA_SMOLLM2")
	if path == "" || testing.Short() {
		t.Skip("set CHIMERA_SMOLLM2 to the model file (make deps gets it)")
	}
	ids := tokensUpTo(128)
	score := func(isa string) []float64 {
		l, err := loader.Load(path, loader.Options{Threads: 2, KVType: "f16", ISA: isa, StepTokens: 128, MaxSequences: 1, MaxLogprobs: 1, Context: 128})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		e, err := newEvaluator(l.Instance)
		if err != nil {
			t.Fatal(err)
		}
		scores, err := e.scores(ids, 64)
		if err != nil {
			t.Fatal(err)
		}
		return scores
	}
	want := score("scalar")
	for _, isa := range []string{"avx2", "avx512f", "avx512vnni"} {
		if !cgo.HasISA(isa) {
			t.Logf("this machine has no %s", isa)
			continue
		}
		if got := score(isa); !slices.Equal(got, want) {
			t.Errorf("%s scores differ from the scalar kernels'", isa)
		}
	}
}

func tokensUpTo(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i*7919%30000 + 100)
	}
	return ids
}
