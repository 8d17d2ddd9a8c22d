//go:build cgo

package cgo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"chimera/engine"
	"chimera/engine/enginetest"
	"chimera/hostmem"
	"chimera/weights"
)

// This file owns tests of loading: what is packed, on how many threads, and from files that fail.

// packOptions are small sizes for a program.
func packOptions(p *engine.Program, threads int) engine.LoadOptions {
	return engine.LoadOptions{Policy: engine.Policy{KV: engine.F16}, Threads: threads, ISA: "auto", Pages: 4,
		MaxTokens: 4, MaxSequences: 1, MaxOutputs: 4, MaxTop: 1, MaxContext: min(p.Context, 64)}
}

func loadPacked(t *testing.T, p *engine.Program, w engine.Weights, o engine.LoadOptions) *instance {
	t.Helper()
	in, err := Backend{}.Load(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.(*instance)
}

const bigRows, bigCols, bigContext = 3001, 64, 1100

// bigProgram is of one table of many pieces, which the head shares, learned positions of a type, and a norm that is the
// middle of a vector.
func bigProgram(t testing.TB, positions blockType) (*engine.Program, stepWeights, engine.WeightID) {
	t.Helper()
	w := stepWeights{enginetest.Tensors{}}
	width := max(bigCols, positions.values)
	w.add("table", blockTypes[0], bigRows, width)
	w.add("positions", positions, bigContext, width)
	w.add("vector", blockTypes[0], 1, 3*width)
	b := engine.NewBuilder(engine.Program{Architecture: "test", Layers: 1, KVHeads: 1, HeadDim: 2, Vocab: bigRows, Context: bigContext})
	x, rows := b.Value("x", width), b.OutputValue("rows", width)
	learned := b.Weight("positions", bigContext, width)
	b.Add(engine.Embed{Table: b.Weight("table", bigRows, width), Positions: learned, Scale: 1, Out: x})
	b.Add(engine.Norm{Gamma: b.VectorPart("vector", width, width), Beta: engine.NoWeight, Epsilon: 1e-5, In: x, Residual: engine.NoValue, Out: x})
	b.Add(engine.Rows{In: x, Out: rows})
	b.Add(engine.Head{In: rows, Weight: b.Weight("table", bigRows, width), Bias: engine.NoWeight, Scale: 1})
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p, w, learned
}

// What is packed piece by piece lies where a product looks for it: 16 rows side by side, and zeros behind the last.
func TestPackedInPieces(t *testing.T) {
	p, w, _ := bigProgram(t, blockTypes[0])
	for _, threads := range []int{1, 2, 5} {
		in := loadPacked(t, p, w, packOptions(p, threads))
		if first, end := in.PiecesOf(1); end-first < 3 {
			t.Fatalf("the table is %d pieces: too few to show anything", end-first)
		}
		table := in.packed[1].matrix
		got := hostmem.Slice[byte](in.weightsRegion, int64(uintptr(unsafe.Pointer(table.data))-uintptr(in.weightsRegion.Pointer())), int64(table.groups)*int64(table.group_bytes))
		want := make([]byte, len(got))
		for i := range bigRows * bigCols {
			row, k := i/bigCols, i%bigCols
			copy(want[row/16*int(table.group_bytes)+(k*16+row%16)*4:], w.Tensors["table"].Data[4*i:][:4])
		}
		if !bytes.Equal(got, want) {
			t.Errorf("on %d threads the table is packed wrongly", threads)
		}
	}
}

// Plain weights have the values that their format defines, for every type, and parts of vectors begin where they should.
func TestPlainWeights(t *testing.T) {
	for _, b := range blockTypes {
		t.Run(b.dtype.String(), func(t *testing.T) {
			p, w, learned := bigProgram(t, b)
			in := loadPacked(t, p, w, packOptions(p, 2))
			if first, end := in.PiecesOf(learned); end-first < 2 && b.dtype == weights.F32 {
				t.Fatalf("the positions are %d piece: too few to show anything", end-first)
			}
			want := make([]float32, bigContext*p.Weights[learned].Cols)
			if err := weights.Dequantize(b.dtype, w.Tensors["positions"].Data, want); err != nil {
				t.Fatal(err)
			}
			got := in.packed[learned].plain
			if at := slices.IndexFunc(want, func(x float32) bool { return x != x }); at >= 0 || len(got) != len(want) {
				t.Fatalf("%d values, want %d, of which value %d is no number", len(got), len(want), at)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("value %d is %v, want %v", i, got[i], want[i])
				}
			}
			width := p.Weights[learned].Cols
			for i, x := range in.packed[2].plain {
				if bits := binary.LittleEndian.Uint32(w.Tensors["vector"].Data[4*(width+i):]); len(in.packed[2].plain) != width || math.Float32bits(x) != bits {
					t.Fatalf("element %d of %d of the vector's part is %v", i, len(in.packed[2].plain), x)
				}
			}
		})
	}
}

// faulty is weights whose read number `at` fails, counted from 0.
type faulty struct {
	engine.Weights
	at    int64
	reads atomic.Int64
}

var errDisk = fmt.Errorf("m.gguf: tensor t: the disk is gone: %w", engine.ErrModelFile)

func (f *faulty) Read(name string, firstRow int, dst []byte) error {
	if f.reads.Add(1)-1 == f.at {
		for i := range dst {
			dst[i] = 0xff
		}
		return errDisk
	}
	return f.Weights.Read(name, firstRow, dst)
}

// Whichever read fails, on however many threads: the load ends with that error, reads no more, and leaves nothing.
func TestEveryReadFails(t *testing.T) {
	p, w, _ := bigProgram(t, blockTypes[0])
	l, err := lower(p, w)
	if err != nil {
		t.Fatal(err)
	}
	before, goroutines := hostmem.Usage(), runtime.NumGoroutine()
	for _, threads := range []int{1, 3} {
		for at := range int64(len(l.Pieces)) {
			f := &faulty{Weights: w, at: at}
			if in, err := (Backend{}).Load(p, f, packOptions(p, threads)); in != nil || !errors.Is(err, errDisk) {
				t.Fatalf("read %d: %v", at, err)
			}
			if n := f.reads.Load(); threads == 1 && n != at+1 {
				t.Errorf("%d reads, though the one after %d failed", n, at)
			}
			if now := hostmem.Usage(); !slices.Equal(now, before) {
				t.Fatalf("read %d leaves memory: %+v", at, now)
			}
		}
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// Digests and progress do not show how many threads load; the digest shows every byte.
func TestDigestOfWeights(t *testing.T) {
	p, w := stepProgram(t)
	digests := map[string]string{}
	load := func(what string, threads int, w engine.Weights) string {
		var told []int64
		total := int64(0)
		o := packOptions(p, threads)
		o.Progress = func(done, all int64) { told, total = append(told, done), all }
		in := loadPacked(t, p, w, o)
		if !slices.IsSorted(told) || len(told) == 0 || told[len(told)-1] != total {
			t.Errorf("%s: progress %v of %d", what, told, total)
		}
		return in.Digest()
	}
	want := load("one thread", 1, w)
	for _, threads := range []int{2, 7} {
		if got := load(fmt.Sprint(threads, " threads"), threads, w); got != want {
			t.Errorf("%d threads: %s, not %s", threads, got, want)
		}
	}
	digests[want] = "the model"
	for name, tensor := range w.Tensors {
		for _, at := range []int{0, rand.IntN(len(tensor.Data)), len(tensor.Data) - 1} {
			tensor.Data[at] ^= 1
			got := load(name, 2, w)
			tensor.Data[at] ^= 1
			if is, known := digests[got]; known && is != fmt.Sprint(name, at) {
				t.Errorf("with another byte %d of %s: the digest of %s", at, name, is)
			}
			digests[got] = fmt.Sprint(name, at)
		}
	}
}

// A load takes no more staging than its plan says, and gives it back.
func TestStagingIsPlanned(t *testing.T) {
	p, w, _ := bigProgram(t, blockTypes[0])
	o := packOptions(p, 2)
	plan, err := Backend{}.Plan(p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	o.Progress = func(int64, int64) { most = max(most, hostmem.Usage()[hostmem.Staging].Bytes) }
	loadPacked(t, p, w, o)
	if most != plan.StagingBytes || most < 256<<10 || most > 2*256<<10 {
		t.Errorf("%d bytes were staged, %d planned", most, plan.StagingBytes)
	}
	if left := hostmem.Usage()[hostmem.Staging].Bytes; left != 0 {
		t.Errorf("%d bytes of staging are left", left)
	}
}

func TestLoadChecksOptions(t *testing.T) {
	p, w := stepProgram(t)
	for field, spoil := range map[string]func(o *engine.LoadOptions){
		"Threads":           func(o *engine.LoadOptions) { o.Threads = 0 },
		"Policy.KV":         func(o *engine.LoadOptions) { o.Policy.KV = engine.Q4_0 },
		"Policy.Activation": func(o *engine.LoadOptions) { o.Policy.Activation = 9 },
		"MaxContext":        func(o *engine.LoadOptions) { o.MaxContext = stepContext + 1 },
		"Pages":             func(o *engine.LoadOptions) { o.Pages = 0 },
	} {
		o := packOptions(p, 1)
		spoil(&o)
		_, errPlan := Backend{}.Plan(p, w, o)
		_, errLoad := Backend{}.Load(p, w, o)
		for _, err := range []error{errPlan, errLoad} {
			if err == nil || !strings.Contains(err.Error(), "load option "+field) {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
}

func TestCloseTwice(t *testing.T) {
	p, w := stepProgram(t)
	in := loadPacked(t, p, w, packOptions(p, 2))
	for range 3 {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}
